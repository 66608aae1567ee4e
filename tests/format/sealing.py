"""Builds sealed objects in memory, the way the operations do it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from sseproxy.format import (
    SALT,
    TAIL,
    Attributes,
    DataKey,
    Envelope,
    Opener,
    SegmentEntry,
    SegmentSealer,
    closing,
    decode_envelope,
    encode_envelope,
    open_footer,
    parse_tail,
    place_of,
    whole,
)
from sseproxy.format.attributes import pack_attributes
from sseproxy.format.layout import LARGEST_SEGMENT, MOST_SEGMENTS
from sseproxy.format.locate import Located
from sseproxy.model import Algorithm, Binding, Checksum, Layout
from sseproxy.stage import Buffer, Stage

BUCKET, KEY = "bucket", "a/key ä"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed object with everything that is needed to open it."""

    key: DataKey
    envelope: Envelope
    attributes: Attributes
    stored: bytes
    plain: bytes

    @property
    def header(self) -> str:
        return encode_envelope(self.envelope)


def fit_beside_the_table(attributes: Attributes) -> bool:
    """Whether all attributes but the table take less room than docs/format.md, "Attributes" gives them."""
    largest = LARGEST_SEGMENT * MOST_SEGMENTS
    return len(pack_attributes(replace(attributes, segments=(), plaintext_size=largest))) < 300


def fixed_bytes(length: int, seed: int = 0) -> bytes:
    """Return the same incompressible bytes for the same arguments."""
    return Random(f"{seed}/{length}").randbytes(length)


def joined(buffers: Sequence[Buffer]) -> bytes:
    return b"".join(buffers)


def cut(data: bytes, length: int) -> Iterator[bytes]:
    return (data[at : at + length] for at in range(0, len(data), length))


def run(stage: Stage, chunks: Iterator[bytes] | Sequence[bytes]) -> bytes:
    """Feed everything and finish."""
    fed = [joined(stage.feed(chunk)) for chunk in chunks]
    return b"".join(fed) + joined(stage.finish())


def envelope_for(key: DataKey, layout: Layout) -> Envelope:
    return Envelope(
        suite=key.suite,
        algorithm=Algorithm.KMS,
        key_id="00000000-0000-4000-8000-000000000000",
        wrapped_key=fixed_bytes(80, seed=1),
        binding=Binding.BUCKET_KEY,
        place=place_of(BUCKET, KEY),
        layout=layout,
        commitment=key.commitment,
    )


def seal(
    parts: Sequence[tuple[int, bytes]],
    *,
    layout: Layout = Layout.MULTIPART,
    key: DataKey | None = None,
    salt_of: Callable[[int], bytes] | None = None,
    part_checksums: Sequence[bytes] = (),
    checksum: Checksum | None = None,
    with_copy: bool = False,
) -> Sealed:
    """Seal numbered parts into one object; MD5 and CRC are made up."""
    key = key or DataKey.draw(_raw=fixed_bytes(32, seed=2))
    sealed, entries = [], []
    for position, (number, plain) in enumerate(parts):
        salt = salt_of(number) if salt_of else fixed_bytes(SALT, seed=100 + number)
        sealer = SegmentSealer(key, number, _salt=salt)
        sealed.append(run(sealer, [plain]))
        part_checksum = part_checksums[position] if part_checksums else b""
        entries.append(SegmentEntry(number=number, plaintext_size=len(plain), salt=sealer.salt, checksum=part_checksum))
    attributes = Attributes(
        layout=layout,
        plaintext_size=sum(len(plain) for _, plain in parts),
        segments=tuple(entries),
        crc64=0x0123456789ABCDEF,
        md5=bytes(range(16)),
        part_count=len(parts) if layout is Layout.MULTIPART else None,
        checksum=checksum,
    )
    envelope = envelope_for(key, layout)
    end = closing(key, attributes, envelope, sealed_so_far=sum(map(len, sealed)))
    if with_copy:
        envelope = replace(envelope, footer=bytes(end[-1]))
    return Sealed(
        key=key,
        envelope=envelope,
        attributes=attributes,
        stored=b"".join(sealed) + joined(end),
        plain=b"".join(plain for _, plain in parts),
    )


def seal_single(plain: bytes, *, with_copy: bool = False) -> Sealed:
    return seal([(1, plain)], layout=Layout.SINGLE, with_copy=with_copy)


def open_attributes(key: DataKey, header: str, stored: bytes) -> Attributes:
    """Read the attributes the way a cold GET does."""
    envelope = decode_envelope(header)
    key.check_commitment(envelope.commitment)
    tail = stored[-TAIL:]
    parsed = parse_tail(tail)
    length = parsed.footer_length if parsed else 0
    footer = stored[:-TAIL][-length:] if length else b""
    return open_footer(key, envelope, footer, tail, stored_size=len(stored))


def read_located(key: DataKey, located: Located, stored: bytes, *, chunk: int = 1 << 20) -> bytes:
    """Open a located range out of the stored object."""
    wanted = located.stored
    body = stored[wanted.first : wanted.last + 1] if wanted else b""
    return run(Opener(key, located), cut(body, chunk))


def open_object(key: DataKey, header: str, stored: bytes) -> bytes:
    """Open a whole object, or raise what a GET would."""
    return read_located(key, whole(open_attributes(key, header, stored)), stored)
