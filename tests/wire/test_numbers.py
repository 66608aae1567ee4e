import pytest

from sseproxy.wire.numbers import natural


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 19, 10**19 - 1)])
def test_decimal_digits_are_a_number(text: str, number: int) -> None:
    assert natural(text) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "+1", "-1", "1.0", "1e3", "1_000", "0x1", "²", "\u0661", "9" * 20, "9" * 5000]
)
def test_all_else_is_none(text: str) -> None:
    assert natural(text) is None


def test_how_many_digits_may_be_is_for_the_caller_to_say() -> None:
    assert (natural("123", most_digits=3), natural("1234", most_digits=3)) == (123, None)
