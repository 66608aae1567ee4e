"""The sealed object format, version 1: bytes in, bytes out, no I/O (docs/format.md).

What is listed here is the package's interface; everything else in it is private.
"""

from sseproxy.format.appending import (
    Block,
    appended,
    block_closing,
    block_of,
    block_stored_size,
    check_follows,
    open_block,
    table_start,
    unsealed_entry,
)
from sseproxy.format.attributes import Attributes, FooterPlace, SegmentEntry, check_attributes
from sseproxy.format.context import caller_pairs, wrap_context
from sseproxy.format.customer import CUSTOMER_KEY_ID, open_for_customer, wrap_for_customer
from sseproxy.format.envelope import (
    MOST_ENVELOPE,
    Envelope,
    decode_envelope,
    decode_recovery,
    encode_envelope,
    encode_envelope_within,
    place_of,
    recovery_bytes,
)
from sseproxy.format.footer import (
    LONGEST_FOOTER,
    TAIL_READ,
    Tail,
    closing,
    fits,
    is_tail,
    open_footer,
    open_footer_copy,
    parse_tail,
    seal_footer,
)
from sseproxy.format.framing import lp
from sseproxy.format.keys import ClosingKeys, DataKey
from sseproxy.format.layout import (
    FRAME,
    LARGEST_SEGMENT,
    MOST_SEGMENTS,
    SALT,
    SMALLEST_SEGMENT,
    TAG,
    TAIL,
    frames_of,
    plaintext_size,
    segment_stored_size,
    stored_size,
)
from sseproxy.format.locate import Located, StoredRange, locate, part_range, whole
from sseproxy.format.opener import Opener
from sseproxy.format.record import MOST_RECORD_TEXT, PartRecord, open_record, seal_record
from sseproxy.format.segment import SegmentOpener, SegmentSealer
from sseproxy.format.suites import KEY_LENGTHS, check_available, is_available

__all__ = [
    "CUSTOMER_KEY_ID",
    "FRAME",
    "KEY_LENGTHS",
    "LARGEST_SEGMENT",
    "LONGEST_FOOTER",
    "MOST_ENVELOPE",
    "MOST_RECORD_TEXT",
    "MOST_SEGMENTS",
    "SALT",
    "SMALLEST_SEGMENT",
    "TAG",
    "TAIL",
    "TAIL_READ",
    "Attributes",
    "Block",
    "ClosingKeys",
    "DataKey",
    "Envelope",
    "FooterPlace",
    "Located",
    "Opener",
    "PartRecord",
    "SegmentEntry",
    "SegmentOpener",
    "SegmentSealer",
    "StoredRange",
    "Tail",
    "appended",
    "block_closing",
    "block_of",
    "block_stored_size",
    "caller_pairs",
    "check_attributes",
    "check_available",
    "check_follows",
    "closing",
    "decode_envelope",
    "decode_recovery",
    "encode_envelope",
    "encode_envelope_within",
    "fits",
    "frames_of",
    "is_available",
    "is_tail",
    "locate",
    "lp",
    "open_block",
    "open_footer",
    "open_footer_copy",
    "open_for_customer",
    "open_record",
    "parse_tail",
    "part_range",
    "place_of",
    "plaintext_size",
    "recovery_bytes",
    "seal_footer",
    "seal_record",
    "segment_stored_size",
    "stored_size",
    "table_start",
    "unsealed_entry",
    "whole",
    "wrap_context",
    "wrap_for_customer",
]
