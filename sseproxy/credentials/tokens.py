"""Small files that somebody else writes: tokens with which the proxy shows who it is."""

import asyncio
from pathlib import Path

from sseproxy.errors import KeyServiceUnavailable


async def read_token(path: Path) -> str:
    """Return a small file's text without white space around it. Raises `KeyServiceUnavailable`."""
    try:
        text = (await asyncio.to_thread(path.read_text, encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as cause:
        raise KeyServiceUnavailable(
            f"The file {path} with the proxy's login cannot be read; see that it is there and readable."
        ) from cause
    if not text:
        raise KeyServiceUnavailable(f"The file {path} with the proxy's login is empty.")
    return text
