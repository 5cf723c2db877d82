"""Training of codecs: configuration, models as they are trained, export."""
