"""Why the program could not start."""


class StartFailed(Exception):
    """The program could not start, for a reason outside of it; the message is for the operator."""
