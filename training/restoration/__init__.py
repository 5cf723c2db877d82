"""Training of the restoration diffusion model, and distillation of what clocks it."""
