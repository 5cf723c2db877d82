"""The video codecs: the default scale-space-flow model, the paper's original, and the names by which they are loaded."""
