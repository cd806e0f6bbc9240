"""The shard format: writing, reading, verifying, and adding a member."""
