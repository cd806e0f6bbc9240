"""What is wrong with shards."""


class ShardError(ValueError):
    """A shard or a sample in it is not what `s2tf prepare` writes; the message names it and the field."""


class MixtureError(ValueError):
    """Data sets that are mixed do not hold the same members, or not of the same shape; no sample is at fault."""
