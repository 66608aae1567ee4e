"""The table of the S3 dossier §5.4, row by row."""

from datetime import UTC, datetime, timedelta

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
