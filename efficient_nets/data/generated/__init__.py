"""Videos with labels that are made of real pictures, where no real data are at hand."""
