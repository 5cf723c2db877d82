"""Rate-distortion sweeps: codecs, clips, points, and the folder of results."""
