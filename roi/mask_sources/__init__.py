"""Where masks come from; all implement :class:`codec.region_masks.MaskSource`."""
