"""What counts as a difference, and what allows one."""

from pathlib import Path

import pytest

from tests.differential.case import Case, get
from tests.differential.client import Reply
from tests.differential.compare import Allowance, Difference, differences, judge, read_allowances
from tests.differential.compared import Compared
from tests.differential.normalise import Normaliser
from tests.differential.operations import CASES
from tests.differential.run import Outcome
from tests.differential.table import render

_CASE = Case("GetObject", "of a test", (get("k"),))
_DATE, _LATER = "Sat, 21 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 12:00:01 GMT"


def _outcome(direct: dict[str, str], proxied: dict[str, str]) -> Outcome:
    return Outcome(_CASE, ({"outcome": "200", **direct},), ({"outcome": "200", **proxied},))


def _allowance(fields: str, *, backends: str = "*", cases: str = "*", proxied: str = "*") -> Allowance:
    return Allowance((backends,), (cases,), (fields,), "*", proxied, "because")


def _record(headers: dict[str, str], body: bytes = b"", status: int = 200) -> dict[str, str]:
    return Normaliser({"d1-plain": "<bucket>", "127.0.0.1:1": "<endpoint>"}, "d1").record(Reply(status, headers, body))


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.identity for case in CASES]

    assert len(set(names)) == len(names) > 400


def test_a_difference_that_nobody_allowed_is_a_problem() -> None:
    verdict = judge([_outcome({"header vary": "Origin"}, {})], [], "any")

    assert verdict.problems == ["new difference: GetObject: of a test | 1 | header vary | 'Origin' | 'absent'"]
    assert verdict.reasons == {}


def test_an_allowed_difference_is_told_with_its_reason() -> None:
    outcomes = [_outcome({"header vary": "Origin"}, {})]
    of_one = judge(outcomes, [_allowance("header vary", cases="GetObject: *", proxied="absent")], "any")
    of_all = judge(outcomes, [_allowance("header vary")], "any")

    assert (of_one.problems, of_one.everywhere, of_one.reasons) == ([], (), {"GetObject: of a test": ("because",)})
    assert (of_all.problems, of_all.everywhere, of_all.reasons) == ([], ("because",), {})


def test_an_entry_allows_nothing_for_other_backends_fields_or_values() -> None:
    outcomes = [_outcome({"header vary": "Origin"}, {})]

    for entry in (
        _allowance("header vary", backends="another"),
        _allowance("header etag"),
        _allowance("header vary", proxied="Accept"),
        _allowance("header vary", cases="PutObject: *"),
    ):
        assert judge(outcomes, [entry], "any").problems[0].startswith("new difference: ")


def test_an_entry_that_no_longer_occurs_is_a_problem() -> None:
    verdict = judge([_outcome({}, {})], [_allowance("header vary", cases="GetObject: *")], "any")

    assert verdict.problems == [
        "no longer occurs: case 'GetObject: *' of the entry 'because'",
        "no longer occurs: field 'header vary' of the entry 'because'",
    ]


def test_where_the_status_differs_nothing_else_is_told_of_that_answer() -> None:
    outcome = _outcome({"outcome": "404 NoSuchKey", "header vary": "Origin"}, {"header etag": '"e"'})

    assert list(differences(outcome)) == [Difference("GetObject: of a test", 1, "outcome", "404 NoSuchKey", "200")]


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "allowed.toml"
    file.write_text('[[allowed]]\nbackends = ["*"]\ncases = ["*"]\nfields = ["*"]\nreason = " "\n')

    with pytest.raises(ValueError, match="needs backends, cases, fields and a reason"):
        read_allowances(file)


def test_dates_request_ids_and_names_of_the_run_do_not_count() -> None:
    xml = b"<R><Name>d1-plain</Name><LastModified>2026-11-21T12:00:00Z</LastModified></R>"
    one = _record({"date": _DATE, "last-modified": _DATE, "x-amz-request-id": "1"}, xml)
    two = _record({"date": _LATER, "last-modified": _LATER, "x-amz-request-id": "2", "server": "x"}, xml)

    assert one == two
    assert one == {
        "outcome": "200",
        "header last-modified": "<date>",
        "header x-amz-request-id": "<id>",
        "body R.Name": "<bucket>",
        "body R.LastModified": "<date>",
    }


def test_version_ids_count_by_whether_they_are_the_same() -> None:
    normaliser = Normaliser({}, "d1")
    told = [normaliser.record(Reply(200, {"x-amz-version-id": value}, b"")) for value in ("v", "w", "v", "null")]

    assert [record["header x-amz-version-id"] for record in told] == [
        "<version 1>",
        "<version 2>",
        "<version 1>",
        "null",
    ]


def test_an_error_counts_by_its_code() -> None:
    document = b"<Error><Code>NoSuchKey</Code><Message>Gone.</Message><Resource>/b/k</Resource></Error>"

    assert _record({}, document, 404) == {"outcome": "404 NoSuchKey"}


def test_a_body_counts_byte_for_byte() -> None:
    assert _record({}, b"1" * 300) != _record({}, b"1" * 299 + b"2")
    assert _record({}, b"\xff")["body"] == "\xff"


def test_other_peoples_buckets_are_left_out() -> None:
    document = b"<L><Buckets><Bucket><Name>d1-plain</Name></Bucket><Bucket><Name>d2-plain</Name></Bucket></Buckets></L>"

    assert _record({}, document) == {"outcome": "200", "body L.Buckets.Bucket.Name": "<bucket>"}


def test_the_table_has_a_row_per_case_and_its_reasons_below() -> None:
    outcome = _outcome({"header vary": "Origin"}, {})
    text = render([Compared("mine", (outcome,), judge([outcome], [_allowance("header vary", cases="Get*")], "mine"))])

    assert "| of a test | 200 | the same | 1 |" in text
    assert "1. because" in text
    assert "1 cases; in 0 of them nothing differs but what is found in many answers:" in text
