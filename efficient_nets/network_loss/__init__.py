"""What a network that stays as it is makes of a picture that was changed: a loss for what changes it."""
