from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.wire.headers import (
    HOP_BY_HOP,
    parse_http_date,
    parse_iso_date,
    parse_tokens,
    print_http_date,
    print_iso_date,
)

_MOMENT = datetime(2019, 4, 9, 3, 45, 32, 7_000, tzinfo=UTC)


def test_dates_are_printed_as_both_protocols_have_them() -> None:
    assert print_http_date(_MOMENT) == "Tue, 09 Apr 2019 03:45:32 GMT"
    assert print_iso_date(_MOMENT) == "2019-04-09T03:45:32.007Z"
    elsewhere = _MOMENT.astimezone(timezone(timedelta(hours=-5)))
    assert print_http_date(elsewhere) == "Tue, 09 Apr 2019 03:45:32 GMT"
    assert print_iso_date(elsewhere) == "2019-04-09T03:45:32.007Z"


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001  # a zone is added
def test_printed_dates_are_read_again(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)

    assert parse_http_date(print_http_date(moment)) == moment.replace(microsecond=0)
    assert parse_iso_date(print_iso_date(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00+10:00"])
def test_what_is_no_iso_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_iso_date(text)


def test_an_iso_date_without_a_zone_is_utc() -> None:
    assert parse_iso_date("2019-04-09T03:45:32") == _MOMENT.replace(microsecond=0)
    assert parse_iso_date("2019-04-09T05:45:32+02:00") == _MOMENT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("value", "tokens"), [(None, []), ("", []), ("a", ["a"]), (" Keep-Alive ,, X-A", ["keep-alive", "x-a"])]
)
def test_lists_of_tokens_are_trimmed_and_lower_case(value: str | None, tokens: list[str]) -> None:
    assert parse_tokens(value) == tokens


def test_hop_by_hop_names_are_lower_case_and_hold_no_end_to_end_header() -> None:
    assert {name.lower() for name in HOP_BY_HOP} == HOP_BY_HOP
    assert HOP_BY_HOP.isdisjoint({"content-length", "content-encoding", "host", "range", "x-amz-trailer"})
