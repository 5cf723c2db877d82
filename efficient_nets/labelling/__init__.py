"""From a video, an ``.sfv`` file or any other, to what a network finds in it: in one process, with no file between."""
