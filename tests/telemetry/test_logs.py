"""The event log: JSON lines, levels, redaction, and the standard library's records in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from sseproxy.telemetry.logs import StandardLogHandler, build_logger, route_standard_logging


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_time_level_and_fields() -> None:
    stream = io.StringIO()

    build_logger(stream, "info").info("storage_failed", status=500, code="Oops\nnext")

    (line,) = _lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "storage_failed", "level": "info", "status": 500, "code": "Oops\nnext"}


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    logger = build_logger(stream, "warning")

    logger.info("quiet")
    logger.error("loud")

    assert [line["event"] for line in _lines(stream)] == ["loud"]


def test_a_secret_field_and_a_signed_url_are_redacted() -> None:
    stream = io.StringIO()

    build_logger(stream, "info").info("seen", authorization="AWS id:abc", url="/b/k?X-Amz-Signature=abcdef&x=1")

    (line,) = _lines(stream)
    assert (line["authorization"], line["url"]) == ("[redacted]", "/b/k?X-Amz-Signature=[redacted]&x=1")


def test_a_traceback_shows_no_local_variables() -> None:
    stream = io.StringIO()
    logger = build_logger(stream, "info")

    def fail(part: str) -> None:
        local = part + "-value"
        raise ValueError(f"broken {len(local)}")

    try:
        fail("local")
    except ValueError:
        logger.exception("failed")

    (line,) = _lines(stream)
    assert "ValueError: broken 11" in str(line["exception"])
    assert "local-value" not in stream.getvalue()


def test_a_name_that_is_not_utf8_is_written_as_an_escape() -> None:
    stream = io.StringIO()

    build_logger(stream, "info").info("seen", key=b"\xff".decode("utf-8", "surrogateescape"))

    assert "\\udcff" in stream.getvalue()


def test_a_record_of_the_standard_library_becomes_an_event() -> None:
    stream = io.StringIO()
    handler = StandardLogHandler(build_logger(stream, "info"))

    handler.handle(logging.LogRecord("aiohttp.server", logging.ERROR, __file__, 1, "failed: %s", ("x",), None))

    (line,) = _lines(stream)
    assert (line["event"], line["level"], line["library"], line["message"]) == (
        "library_message", "error", "aiohttp.server", "failed: x",
    )  # fmt: skip


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_logging_restored")
def test_library_warnings_are_routed_and_chatter_is_not() -> None:
    stream = io.StringIO()

    route_standard_logging(build_logger(stream, "debug"))
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("careful")

    assert [line["message"] for line in _lines(stream)] == ["careful"]
