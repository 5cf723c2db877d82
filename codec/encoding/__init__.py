"""From a video to an ``.sfv`` file."""
