"""How long a supervisor waits before it replaces a worker, and how it says what happened."""

import signal

import pytest

from sseproxy.bootstrap.crew import how_it_ended, pause_before


@pytest.mark.parametrize(
    ("short_lives", "pause_s"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (50, 30.0), (5000, 30.0)]
)
def test_a_worker_that_keeps_ending_is_replaced_less_and_less_often(short_lives: int, pause_s: float) -> None:
    assert pause_before(short_lives) == pause_s


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-signal.SIGSEGV, "killed by SIGSEGV"), (-35, "killed by signal 35")]
)  # fmt: skip
def test_the_end_of_a_worker_is_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words
