"""The access log."""

import io
import json

from sseproxy.telemetry.access import AccessLog, AccessRecord

RECORD = AccessRecord(
    request_id="5FA3", client="127.0.0.1", method="GET", operation="get_object", dialect="s3", bucket="photos",
    key="a b/ü", principal="me", status=206, code=None, bytes_in=0, bytes_out=10, duration_ms=1.23456, upstream_requests=2,
)  # fmt: skip


def test_a_request_is_one_line_with_exactly_these_fields() -> None:
    stream = io.StringIO()

    AccessLog(stream).write(RECORD)

    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert line.pop("timestamp")
    assert line == {
        "event": "request", "level": "info", "request_id": "5FA3", "client": "127.0.0.1", "method": "GET",
        "operation": "get_object", "dialect": "s3", "bucket": "photos", "key": "a b/ü", "principal": "me", "status": 206,
        "code": None, "bytes_in": 0, "bytes_out": 10, "duration_ms": 1.235, "upstream_requests": 2, "aborted": False,
    }  # fmt: skip


def test_a_disabled_log_writes_nothing() -> None:
    stream = io.StringIO()

    AccessLog(stream, enabled=False).write(RECORD)

    assert stream.getvalue() == ""


def test_a_closed_stream_does_not_break_the_request() -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    stream.close()

    log.write(RECORD)

    assert stream.closed
