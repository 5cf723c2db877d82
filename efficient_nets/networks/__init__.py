"""Networks for pictures, of which :func:`efficient_nets.conversion.accelerate` makes networks for video."""
