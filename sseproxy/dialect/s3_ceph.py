"""S3 as Ceph's test-suite wants it, where it disagrees with AWS (S3 dossier §0)."""

from dataclasses import replace

from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    ChecksumMismatch,
    CustomerKeyNotApplicable,
    InvalidPart,
    MalformedChecksum,
    MalformedXml,
    NoParts,
    PartNumberNotSatisfiable,
    WrongCustomerKey,
)


def as_ceph(dialect: Dialect) -> Dialect:
    """Return the dialect with Ceph's answers.

    A bucket without a rule has none to show; a wrong customer's key is a bad request; KMS needs a key id, which is
    shown as it is; a part number beyond the last is a bad part; a malformed checksum is a bad digest; a Complete
    without parts is malformed, and one of a customer's upload needs the key and tells of it.
    """
    return replace(
        dialect,
        default_encryption_shown=False,
        sse=replace(dialect.sse, key_id_needed=True, key_arn_prefix="", is_customer_key_completing=True),
        told_as={
            WrongCustomerKey: CustomerKeyNotApplicable,
            PartNumberNotSatisfiable: InvalidPart,
            MalformedChecksum: ChecksumMismatch,
            NoParts: MalformedXml,
        },
    )
