"""Ways to favour a region of interest that need no codec made for it, to compare with those that do."""
