"""What is wrong with shards."""


class ShardError(ValueError):
    """A shard or a sample in it is not what `s2tf prepare` writes; the message names it and the field."""
