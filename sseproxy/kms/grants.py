"""Who may use which CMK: grants by principal, the access key that signed (OSS dossier §7.4)."""

from collections.abc import Collection

from sseproxy.errors import InvalidArgument
from sseproxy.kms.management import existing_key
from sseproxy.kms.rows import Rows
from sseproxy.model import KeyUse

_MOST_CHARACTERS = 256  # of an access key


def grant_key(rows: Rows, key_id: str, principal: str, uses: Collection[KeyUse]) -> None:
    """Let a principal use a CMK. Granting again changes nothing. Raises `InvalidArgument`."""
    if not 1 <= len(principal) <= _MOST_CHARACTERS or not principal.isprintable():
        raise InvalidArgument("A principal is the access key of a client.", ArgumentName="Principal")
    rows.add_grants(existing_key(rows, key_id).key_id, principal, [use.value for use in uses])


def revoke_key(rows: Rows, key_id: str, principal: str, uses: Collection[KeyUse]) -> None:
    """Take grants back. Raises `InvalidArgument` where there is none of them."""
    if not rows.delete_grants(existing_key(rows, key_id).key_id, principal, [use.value for use in uses]):
        raise InvalidArgument(f"The access key {principal} has no such grant on this CMK.", ArgumentName="Principal")
