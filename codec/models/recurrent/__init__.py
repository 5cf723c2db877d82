"""The recurrent model: a codec whose memory of what it has decoded is carried from picture to picture."""
