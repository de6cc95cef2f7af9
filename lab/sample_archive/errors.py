"""The error that the command line shows as one line, without a traceback."""


class SampleArchiveError(Exception):
    """Something the user can put right; the message says what and how."""
