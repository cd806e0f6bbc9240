"""Errors in shards and their mixtures."""


class ShardError(ValueError):
    """A shard or a sample differs from the format that `s2tf prepare` writes; the message names it and the field."""


class MixtureError(ValueError):
    """The data sets of a mixture hold other members or shapes; no single sample is at fault."""
