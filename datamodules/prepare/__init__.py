"""From raw recordings (or synthetic speakers) to shards."""
