"""The description of one bucket (OSS's GetBucketInfo): the same document with another default encryption."""

from sseproxy.dialect.xml_scanning import Scanner, local_name, replaced
from sseproxy.errors import MalformedXml, UpstreamError

_RULE = "ServerSideEncryptionRule"


def with_rule(document: bytes, rule: bytes) -> bytes:
    """Return a bucket's description with an element in the place of its encryption rule, or added to it.

    Everything else stays byte for byte. Raises `UpstreamError` where the document describes no bucket.
    """
    scan = _Bucket(document)
    try:
        scan.run()
    except MalformedXml:
        raise UpstreamError("The storage's answer could not be read.") from None
    if scan.end is None:
        raise UpstreamError("The storage's answer describes no bucket.")
    places = scan.rules or [(scan.end, scan.end)]
    first, *others = [(start, end) for start, end in places]
    return replaced(document, [(*first, rule), *((*other, b"") for other in others)])


class _Bucket(Scanner):
    """Where the encryption rules of the bucket stand, and where its last element ends."""

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self.rules: list[tuple[int, int]] = []
        self.end: int | None = None
        self._began = 0
        self._is_empty = True

    def opened(self, tag: str, depth: int) -> None:
        if depth == 3:
            self._is_empty = True
            if local_name(tag) == _RULE:
                self._began = self.position
        elif depth > 3:
            self._is_empty = False

    def closed(self, tag: str, depth: int, text: str) -> None:
        if depth == 2 and local_name(tag) == "Bucket":
            self.end = self.position
        elif depth == 3 and local_name(tag) == _RULE:
            end = self.end_position(text) if self._is_empty else self.end_of_tag(self.position)
            self.rules.append((self._began, end))
