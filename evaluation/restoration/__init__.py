"""What restoration by diffusion gains and costs, with and without a clock."""
