"""Where masks come from; all implement :class:`scaleflow.codec.region_masks.MaskSource`."""
