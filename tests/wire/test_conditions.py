"""The table of the S3 dossier §5.4, row by row."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from sseproxy.wire.conditions import Failed, NotModified, Proceed, Verdict, evaluate, parse_conditions
from sseproxy.wire.headers import print_http_date

_MODIFIED = datetime(2026, 2, 21, 0, 5, 13, 500_000, tzinfo=UTC)
_SAME, _OTHER = '"abc"', '"def"'
_EARLIER, _LATER = (print_http_date(_MODIFIED + timedelta(seconds=step)) for step in (-10, 10))


def _verdict(match: str | None, none: str | None, since: str | None, unmodified: str | None) -> Verdict:
    names = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
    headers = {name: value for name, value in zip(names, (match, none, since, unmodified), strict=True) if value}
    return evaluate(parse_conditions(headers), "ABC", _MODIFIED)


@pytest.mark.parametrize("none", [None, _SAME, _OTHER])
@pytest.mark.parametrize("since", [None, _EARLIER, _LATER])
@pytest.mark.parametrize("unmodified", [None, _EARLIER, _LATER])
def test_a_failing_if_match_wins_over_everything(none: str | None, since: str | None, unmodified: str | None) -> None:
    assert _verdict(_OTHER, none, since, unmodified) == Failed("If-Match")


@pytest.mark.parametrize("since", [None, _EARLIER, _LATER])
@pytest.mark.parametrize("unmodified", [None, _EARLIER, _LATER])
def test_a_holding_if_match_lets_if_unmodified_since_be_ignored(since: str | None, unmodified: str | None) -> None:
    assert _verdict(_SAME, _SAME, since, unmodified) == NotModified()
    assert _verdict(_SAME, _OTHER, since, unmodified) == Proceed()
    assert _verdict(_SAME, None, since, unmodified) == (NotModified() if since == _LATER else Proceed())


@pytest.mark.parametrize("since", [None, _EARLIER, _LATER])
def test_without_if_match(since: str | None) -> None:
    assert _verdict(None, _SAME, since, _EARLIER) == Failed("If-Unmodified-Since")
    assert _verdict(None, _SAME, since, _LATER) == NotModified()
    assert _verdict(None, _SAME, since, None) == NotModified()
    assert _verdict(None, _OTHER, since, _EARLIER) == Failed("If-Unmodified-Since")
    assert _verdict(None, _OTHER, since, _LATER) == Proceed()
    assert _verdict(None, None, _LATER, _EARLIER) == Failed("If-Unmodified-Since")
    assert _verdict(None, None, _LATER, _LATER) == NotModified()


def test_dates_compare_by_the_second_and_unreadable_ones_are_ignored() -> None:
    exact = print_http_date(_MODIFIED)

    assert _verdict(None, None, exact, None) == NotModified()
    assert _verdict(None, None, None, exact) == Proceed()
    assert _verdict(None, None, "yesterday", None) == Proceed()


def test_etags_are_read_with_and_without_quotes_and_in_lists() -> None:
    assert _verdict("abc", None, None, None) == Proceed()
    assert _verdict('"x", "abc"', None, None, None) == Proceed()
    assert _verdict("*", None, None, None) == Proceed()


def _row(match: bool | None, none: bool | None, modified: bool | None, unmodified: bool | None) -> Verdict:  # noqa: FBT001
    """The table, transcribed: each argument says whether the condition's premise is true, None where it is absent."""
    not_modified = modified is False
    if match is False:
        return Failed("If-Match")
    if match:
        if none:
            return NotModified()
        return NotModified() if none is None and not_modified else Proceed()
    if unmodified is False:
        return Failed("If-Unmodified-Since")
    if none:
        return NotModified()
    if none is False:
        return Proceed()
    return NotModified() if not_modified else Proceed()


@pytest.mark.parametrize(("match", "none", "modified", "unmodified"), list(product([None, True, False], repeat=4)))
def test_every_combination_is_decided_as_the_table_says(
    *, match: bool | None, none: bool | None, modified: bool | None, unmodified: bool | None
) -> None:
    tag = {True: _SAME, False: _OTHER, None: None}

    verdict = _verdict(
        tag[match],
        tag[none],
        {True: _EARLIER, False: _LATER, None: None}[modified],
        {True: _LATER, False: _EARLIER, None: None}[unmodified],
    )

    assert verdict == _row(match, none, modified, unmodified)


def test_a_star_names_whatever_is_there() -> None:
    assert _verdict(None, "*", None, None) == NotModified()


def test_an_empty_if_match_names_nothing() -> None:
    assert evaluate(parse_conditions({"If-Match": ""}), "abc", _MODIFIED) == Failed("If-Match")


def test_if_modified_since_in_the_future_is_ignored() -> None:
    conditions = parse_conditions({"If-Modified-Since": _LATER})

    assert evaluate(conditions, "abc", _MODIFIED, now=_MODIFIED + timedelta(seconds=5)) == Proceed()
    assert evaluate(conditions, "abc", _MODIFIED, now=_MODIFIED + timedelta(seconds=15)) == NotModified()


def test_conditions_on_a_copy_source_have_a_prefix() -> None:
    headers = {"x-amz-copy-source-If-Match": _OTHER, "If-Match": _SAME}

    assert evaluate(parse_conditions(headers, "x-amz-copy-source-"), "abc", _MODIFIED) == Failed("If-Match")


@pytest.mark.parametrize("date", ["Tue, 27 Mar 99999999999 19:36:42 +0000", "x" * 9000, ""])
def test_a_date_that_cannot_be_read_counts_as_absent(date: str) -> None:
    conditions = parse_conditions({"If-Modified-Since": date, "If-Unmodified-Since": date})

    assert evaluate(conditions, "abc", _MODIFIED) == Proceed()
