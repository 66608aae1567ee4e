"""Promise: whichever of a proxy's workers a connection reaches, the client sees the same service.

Every request here is a connection of its own, and both workers have answered before a test ends.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import md5
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sseproxy.cli.main import app
from tests.support.raw_http import Answer, signed
from tests.support.servers import Launcher, Server, whole_lines
from tests.support.workers import lines, metric, until_both, worker_of

_LIFETIME_S = 1.0  # of a bucket's rule, and of an opened key
_SETTINGS = f"""
[encryption]
bucket_settings_lifetime = {_LIFETIME_S}
[cache]
unwrapped_key_lifetime = {_LIFETIME_S}
"""
_RULE = (
    b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
    b"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)
_SSE = "x-amz-server-side-encryption"


@pytest.fixture(scope="module")
def proxy(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Two workers on the embedded KMS, with an audit log."""
    data = tmp_path_factory.mktemp("workers")
    return launcher.proxy(
        launcher.store(), data, extra=f'{_SETTINGS}[audit]\npath = "{data / "audit.log"}"\n', workers=2
    )


@pytest.fixture
def bucket(proxy: Server, bucket_name: str) -> str:
    assert signed(proxy, "PUT", f"/{bucket_name}").status == 200
    return bucket_name


def _put(proxy: Server, target: str, body: bytes = b"body", headers: Mapping[str, str] | None = None) -> Answer:
    answer = signed(proxy, "PUT", target, headers, body)
    assert answer.status == 200, answer.body
    return answer


def _complete(proxy: Server, target: str, upload: str, etags: list[str]) -> Answer:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = signed(proxy, "POST", f"{target}?uploadId={upload}", {}, document)
    assert (answer.status, answer.text("Code")) == (200, "")
    return answer


def _uploads(proxy: Server, target: str) -> Iterator[tuple[int, int, int]]:
    """Upload again and again; yield who began the upload, took its part, and completed it."""
    for number in range(100):
        begun = signed(proxy, "POST", f"{target}?uploads")
        upload = begun.text("UploadId")
        part = _put(proxy, f"{target}?partNumber=1&uploadId={upload}", b"part %d" % number)
        completed = _complete(proxy, target, upload, [part.headers["etag"]])
        yield worker_of(proxy, begun), worker_of(proxy, part), worker_of(proxy, completed)
        for _, answer in until_both(proxy, lambda: signed(proxy, "GET", target)):
            assert answer.body == b"part %d" % number


def test_an_upload_begun_by_one_is_completed_by_the_other_with_parts_that_either_took(
    proxy: Server, bucket: str
) -> None:
    seen: set[tuple[int, int, int]] = set()
    for workers in _uploads(proxy, f"/{bucket}/k"):
        seen.add(workers)
        if {(begun, completed) for begun, _, completed in seen} >= {(1, 2), (2, 1)} and len(seen) >= 4:
            return
    pytest.fail(f"only {seen}")


def test_parts_of_one_upload_come_through_both(proxy: Server, bucket: str) -> None:
    target = f"/{bucket}/large"
    upload = signed(proxy, "POST", f"{target}?uploads").text("UploadId")
    bodies = [bytes([number]) * (5 * 1024 * 1024) for number in range(2)]
    etags = []
    for number, body in enumerate(bodies, 1):
        # Sent again until both workers have taken it: the last one counts.
        part = partial(_put, proxy, f"{target}?partNumber={number}&uploadId={upload}", body)
        taken = [answer for _, answer in until_both(proxy, part)]
        etags.append(taken[-1].headers["etag"])

    for _, listed in until_both(proxy, lambda: signed(proxy, "GET", f"{target}?uploadId={upload}")):
        assert listed.body.count(b"<Size>5242880</Size>") == 2
    _complete(proxy, target, upload, etags)

    for _, whole in until_both(proxy, lambda: signed(proxy, "GET", target)):
        assert whole.body == bodies[0] + bodies[1]


