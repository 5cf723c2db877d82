"""Where masks come from; all implement :class:`scaleflow.codec.encoding.region_masks.MaskSource`."""
