"""What a training step computes, for each model that can be trained."""
