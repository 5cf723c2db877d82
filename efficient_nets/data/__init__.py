"""Labelled data as files have them: readers, what is read, and data that are made."""
