from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.signing.dates import parse_http_date, parse_long_date

_MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def test_the_long_form_is_read() -> None:
    assert parse_long_date("19941106T084937Z") == _MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "19941106",
        "19941306T084937Z",
        "19941106T084937z",
        "19941106T084937Z\n",
        "1994\u0967\u0967\u0966\u096cT084937Z",
    ],
)
def test_what_is_no_long_date_is_none(text: str) -> None:
    assert parse_long_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 09:49:37 +0100", "Sun, 06 Nov 1994 08:49:37 -0000",
    ],
)  # fmt: skip
def test_http_dates_are_read_in_all_forms(text: str) -> None:
    assert parse_http_date(text) == _MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "yesterday", "Tue, 27 Mar 99999999999 19:36:42 +0000", "Tue, 27 Mar 2007 19:36:42 +999999999",
        "Tue, 27 Mar 2007 11111111111111111111:36:42 GMT", "Tue, 31 Dec 9999 23:59:59 -1200", "1" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_http_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text(alphabet="TueMar0123456789:+-, GMT", max_size=40))
def test_no_text_raises(text: str) -> None:
    parse_http_date(text)
    parse_long_date(text)
