"""Errors that are the user's to mend: shown as one sentence, never as a traceback."""


class UsageError(Exception):
    """A command, a suite file or a result folder cannot be used as it is."""
