"""Finders of regions of interest: a picture in, a mask out."""
