"""Writes down every AES-GCM and SM4-GCM encryption of a Python process: no key and nonce may ever meet twice.

Python imports this by itself in every process whose PYTHONPATH names this directory. `cryptography`'s AESGCM and Cipher
are replaced, before anybody can import them, by classes that append one record of fixed size per encryption to a file of
the process, where SSEPROXY_NONCE_LOG names a directory: SHA-256(key)[:16], nonce, tag. It is one `os.write` to a
descriptor without a buffer, done before the ciphertext is handed out, so a process that is killed has recorded all that
it can have sent. `tests/support/nonces.py` reads the files.
"""

import contextlib
import hashlib
import os


class _Log:
    """One file per process; a forked child gets its own, where its environment says."""

    def __init__(self) -> None:
        self._pid = 0
        self._descriptor: int | None = None

    def append(self, record: bytes) -> None:
        pid = os.getpid()
        if pid != self._pid:
            self._descriptor = _open_log(pid)
            self._pid = pid
        if self._descriptor is not None:
            os.write(self._descriptor, record)


def _open_log(pid: int) -> int | None:
    directory = os.environ.get("SSEPROXY_NONCE_LOG")
    if not directory:
        return None
    path = os.path.join(directory, f"{pid}.nonces")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _install() -> None:
    from cryptography.hazmat.primitives.ciphers import aead

    plain = aead.AESGCM
    log = _Log()

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
            log.append(self._key_id + _twelve(nonce) + tag)

    aead.AESGCM = RecordingAesGcm  # type: ignore[assignment]  # that is the point of this file
    _install_streaming(log)


def _install_streaming(log: _Log) -> None:
    """Record what goes through `Cipher` in GCM mode, as SM4-GCM does, when it is finished."""
    from cryptography.hazmat.primitives import ciphers
    from cryptography.hazmat.primitives.ciphers.modes import GCM

    plain = ciphers.Cipher

    class RecordingEncryptor:
        """An encryptor with the same methods."""

        def __init__(self, encryptor: ciphers.AEADEncryptionContext, head: bytes) -> None:
            self._encryptor = encryptor
            self._head = head

        def __getattr__(self, name: str) -> object:
            return getattr(self._encryptor, name)

        def finalize(self) -> bytes:
            rest: bytes = self._encryptor.finalize()
            log.append(self._head + self._encryptor.tag)
            return rest

    class RecordingCipher(plain):  # type: ignore[valid-type,misc]
        """Cipher; decryption and other modes are passed on."""

        def encryptor(self) -> object:
            encryptor = super().encryptor()
            if not isinstance(self.mode, GCM):
                return encryptor
            key_id = hashlib.sha256(self.algorithm.key).digest()[:16]
            return RecordingEncryptor(encryptor, key_id + _twelve(self.mode.initialization_vector))

    ciphers.Cipher = RecordingCipher  # type: ignore[misc]


def _twelve(nonce: bytes | bytearray | memoryview) -> bytes:
    return bytes(nonce) if len(nonce) == 12 else hashlib.sha256(nonce).digest()[:12]


with contextlib.suppress(ImportError):  # a process without cryptography encrypts nothing
    _install()
