"""The table of operations in docs/s3-operations.md."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from tests.differential.compare import Verdict
from tests.differential.compared import Compared
from tests.differential.normalise import Record
from tests.differential.run import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs" / "s3-operations.md"
_HEAD = """\
# S3 operations, direct and through the proxy

Written by `python -m tests.differential` from a run, and checked by every run of the tests; do not edit. Each case is a
few requests in a row. They are sent, signed in the same way, to a store and to a proxy in front of the same store, and
all that comes back is compared: status, error code, every header, every element of XML, every byte of a body.
`tests/differential/normalise.py` says what is left out (dates, request ids, the words of error messages) and
`tests/differential/allowed.toml` is the reviewed list of differences with their reasons. A difference that is not in
it fails the run, and so does an entry that no longer occurs.

A column shows what the requests were answered, in their order. Where the last column is empty, the answers were the same
in everything that is compared, but for what is listed as found in many answers. Numbers stand for the reasons below.
"""
_OF_STORES = {
    "seaweedfs": (
        "SeaweedFS",
        "A real store, from PyPI. Many of its differences are its own distance to AWS, which the proxy does not copy.",
    ),
    "embedded": ("The embedded store", "What `sseproxy dev` and `python -m sseproxy.store` store in."),
}


def render(runs: Iterable[Compared]) -> str:
    """Return the document. It depends on cases, answers and reasons alone, not on when or where it was made."""
    return "\n".join([_HEAD, *(_section(run) for run in runs)])


def _section(run: Compared) -> str:
    title, remark = _OF_STORES.get(run.backend, (run.backend, ""))
    reasons = list(dict.fromkeys(reason for found in run.verdict.reasons.values() for reason in found))
    same = sum(outcome.case.identity not in run.verdict.reasons for outcome in run.outcomes)
    count = f"{len(run.outcomes)} cases; in {same} of them nothing differs but what is found in many answers:"
    lines = [f"## {title}", "", f"{remark} {count}".strip(), ""]
    lines += [*(f"* {_one_line(reason)}" for reason in run.verdict.everywhere), ""]
    for group, outcomes in groupby(run.outcomes, key=lambda outcome: outcome.case.group):
        lines += [f"### {group}", "", "| case | direct | through the proxy | differs |", "|---|---|---|---|"]
        lines += [_row(outcome, run.verdict, reasons) for outcome in outcomes]
        lines.append("")
    lines += [
        "### Why they differ",
        "",
        *(f"{number}. {_one_line(reason)}" for number, reason in enumerate(reasons, 1)),
        "",
    ]
    return "\n".join(lines)


def _row(outcome: Outcome, verdict: Verdict, reasons: list[str]) -> str:
    numbers = sorted(reasons.index(reason) + 1 for reason in verdict.reasons.get(outcome.case.identity, ()))
    direct, proxied = _answers(outcome.direct), _answers(outcome.proxied)
    cells = (outcome.case.name, direct, "the same" if direct == proxied else proxied, ", ".join(map(str, numbers)))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def _answers(records: Sequence[Record]) -> str:
    """Return the outcomes in order, equal neighbours as one."""
    runs = [(outcome, len(list(same))) for outcome, same in groupby(record["outcome"] for record in records)]
    return ", ".join(outcome if count == 1 else f"{count}x {outcome}" for outcome, count in runs)


def _one_line(text: str) -> str:
    return " ".join(text.split())
