"""Perception: discriminators, perceptual and adversarial losses, and the decoder that is trained with them."""
