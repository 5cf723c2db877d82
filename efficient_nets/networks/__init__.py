"""Networks for pictures, of which :func:`scaleflow.efficient_nets.conversion.accelerate` makes networks for video."""
