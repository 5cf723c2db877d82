"""The training loop and what every kind of run shares: checkpoints, processes, averages, precision, monitoring."""
