"""The policy of an upload by an HTML form: what its signer allows (S3 dossier §3.9; OSS dossier §4.7).

Both protocols write it alike. Names of fields are compared without regard to case, values exactly.
"""

import json
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sseproxy.errors import AccessRefused, InvalidPolicy

_RANGE = "content-length-range"
_MATCHES = frozenset({"eq", "starts-with"})
_LISTS = frozenset({"in", "not-in"})
_REFUSED = "Invalid according to Policy: "
_MOST_NUMBER = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One line about a field, lower case; `shown` is how an error tells of it."""

    kind: str
    field: str
    values: tuple[str, ...]
    shown: str

    def holds(self, value: str) -> bool:
        """Whether a field's value is what the condition wants."""
        if self.kind == "starts-with":
            return value.startswith(self.values[0])
        return (value in self.values) != (self.kind == "not-in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a form may hold. `smallest` and `largest` are bytes of the file, None where nothing is said of it."""

    expires: datetime
    conditions: tuple[Condition, ...]
    smallest: int = 0
    largest: int | None = None


def parse_policy(encoded: str) -> Policy:
    """Read the base64 text of a policy. Raises `InvalidPolicy`."""
    document = _decoded(encoded)
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    lines = document.get("conditions")
    if not isinstance(lines, list):
        raise _invalid("Policy missing conditions.")
    conditions: list[Condition] = []
    smallest, largest = 0, None
    for line in lines:
        if isinstance(line, list) and line and str(line[0]).lower() == _RANGE:
            least, most = _range(line)
            smallest, largest = max(smallest, least), most if largest is None else min(largest, most)
        else:
            conditions.extend(_conditions(line))
    expires = _moment(document["expiration"])
    return Policy(expires=expires, conditions=tuple(conditions), smallest=smallest, largest=largest)


def check_policy(
    policy: Policy,
    fields: Mapping[str, str],
    now: datetime,
    *,
    uncovered: Collection[str] | None = None,
    needed: Collection[str] = (),
) -> None:
    """Raise `AccessRefused` where a form is not what its policy allows.

    `fields` have lower-case names, the bucket among them. `uncovered` are the fields that need no condition; None:
    none needs one but those in `needed`.
    """
    if now > policy.expires:
        raise AccessRefused(f"{_REFUSED}Policy expired.")
    for condition in policy.conditions:
        if not condition.holds(fields.get(condition.field, "")):
            raise AccessRefused(f"{_REFUSED}Policy Condition failed: {condition.shown}")
    covered = {condition.field for condition in policy.conditions}
    missing = [name for name in needed if name not in covered]
    if missing:
        raise AccessRefused(f"{_REFUSED}Policy misses conditions for: {', '.join(missing)}")
    if uncovered is None:
        return
    covered |= set(uncovered)
    extra = [name for name in fields if name not in covered and not name.startswith("x-ignore-")]
    if extra:
        raise AccessRefused(f"{_REFUSED}Extra input fields: {', '.join(extra)}")


def _decoded(encoded: str) -> object:
    try:
        # Encoders that break lines are about; the signature covers the text as it was sent.
        return json.loads(b64decode("".join(encoded.split()), validate=True))
    except (ValueError, RecursionError) as cause:  # binascii.Error, JSONDecodeError, UnicodeDecodeError are ValueErrors
        raise _invalid("Invalid JSON.") from cause


def _conditions(line: object) -> list[Condition]:
    if isinstance(line, dict):
        return [_equal(name, value) for name, value in line.items()]
    if not isinstance(line, list) or len(line) != 3 or not all(isinstance(part, str) for part in line[:2]):
        raise _invalid(f"Invalid Condition: {_shown(line)}.")
    kind, name, value = line[0].lower(), line[1], line[2]
    values = value if kind in _LISTS and isinstance(value, list) else [value]
    if kind not in _MATCHES | _LISTS or not name.startswith("$") or not all(isinstance(one, str) for one in values):
        raise _invalid(f"Invalid Condition: {_shown(line)}.")
    return [Condition(kind=kind, field=name[1:].lower(), values=tuple(values), shown=_shown(line))]


def _equal(name: str, value: object) -> Condition:
    if not isinstance(value, str):
        raise _invalid(f"Invalid Simple-Condition: value of '{name}' must be a text.")
    return Condition(kind="eq", field=name.lower(), values=(value,), shown=_shown(["eq", f"${name}", value]))


def _range(line: list[object]) -> tuple[int, int]:
    numbers = [_number(part) for part in line[1:]]
    if len(numbers) != 2:
        raise _invalid(f"Invalid {_RANGE}: {_shown(line)}.")
    return numbers[0], numbers[1]


def _number(value: object) -> int:
    text = str(value)
    if isinstance(value, bool | float) or not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise _invalid(f"Invalid {_RANGE}: {_shown(value)}.")
    return min(int(text), _MOST_NUMBER)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise _invalid(f"Invalid 'expiration' value: {_shown(value)}.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:256]


def _invalid(what: str) -> InvalidPolicy:
    return InvalidPolicy(f"Invalid Policy: {what}")
