"""Task-aware rate-distortion: what networks still find in video that was coded, over its rate."""
