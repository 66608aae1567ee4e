"""What stands below the help of a command: the command as somebody would type it."""

_BEGIN = "Example: sseproxy "


def example(arguments: str) -> str:
    """Return the epilog that shows a command line."""
    return _BEGIN + arguments
