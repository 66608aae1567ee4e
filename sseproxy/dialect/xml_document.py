"""A small XML reader that knows where every element stands, and a writer.

Knowing the places lets a document be given back byte for byte with a few elements changed. Document types, and with
them entities, are refused; depth and number of elements are bounded. Names are compared without namespaces.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

from sseproxy.errors import MalformedXml

_MOST_ELEMENTS = 200_000  # a Complete with 10,000 parts and checksums has about 50,000
_DEEPEST = 32
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_QUOTES = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


class Element:
    """An element. `document[start:end]` is it, tags included; `tag` is its name as written, `name` without prefix."""

    __slots__ = ("children", "end", "name", "start", "tag", "text")

    def __init__(self, tag: str, start: int) -> None:
        self.tag = tag
        self.name = tag[tag.find(":") + 1 :]
        self.start = start
        self.end = 0
        self.text = ""
        self.children: list[Element] | tuple[()] = ()

    def find(self, name: str) -> "Element | None":
        """Return the first child of that name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children of that name."""
        return (child for child in self.children if child.name == name)

    def value(self, name: str) -> str | None:
        """Return the text of the first child of that name."""
        child = self.find(name)
        return None if child is None else child.text


def read(document: bytes) -> Element:
    """Return the root. Raises `MalformedXml`."""
    return _Reader(document).root


def expat_parser() -> expat.XMLParserType:
    """Return a parser that refuses document types, for handlers that are to be set."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def run(parser: expat.XMLParserType, document: bytes) -> None:
    """Feed a document to a parser. Raises `MalformedXml`."""
    if document[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in document:
        raise MalformedXml  # UTF-16: nobody sends it, and places in it would not be those of ASCII text
    try:
        parser.Parse(document, True)  # noqa: FBT003  # expat takes it by position
    except (expat.ExpatError, ValueError, LookupError) as cause:
        raise MalformedXml from cause


def end_of(document: bytes, at: int) -> int:
    """Return where an element without children ends, `at` being where expat stands when it tells of its end.

    That is behind an empty-element tag (`<a/>`), else at the end tag.
    """
    return at if document[at - 2 : at] == b"/>" else document.index(b">", at) + 1


class _Reader:
    def __init__(self, document: bytes) -> None:
        self._document = document
        self._open: list[Element] = []
        self._count = 0
        self._root: Element | None = None
        self._parser = expat_parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        run(self._parser, document)

    @property
    def root(self) -> Element:
        if self._root is None:
            raise MalformedXml
        return self._root

    def _start(self, tag: str, _attributes: object) -> None:
        self._count += 1
        stack = self._open
        if self._count > _MOST_ELEMENTS or len(stack) >= _DEEPEST:
            raise MalformedXml
        element = Element(tag, self._parser.CurrentByteIndex)
        if stack:
            parent = stack[-1]
            if parent.children:
                parent.children.append(element)
            else:
                parent.children = [element]
        else:
            self._root = element
        stack.append(element)

    def _text(self, data: str) -> None:
        self._open[-1].text += data

    def _end(self, _tag: str) -> None:
        element = self._open.pop()
        at = self._parser.CurrentByteIndex
        is_leaf = not element.children and not element.text
        element.end = end_of(self._document, at) if is_leaf else self._document.index(b">", at) + 1


def _refuse(*_declaration: object) -> NoReturn:
    raise MalformedXml


def replaced(document: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return the document with some places, given as start, end and new text, replaced; the rest byte for byte."""
    pieces: list[bytes] = []
    position = 0
    for start, end, text in sorted(edits):
        pieces += (document[position:start], text)
        position = end
    pieces.append(document[position:])
    return b"".join(pieces)


def element(name: str, value: str | int) -> str:
    """Return an element with text."""
    return f"<{name}>{_escaped(str(value))}</{name}>"


def optional(name: str, value: str | int | None) -> str:
    """Return an element with text, or nothing."""
    return "" if value is None else element(name, value)


def group(name: str, *contents: str) -> str:
    """Return an element around rendered ones."""
    return f"<{name}>{''.join(contents)}</{name}>"


def document_of(root: str, namespace: str | None, contents: Sequence[str]) -> bytes:
    """Return a document: declaration, and the root around rendered elements."""
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f"{_DECLARATION}<{root}{attribute}>{''.join(contents)}</{root}>".encode()


def _escaped(text: str) -> str:
    """Escape text. What XML cannot say (a key's stray bytes) becomes a replacement or a character reference."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        f"&#{ord(char)};" if char < " " and char not in "\t\n\r" else char for char in escape(whole, _QUOTES)
    )
