"""Length-prefixed framing: the unambiguous encoding of whatever is authenticated together."""


def lp(data: bytes) -> bytes:
    """Return `data` behind its length as u32 (docs/format.md, "Notation")."""
    return len(data).to_bytes(4, "big") + data
