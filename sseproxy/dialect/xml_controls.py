"""Control characters in documents: keys may hold them, and XML has no way to tell of most.

Storages, and we, write them as references (`&#x1;`) all the same. Parsers take those for errors, so they are given a
private character in the place of each, in as many bytes.
"""

import re

_REFERENCE = re.compile(rb"&#(?:[xX]0{0,4}([01]?[0-9a-fA-F])|0{0,4}([0-9]{1,2}));")
_FIRST = 0xF0000  # of plane 15, which is private: what is added tells the reference's length and character
_STAND_IN = re.compile("[\U000f0080-\U000f01ff]")
_LEAD = b"\xf3\xb0"  # how all of these begin in UTF-8, where each has four bytes
_CONTROLS = 32
_TOLD = frozenset({0x09, 0x0A, 0x0D})  # which XML can tell of


def readable(document: bytes) -> bytes:
    """Return a document that parsers can read, of the same length; the same one where it has no such references.

    So has one that holds characters which could be taken for ours.
    """
    if b"&#" not in document or _LEAD in document:
        return document
    return _REFERENCE.sub(_stand_in, document)


def as_meant(text: str) -> str:
    """Return a text of a document that `readable` changed with the control characters that were meant."""
    pieces, at = [], 0
    for found in _STAND_IN.finditer(text):
        length, code = divmod(ord(found[0]) - _FIRST, _CONTROLS)
        pieces += [text[at : found.start()], chr(code)]
        at = found.start() + 1 + length - len(found[0].encode())
    return "".join([*pieces, text[at:]])


def _stand_in(reference: re.Match[bytes]) -> bytes:
    code = int(reference[1], 16) if reference[1] is not None else int(reference[2])
    if code >= _CONTROLS or code in _TOLD:
        return reference[0]
    length = len(reference[0])
    return chr(_FIRST + length * _CONTROLS + code).encode().ljust(length, b".")
