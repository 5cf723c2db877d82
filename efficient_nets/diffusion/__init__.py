"""A small diffusion model that restores decoded pictures: network, noise schedule, sampler."""
