"""Content keys that the OSS SDKs had wrapped by Alibaba Cloud KMS before they sent an object (OSS dossier §8.5, §8.7).

Key and counter are wrapped apart, so the first read of an object asks KMS twice. What was opened is kept as long as
objects' own data keys are, so the next ones, and those at the same time, ask for nothing. That a key is somebody else's
is kept as well: a KMS takes only so many questions, and sealing needs it.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sseproxy.errors import KeyAccessRefused, KeyNotFound, WrappedKeyRejected
from sseproxy.format import lp
from sseproxy.model import WrapContext, name_bytes
from sseproxy.operations.client_content_key import ContentKey, WrittenKey
from sseproxy.operations.kept_keys import KeptValues
from sseproxy.ports import ClientKeyService, Clock, Observer
from sseproxy.settings import CacheSettings
from sseproxy.single_flight import SingleFlight

KMS_WRAPS = frozenset({(False, "KMS/ALICLOUD"), (True, "kms")})  # what `WrittenKey.old` and `wrap` say of such a key

_Form = Callable[[str], str | None]  # from a metadata value to the text that KMS gave; None: it is none


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A content key, and the CMK that it was wrapped under."""

    content: ContentKey
    key_id: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of a question; `opened` None: none of the CMKs opens it."""

    opened: OpenedKey | None


@dataclass(frozen=True, slots=True, repr=False)
class _Decrypted:
    """What KMS gave back, and the CMK."""

    key_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ClientKeyPlace:
    """A key service, and the ids of the CMKs there under which clients' keys may be opened."""

    service: ClientKeyService
    key_ids: Collection[str]


class ClientKms:
    """Opens clients' content keys. `contexts` are those that clients may have had them wrapped with, tried in order."""

    def __init__(
        self,
        places: Sequence[ClientKeyPlace],
        contexts: Sequence[WrapContext],
        cache: CacheSettings,
        *,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._places = places
        self._contexts = contexts
        self._clock = clock
        self._observer = observer
        self._kept: KeptValues[bytes, _Answer] = KeptValues(cache.unwrapped_keys, cache.unwrapped_key_lifetime, clock)
        self._opening: SingleFlight[bytes, _Answer] = SingleFlight()

    async def open(self, written: WrittenKey) -> OpenedKey | None:
        """Return what a key and its counter were, None where they are under none of the CMKs.

        Raises `KeyServiceUnavailable`, and `KeyStateRefused` for a CMK that cannot be used now.
        """
        name = _name_of(written)
        kept = self._kept.get(name)
        self._observer.count("unwrap_cache_total", result="miss" if kept is None else "hit")
        if kept is not None:
            return kept.opened

        async def ask() -> _Answer:
            done = self._kept.get(name)
            if done is not None:  # by one of those who waited for somebody that was cancelled
                return done
            since = self._clock.now()
            answer = _Answer(await self._opened(written))
            self._kept.put(name, answer, since=since)
            return answer

        return (await self._opening.run(name, ask)).opened

    async def _opened(self, written: WrittenKey) -> OpenedKey | None:
        for place in self._places:
            for form in _forms(written):
                for context in self._contexts:
                    key = await _decrypted(place, form(written.key), context)
                    if key is not None:
                        start = await _decrypted(place, form(written.start), context)
                        return None if start is None else _opened_key(written, key, start)
        return None


def _opened_key(written: WrittenKey, key: _Decrypted, start: _Decrypted) -> OpenedKey | None:
    """Understand what KMS gave back: base64, but for the counter of the old form, which it had been given as it was."""
    try:
        raw = b64decode(key.text, validate=True)
        counter = name_bytes(start.text) if written.old else b64decode(start.text, validate=True)
    except (Base64Error, ValueError):
        return None
    content = written.content_key(raw, counter)
    return None if content is None else OpenedKey(content, key.key_id)


async def _decrypted(place: ClientKeyPlace, blob: str | None, context: WrapContext) -> _Decrypted | None:
    if blob is None:
        return None
    try:
        key_id, text = await place.service.decrypt(blob, context)
    except (WrappedKeyRejected, KeyAccessRefused, KeyNotFound):
        return None
    return _Decrypted(key_id, text) if key_id in place.key_ids else None


def _forms(written: WrittenKey) -> Iterator[_Form]:
    """Yield how a value may hold what KMS gave: oss2 of today encodes that text once more, others leave it as it is."""
    if not written.old:
        yield _encoded_once_more
    yield _as_it_is


def _encoded_once_more(text: str) -> str | None:
    try:
        inner = b64decode(text, validate=True)
        b64decode(inner, validate=True)
        return _as_it_is(inner.decode("ascii"))
    except (Base64Error, ValueError):
        return None


def _as_it_is(text: str) -> str | None:
    return text if text and text.isascii() else None


def _name_of(written: WrittenKey) -> bytes:
    """Return what stands for a wrapped key and its counter."""
    parts = ("old" if written.old else "new", written.key, written.start)
    return sha256(b"".join(lp(name_bytes(part)) for part in parts)).digest()
