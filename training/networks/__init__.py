"""Training of networks for tasks, and of what makes them fast on video."""
