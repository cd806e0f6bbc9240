"""The order of the clips, and the streams that turn them into batches."""
