"""Play cases against a store and against the proxy in front of it."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from tests.differential.case import Case, Place, on_bucket
from tests.differential.client import Client
from tests.differential.normalise import Normaliser, Record
from tests.differential.operations import CASES
from tests.differential.signature import Credentials

__all__ = ["Credentials", "Outcome", "run"]

_VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case was answered at both places, request by request."""

    case: Case
    direct: tuple[Record, ...]
    proxied: tuple[Record, ...]


def run(
    direct_url: str, proxied_url: str, credentials: Credentials, cases: Iterable[Case] = CASES
) -> tuple[Outcome, ...]:
    """Play `cases` at both endpoints, one after the other, and return what they answered.

    The proxy must be in front of the same store, over http, and take the same credentials. Raises nothing for what an
    endpoint answers: an endpoint that breaks off is an answer too.
    """
    run_name = f"d{secrets.token_hex(4)}"
    sides = [
        _Side(Client(url, credentials), f"{run_name}{mark}") for url, mark in ((direct_url, "d"), (proxied_url, "p"))
    ]
    try:
        for side in sides:
            side.prepare()
        return tuple(
            Outcome(case, sides[0].play(number, case), sides[1].play(number, case)) for number, case in enumerate(cases)
        )
    finally:
        for side in sides:
            side.client.close()


@dataclass(frozen=True, slots=True)
class _Side:
    """One endpoint and the names that its buckets begin with; names at both sides have the same length."""

    client: Client
    name: str

    def prepare(self) -> None:
        """Create the buckets that cases share."""
        for place in (Place.PLAIN, Place.VERSIONED, Place.LOCKED):
            headers = {"x-amz-bucket-object-lock-enabled": "true"} if place is Place.LOCKED else {}
            steps = [on_bucket("PUT", headers=headers)]
            if place is Place.VERSIONED:
                steps.append(on_bucket("PUT", "versioning", _VERSIONED))
            self.client.play(tuple(steps), {"bucket": f"{self.name}-{place}"})
        self.client.play((on_bucket("PUT"),), {"bucket": f"{self.name}-other"})

    def play(self, number: int, case: Case) -> tuple[Record, ...]:
        bucket = f"{self.name}-own-{number}" if case.place is Place.OWN else f"{self.name}-{case.place}"
        names = {"bucket": bucket, "other": f"{self.name}-other", "prefix": f"case-{number}/"}
        replies = self.client.play(case.steps, names)
        shown = {bucket: "<bucket>", f"{self.name}-other": "<other>", self.client.netloc: "<endpoint>"}
        normaliser = Normaliser({**shown, self.name: "<run>", f"case-{number}": "case"}, self.name)
        return tuple(map(normaliser.record, replies))
