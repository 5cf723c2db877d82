"""What networks are trained for: data with labels, a loss and a measure, one file for each task."""
