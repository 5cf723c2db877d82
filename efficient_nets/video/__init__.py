"""What the methods share: from a network for pictures to one for video, its state from frame to frame, its cost."""
