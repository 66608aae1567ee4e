"""What is to be stored where, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect.base import Dialect
from sseproxy.errors import EntityTooLarge
from sseproxy.format import Attributes, Envelope, encode_envelope_within, stored_size
from sseproxy.operations.backend import Address
from sseproxy.operations.etags import bare_etag, client_etag
from sseproxy.policy.client_encryption import stored_name
from sseproxy.policy.encryption import EncryptionDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where and how an object is to be stored.

    `headers` go up with it, without the envelope; `conditions` are those on what is there before; `raw_query` is
    what else of the client's query goes up.
    """

    address: Address
    decision: EncryptionDecision
    headers: CIMultiDict[str]
    conditions: CIMultiDict[str]
    raw_query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that the storage has taken: what was sealed, and the headers of its answer."""

    envelope: Envelope
    attributes: Attributes
    headers: CIMultiDictProxy[str]

    @property
    def etag(self) -> str:
        """The ETag that clients see."""
        return client_etag(self.attributes, bare_etag(self.headers.get("ETag")))


def check_size(dialect: Dialect, length: int) -> None:
    """Raise `EntityTooLarge` where an object of `length` plaintext bytes is more than the storage takes at once."""
    largest = dialect.limits.largest_stored_object
    if stored_size(length) > largest:
        raise EntityTooLarge(ProposedSize=str(length), MaxSizeAllowed=str(largest_plaintext(largest)))


def largest_plaintext(largest_stored: int, stored: Callable[[int], int] = stored_size) -> int:
    """Return the most plaintext whose stored form, an object unless `stored` says otherwise, fits `largest_stored`."""
    least, most = 0, largest_stored
    while least < most:
        middle = (least + most + 1) // 2
        if stored(middle) <= largest_stored:
            least = middle
        else:
            most = middle - 1
    return least


def add_envelope(dialect: Dialect, headers: CIMultiDict[str], envelope: Envelope) -> None:
    """Put the envelope beside the user metadata, without the footer's copy where the room is short.

    What the metadata says of a client's encryption gets its name in the storage.

    Raises `MetadataTooLarge` where the storage would not take both.
    """
    for name in {name.lower() for name in headers}:
        if stored_name(name, dialect) != name:
            headers.extend((stored_name(name, dialect), value) for value in headers.popall(name))
    prefix = len(dialect.meta_prefix)
    used = sum(
        len(name) - prefix + len(value.encode("utf-8", "surrogateescape"))
        for name, value in headers.items()
        if name.lower().startswith(dialect.meta_prefix)
    )
    own_name = len(dialect.envelope_header) - prefix
    budget = dialect.limits.most_metadata - used - own_name
    headers[dialect.envelope_header] = encode_envelope_within(envelope, budget)
