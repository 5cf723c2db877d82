"""Networks for pictures; :mod:`scaleflow.efficient_nets.video.conversion` makes networks for video of them."""
