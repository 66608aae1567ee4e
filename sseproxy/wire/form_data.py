"""An HTML form (`multipart/form-data`, RFC 7578) as it comes in: its fields, then its one file as a stream.

Fields behind the file are never read: both protocols ignore them (S3 dossier §3.9; OSS dossier §6.11).
"""

from collections.abc import Sequence

from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_options_header
from multipart import MultipartSegment as Segment

from sseproxy.errors import FieldTooLong, FormTooLong, MalformedForm
from sseproxy.stage import Buffer

_FILE = "file"
_MOST_FIELDS = 1000
_MOST_NAME = 8 * 1024  # bytes of a field's name (OSS dossier §6.11)


class FormReader:
    """Parses a form. `fields` are in order, names as sent; `file_name` and `file_type` are those of the file's part.

    `most_bytes` bounds names and values of all the fields together, and so of each.
    """

    def __init__(self, boundary: str, most_bytes: int) -> None:
        try:
            self._parser = PushMultipartParser(boundary, max_header_size=2 * _MOST_NAME, max_segment_count=_MOST_FIELDS)
        except MultipartError as cause:
            raise MalformedForm from cause
        self._most = self._left = most_bytes
        self._name = ""
        self._value = bytearray()
        self.fields: list[tuple[str, str]] = []
        self.file_name = ""
        self.file_type: str | None = None
        self.in_file = False
        self.ended = False  # the file is there whole, or the form ended without one

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Take the next bytes and return those of the file among them.

        Raises `MalformedForm`, `FormTooLong`, `FieldTooLong`.
        """
        out: list[Buffer] = []
        try:
            for event in self._parser.parse(bytes(data)):
                self._take(event, out)
                if self.ended:
                    return out
        except ParserLimitReached as cause:
            raise FormTooLong from cause
        except MultipartError as cause:
            raise MalformedForm from cause
        self.ended = self._parser.closed
        return out

    def finish(self) -> None:
        """Raise `MalformedForm` where the input has ended before the form did."""
        if self.ended:
            return
        if self.in_file:
            raise MalformedForm
        try:
            self._parser.close()  # raises unless the last boundary was there
        except MultipartError as cause:
            raise MalformedForm from cause

    def _take(self, event: Segment | Buffer | None, out: list[Buffer]) -> None:
        if isinstance(event, Segment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self.in_file:
            out.append(event)
        else:
            self._value += event
            self._check_field()

    def _begin(self, segment: Segment) -> None:
        self._name, self._value = segment.name or "", bytearray()
        if len(self._name.encode()) > _MOST_NAME:
            raise FieldTooLong
        self._check_field()
        if self._name.lower() == _FILE:
            self.in_file = True
            self.file_name = segment.filename or ""
            self.file_type = segment.header("Content-Type")

    def _end(self) -> None:
        if self.in_file:
            self.ended = True
        else:
            self._left -= len(self._name) + len(self._value)
            if self._left < 0:
                raise FormTooLong
            self.fields.append((self._name, self._value.decode("utf-8", "surrogateescape")))

    def _check_field(self) -> None:
        """Raise `FieldTooLong`: judged by the field alone, so that it does not matter how the input was cut."""
        if len(self._name) + len(self._value) > self._most:
            raise FieldTooLong


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of a form's Content-Type; None where it is no form's, or has none."""
    kind, options = parse_options_header(content_type)
    return options.get("boundary") or None if kind == "multipart/form-data" else None
