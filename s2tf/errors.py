"""The error that a command reports in one line."""


class UserError(ValueError):
    """Bad input of a user: the message names the file or key, the value and what was expected; exit status 2."""

    status = 2
