"""Numbers as clients write them into headers and parameters."""

_MOST_DIGITS = 19  # of any size that exists; many more are slow to read, and `int` refuses thousands


def natural(text: str, *, most_digits: int = _MOST_DIGITS) -> int | None:
    """Return a number that is written in nothing but decimal digits, and not in too many; None for all else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most_digits else None
