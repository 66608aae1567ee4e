"""A clock for tests."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Stands still until it is told to go on, or back."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)) -> None:
        self._time = start

    def now(self) -> datetime:
        return self._time

    def advance(self, seconds: float) -> None:
        self._time += timedelta(seconds=seconds)
