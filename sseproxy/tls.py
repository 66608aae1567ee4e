"""A TLS context whose files can be loaded again while connections speak through it."""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self


class RenewableContext(ssl.SSLContext):
    """Stands where a context is wanted, and hands every new connection to the one that was built last.

    OpenSSL forgets nothing that it has loaded into a context: beside a new CA the old one would still be trusted. So
    new files make a new context. Sessions are resumed within one context alone: who was let in under an old CA has to
    show a certificate again. Itself it holds neither certificate nor CA; nobody gets through with it.
    """

    files: Sequence[Path]
    _build: Callable[[], ssl.SSLContext]
    current: ssl.SSLContext  # what new connections speak through

    def __new__(cls, build: Callable[[], ssl.SSLContext], files: Sequence[Path | None]) -> Self:
        """Make one of what `build` makes of `files`. Raises what `build` raises."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.files = tuple(file for file in files if file is not None)
        made._build = build
        made.current = build()
        return made

    def renew(self) -> None:
        """Load the files again, for connections that come later.

        Raises what `build` raises, and then everything stays as it was.
        """
        self.current = self._build()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  # the signature is ssl's
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection, as event loops do."""
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
