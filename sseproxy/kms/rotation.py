"""Rotation by period: which CMKs have served long enough, and their new versions."""

from datetime import datetime, timedelta

from sseproxy.errors import InvalidArgument
from sseproxy.kms.details import next_rotation, rotation_period
from sseproxy.kms.management import existing_key, rotate_key
from sseproxy.kms.material import SealingKey
from sseproxy.kms.rows import KeyRow, KeyState, Origin, Rows
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS

SHORTEST_PERIOD, LONGEST_PERIOD = timedelta(days=1), timedelta(days=3650)


def set_rotation_period(rows: Rows, key_id: str, period: timedelta | None) -> KeyRow:
    """Let a CMK be rotated by itself, or no longer. Raises `InvalidArgument`."""
    row = existing_key(rows, key_id)
    if period is not None and row.origin is not Origin.GENERATED:
        raise InvalidArgument("A CMK with imported material cannot be rotated.", ArgumentName="KeyId")
    if period is not None and not SHORTEST_PERIOD <= period <= LONGEST_PERIOD:
        raise InvalidArgument("A CMK is rotated every 1 to 3650 days.", ArgumentName="RotationInterval")
    rows.set_rotation_period(row.key_id, None if period is None else int(period.total_seconds()))
    return existing_key(rows, row.key_id)


def due_keys(rows: Rows, now: datetime, service_key_period: timedelta) -> list[KeyRow]:
    """Return the CMKs whose present version has served for its period. A disabled one waits until it is enabled."""
    service_key = rows.alias_target(SERVICE_KEY_ALIAS)
    due = []
    for row in rows.all_keys():
        period = rotation_period(row, service_key_period if row.key_id == service_key else None)
        if row.state is KeyState.ENABLED and row.origin is Origin.GENERATED and period is not None:
            due += [row] if next_rotation(row, period) <= now else []
    return due


def rotate_due(rows: Rows, sealing_key: SealingKey, now: datetime, service_key_period: timedelta) -> list[str]:
    """Rotate what is due and return the ids; inside of one transaction, so that no two processes rotate the same."""
    due = [row.key_id for row in due_keys(rows, now, service_key_period)]
    for key_id in due:
        rotate_key(rows, sealing_key, now, key_id)
    return due
