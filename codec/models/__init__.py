"""The video codecs: the default scale-space-flow model, the paper's original, and their names."""
