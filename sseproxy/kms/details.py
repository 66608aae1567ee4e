"""Everything there is to say of a CMK of the embedded KMS, for those who look after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sseproxy.kms.rows import KeyRow, KeyState, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetails:
    """A version of a CMK; `present` is whether its material is there."""

    version: int
    created: datetime
    expires: datetime | None
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDetails:
    """A CMK as it stands now. `grants` are principals and what each may do: encrypt, decrypt."""

    key_id: str
    state: str
    origin: str
    aliases: tuple[str, ...]
    current_version: int
    description: str
    created: datetime
    deletion_due: datetime | None
    rotation_period: timedelta | None
    rotated: datetime | None
    next_rotation: datetime | None
    material_expires: datetime | None
    versions: tuple[VersionDetails, ...]
    grants: tuple[tuple[str, tuple[str, ...]], ...]


def details_of(rows: Rows, row: KeyRow, service_key_period: timedelta | None) -> KeyDetails:
    """Collect what there is to say of a CMK; `service_key_period` where it is the service master key."""
    versions = tuple(
        VersionDetails(
            version=one.version,
            created=datetime.fromisoformat(one.created),
            expires=_moment(one.expires),
            present=one.sealed is not None,
        )
        for one in rows.versions_of(row.key_id)
    )
    period = rotation_period(row, service_key_period)
    return KeyDetails(
        key_id=row.key_id,
        state=row.state.value,
        origin=row.origin.value,
        aliases=tuple(rows.aliases_of(row.key_id)),
        current_version=row.current_version,
        description=row.description,
        created=datetime.fromisoformat(row.created),
        deletion_due=_moment(row.deletion_due),
        rotation_period=period,
        rotated=_moment(row.rotated),
        next_rotation=None if period is None else next_rotation(row, period),
        material_expires=_moment(row.material_expires) if row.state is not KeyState.PENDING_IMPORT else None,
        versions=versions,
        grants=_grants(rows, row.key_id),
    )


def rotation_period(row: KeyRow, service_key_period: timedelta | None) -> timedelta | None:
    """Return how often a CMK is rotated by itself: its own period goes before the service master key's."""
    return service_key_period if row.rotation_period_s is None else timedelta(seconds=row.rotation_period_s)


def next_rotation(row: KeyRow, period: timedelta) -> datetime:
    """Return when a CMK's present version has served for its period."""
    return datetime.fromisoformat(row.rotated or row.created) + period


def _grants(rows: Rows, key_id: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = rows.grants_of(key_id)
    principals = sorted({principal for principal, _ in found})
    return tuple((one, tuple(sorted(use for principal, use in found if principal == one))) for one in principals)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
