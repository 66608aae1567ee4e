"""A circuit breaker: a service that is down is left alone for a while, and then asked once."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sseproxy.errors import KeyServiceBusy, KeyServiceUnavailable
from sseproxy.ports import Clock


class Breaker:
    """Counts calls that failed one after the other; after `failures` of them it lets none through for `pause_s`.

    After the pause a single call is let through: its success lets all through again, its failure begins another pause.
    What the service answers, a refusal as well, is a success here. `failures` 0: never a pause.
    """

    def __init__(self, name: str, failures: int, pause_s: float, clock: Clock) -> None:
        self._name = name
        self._most_failures = failures
        self._pause = timedelta(seconds=pause_s)
        self._clock = clock
        self._failures = 0
        self._paused_since: datetime | None = None
        self._is_trying = False

    @contextmanager
    def guarded(self) -> Generator[None, None, None]:
        """Let one call through, and note how it went. Raises `KeyServiceUnavailable` within a pause."""
        is_trial = self._admit()
        try:
            yield
        except KeyServiceBusy:
            raise  # it is there, and asks for less
        except KeyServiceUnavailable:
            self._failed()
            raise
        except Exception:
            self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            if is_trial:
                self._is_trying = False

    def _admit(self) -> bool:
        """Return whether this is the one call after a pause."""
        if self._paused_since is None:
            return False
        is_over = not timedelta() <= self._clock.now() - self._paused_since < self._pause
        if self._is_trying or not is_over:
            raise KeyServiceUnavailable(f"The key service {self._name} does not answer. Please try again.")
        self._is_trying = True
        return True

    def _failed(self) -> None:
        self._failures += 1
        if self._paused_since is not None or 0 < self._most_failures <= self._failures:
            self._paused_since = self._clock.now()

    def _succeeded(self) -> None:
        self._failures = 0
        self._paused_since = None