def test_a_buckets_encryption_that_one_has_set_is_used_by_the_other_within_the_lifetime(
    proxy: Server, bucket: str
) -> None:
    target = f"/{bucket}/k"
    for _, answer in until_both(proxy, lambda: _put(proxy, target)):
        assert answer.headers[_SSE] == "AES256"

    digest = b64encode(md5(_RULE).digest()).decode()
    changed = signed(proxy, "PUT", f"/{bucket}?encryption", {"Content-MD5": digest}, _RULE)
    since = time.monotonic()
    assert changed.status == 200
    late: list[tuple[float, int, str]] = []
    while {worker for began, worker, _ in late if began >= _LIFETIME_S} != {1, 2}:
        began = time.monotonic() - since
        answer = _put(proxy, target)
        late.append((began, worker_of(proxy, answer), answer.headers[_SSE]))
        assert began < 60, late

    setter = worker_of(proxy, changed)
    assert {word for _, worker, word in late if worker == setter} == {"aws:kms"}
    assert {word for began, _, word in late if began >= _LIFETIME_S} == {"aws:kms"}
    for _, shown in until_both(proxy, lambda: signed(proxy, "GET", f"/{bucket}?encryption")):
        assert shown.text("SSEAlgorithm") == "aws:kms"


def test_what_either_has_written_is_listed_by_both_without_a_look_up(proxy: Server, bucket: str) -> None:
    bodies = iter(range(1000))
    written = [worker for worker, _ in until_both(proxy, lambda: _put(proxy, f"/{bucket}/k{next(bodies)}"))]
    before = _look_ups(proxy)

    listings = [answer for _, answer in until_both(proxy, lambda: signed(proxy, "GET", f"/{bucket}?list-type=2"))]

    assert {answer.body.count(b"<Size>4</Size>") for answer in listings} == {len(written)}
    assert _look_ups(proxy) == before


def _look_ups(proxy: Server) -> float:
    return metric(proxy, r'sseproxy_listing_entries_total\{known="no"\}')


def test_a_key_that_is_disabled_opens_nothing_at_either_after_the_lifetime(proxy: Server, bucket: str) -> None:
    target, key_id = f"/{bucket}/k", str(_keys(proxy, "create")["key_id"])
    _put(proxy, target, headers={_SSE: "aws:kms", f"{_SSE}-aws-kms-key-id": key_id})
    for _, answer in until_both(proxy, lambda: signed(proxy, "GET", target)):
        assert answer.body == b"body"

    _keys(proxy, "disable", key_id)
    since = time.monotonic()
    late: list[tuple[int, int, str]] = []
    while {worker for worker, _, _ in late} != {1, 2}:
        began = time.monotonic() - since
        answer = signed(proxy, "GET", target)
        if began >= _LIFETIME_S:
            late.append((worker_of(proxy, answer), answer.status, answer.text("Code")))
        assert began < 60, late
    _keys(proxy, "enable", key_id)

    assert {(status, code) for _, status, code in late} == {(400, "KMS.DisabledException")}
    for _, answer in until_both(proxy, lambda: signed(proxy, "GET", target)):
        assert answer.body == b"body"


def _keys(proxy: Server, *arguments: str) -> dict[str, object]:
    config = max(proxy.data.glob("sseproxy-*.toml"))
    done = CliRunner().invoke(app, ["keys", *arguments, "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_sum_of_both_is_counted_and_every_request_is_one_whole_line_of_each_log(proxy: Server, bucket: str) -> None:
    before = metric(proxy, "sseproxy_requests_total"), len(_audited(proxy))
    key = "%22%C3%BC" * 200  # what makes a line long
    answers = [_put(proxy, f"/{bucket}/{key}{number}") for number in range(30)]
    workers = [worker_of(proxy, answer) for answer in answers]

    ids = [line["request_id"] for line in lines(proxy) if line["event"] == "request"]
    audited = [
        line for line in _audited(proxy) if line["request_id"] in {a.headers["x-amz-request-id"] for a in answers}
    ]
    assert set(workers) == {1, 2}
    assert len(ids) == len(set(ids))
    assert len(audited) == 30
    assert metric(proxy, "sseproxy_requests_total") - before[0] == 30
    assert metric(proxy, "sseproxy_in_flight") == 0
    assert metric(proxy, "sseproxy_workers") == 2


def _audited(proxy: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in whole_lines((Path(proxy.data) / "audit.log").read_text())]
