"""From an ``.sfv`` file to pictures, to a video, and to what is known of it."""
