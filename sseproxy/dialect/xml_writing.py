"""Writing documents: elements as text, escaped so that every key a store may hold gives a readable document."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_QUOTES = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


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
