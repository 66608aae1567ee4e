"""Writes down every AES-GCM encryption of a Python process, for the proof that no key and nonce ever meet twice.

Python imports this by itself in every process whose PYTHONPATH names this directory. Where SSEPROXY_NONCE_LOG
names a directory, `cryptography`'s AESGCM is replaced, before anybody can import it, by a class that appends one
record of fixed size per encryption to a file of the process: SHA-256(key)[:16], nonce, tag. It is one `os.write`
to a descriptor without a buffer, done before the ciphertext is handed out, so a process that is killed has
recorded all that it can have sent. `tests/support/nonces.py` reads the files.
"""

import contextlib
import hashlib
import os

_DIRECTORY = os.environ.get("SSEPROXY_NONCE_LOG")


class _Log:
    """One file per process; a forked child gets its own."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pid = 0
        self._descriptor = -1

    def append(self, record: bytes) -> None:
        pid = os.getpid()
        if pid != self._pid:
            path = os.path.join(self._directory, f"{pid}.nonces")
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._pid = pid
        os.write(self._descriptor, record)


def _install(directory: str) -> None:
    from cryptography.hazmat.primitives.ciphers import aead

    plain = aead.AESGCM
    log = _Log(directory)

    class RecordingAesGcm:
        """AESGCM with the same methods; decryption is passed on."""

        __slots__ = ("_aead", "_key_id")

        def __init__(self, key: bytes) -> None:
            self._aead = plain(key)
            self._key_id = hashlib.sha256(key).digest()[:16]

        generate_key = staticmethod(plain.generate_key)

        def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
            sealed = self._aead.encrypt(nonce, data, associated_data)
            self._record(nonce, sealed[-16:])
            return sealed

        def encrypt_into(self, nonce: bytes, data: bytes, associated_data: bytes | None, buf: memoryview) -> int:
            written = self._aead.encrypt_into(nonce, data, associated_data, buf)
            self._record(nonce, bytes(memoryview(buf)[written - 16 : written]))
            return written

        def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
            return self._aead.decrypt(nonce, data, associated_data)

        def decrypt_into(self, nonce: bytes, data: bytes, associated_data: bytes | None, buf: memoryview) -> int:
            return self._aead.decrypt_into(nonce, data, associated_data, buf)

        def _record(self, nonce: bytes, tag: bytes) -> None:
            short = nonce if len(nonce) == 12 else hashlib.sha256(nonce).digest()[:12]
            log.append(self._key_id + bytes(short) + tag)

    aead.AESGCM = RecordingAesGcm  # type: ignore[assignment]  # that is the point of this file


if _DIRECTORY:
    with contextlib.suppress(ImportError):  # a process without cryptography encrypts nothing
        _install(_DIRECTORY)
