"""Named systems: what each is trained and assembled from, as data."""
