"""One store compared with the proxy in front of it, ready to be reported."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.differential.compare import Allowance, Verdict, differences, judge, read_allowances
from tests.differential.run import Outcome, run
from tests.differential.signature import Credentials


@dataclass(frozen=True, slots=True)
class Compared:
    """A run in front of one backend and what was found."""

    backend: str
    outcomes: Sequence[Outcome]
    verdict: Verdict


def compare(backend: str, direct_url: str, proxied_url: str, credentials: Credentials) -> Compared:
    """Play all cases at both endpoints; `backend` is the name that allowed.toml has for the store.

    Cases with a difference that is not allowed are played once more, with other keys and buckets, and the second answers
    count: stores have races of their own (SeaweedFS may not know a bucket yet that it has just created).
    """
    allowances = read_allowances()
    outcomes = run(direct_url, proxied_url, credentials)
    doubtful = [outcome.case for outcome in outcomes if _is_doubtful(outcome, allowances, backend)]
    second = run(direct_url, proxied_url, credentials, doubtful) if doubtful else ()
    again = {outcome.case.identity: outcome for outcome in second}
    outcomes = tuple(again.get(outcome.case.identity, outcome) for outcome in outcomes)
    return Compared(backend, outcomes, judge(outcomes, allowances, backend))


def _is_doubtful(outcome: Outcome, allowances: Sequence[Allowance], backend: str) -> bool:
    entries = [entry for entry in allowances if entry.names(backend)]
    return any(not any(entry.covers(found) for entry in entries) for found in differences(outcome))
