"""The arithmetic of the sealed format: constants, stored sizes and their inverse (docs/format.md, "Stored size").

Nothing here knows a key. Every size is in bytes.
"""

from typing import Final

VERSION: Final = 1  # docs/format.md, "Versions"
FRAME: Final = 65_536  # plaintext of a full frame, P in docs/format.md, "Body"
TAG: Final = 16  # authentication tag of a frame, docs/format.md, "Body"
STORED_FRAME: Final = FRAME + TAG
SALT: Final = 32  # salt at the head of a segment, docs/format.md, "Body"
TAIL: Final = 16  # the last bytes of an object, docs/format.md, "Tail"
SMALLEST_SEGMENT: Final = 102_400  # of all but the last segment, M in docs/format.md, "Stored size"
MOST_SEGMENTS: Final = 10_000  # docs/format.md, "Stored size"
MOST_APPENDS: Final = 2**24 - 1  # segments of an appendable object, docs/format.md, "Append"
MOST_TABLED_APPENDS: Final = 256  # of them in one footer, docs/format.md, "Append"
LARGEST_SEGMENT: Final = 2**40 - 1  # plaintext; the table says it in 40 bits, docs/format.md, "Attributes"

_FURTHER_SEGMENT = 120  # what each segment after the first may cost, docs/format.md, "Stored size"
_FIXED = 1_024  # what everything else may cost, docs/format.md, "Stored size"


def frames_of(plaintext_size: int) -> int:
    """Return how many frames a segment of `plaintext_size` bytes has; an empty one has none."""
    return -(-plaintext_size // FRAME)


def segment_stored_size(plaintext_size: int) -> int:
    """Return the stored size of a segment: its salt, its frames and their tags."""
    return SALT + plaintext_size + TAG * frames_of(plaintext_size)


def stored_size(plaintext_size: int) -> int:
    """Return the stored size of an object; it depends on the plaintext size alone and grows strictly with it.

    Holds for the layouts `single` and `multipart`. Raises `ValueError` for a negative size.
    """
    if plaintext_size < 0:
        raise ValueError("A size is not negative.")
    further = min(plaintext_size // SMALLEST_SEGMENT, MOST_SEGMENTS - 1)
    return plaintext_size + TAG * frames_of(plaintext_size) + _FURTHER_SEGMENT * further + _FIXED


def plaintext_size(stored_size_: int, /) -> int | None:
    """Return the plaintext size of an object of that stored size, None where no object has that size."""
    least, most = _bounds(stored_size_ - _FIXED)
    while least < most:
        middle = (least + most) // 2
        if stored_size(middle) < stored_size_:
            least = middle + 1
        else:
            most = middle
    return least if stored_size(least) == stored_size_ else None


def _bounds(variable: int) -> tuple[int, int]:
    """Return sizes between which the plaintext size lies, if there is one, given the variable part of its stored size.

    Without the roundings the stored size is a straight line, whose slope changes where the segments are used up;
    rounding a frame up adds less than a tag, rounding a segment down takes less than a segment's cost. So the
    bounds lie less than 140 bytes apart, whatever the size: a listing inverts a thousand sizes a page.
    """
    bend = stored_size((MOST_SEGMENTS - 1) * SMALLEST_SEGMENT) - _FIXED
    if variable < bend:
        slope = FRAME * SMALLEST_SEGMENT + TAG * SMALLEST_SEGMENT + _FURTHER_SEGMENT * FRAME
        scale = FRAME * SMALLEST_SEGMENT
    else:
        variable -= _FURTHER_SEGMENT * (MOST_SEGMENTS - 1)
        slope, scale = FRAME + TAG, FRAME
    least = (variable - TAG) * scale // slope
    most = (variable + _FURTHER_SEGMENT) * scale // slope + 1
    return max(least, 0), max(most, 0)
