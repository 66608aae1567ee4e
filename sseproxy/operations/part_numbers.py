"""The numbers of parts, as requests name them."""

from sseproxy.errors import InvalidPartNumber
from sseproxy.exchange import Request
from sseproxy.wire.numbers import natural

MOST_PARTS = 10_000
_NAME = "partNumber"


def part_number(request: Request) -> int:
    """Return the part number that the request names, 1 to 10,000. Raises `InvalidPartNumber`."""
    text = request.query.get(_NAME, "")
    number = natural(text)
    if number is None or not 1 <= number <= MOST_PARTS:
        raise InvalidPartNumber(ArgumentName=_NAME, ArgumentValue=text)
    return number
