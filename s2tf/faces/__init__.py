"""Faces in pictures: found, tracked, cropped and read."""
