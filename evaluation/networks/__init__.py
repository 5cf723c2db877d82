"""What networks for tasks cost on video, and how well they do."""
