"""Promise: whoever goes away at whatever moment, nobody takes a part for the whole, and nothing broken is stored."""

import os
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse

import pytest
import requests

from tests.support.flaky import Link, Relay
from tests.support.forms import oss_form
from tests.support.raw_http import SIGNERS, connect, head_bytes, read_answer, send_raw, signed
from tests.support.servers import Launcher, Server

_MIB = 1024 * 1024
_BUCKET = "broken"
_UNAVAILABLE = (503, "ServiceUnavailable", "The storage behind this endpoint is unavailable. Please try again.")

_SILENT = (
    400, "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout period. "
    "Idle connections will be closed.",
)  # fmt: skip

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@dataclass(frozen=True)
class Site:
    """A store, a relay in front of it, and proxies that know only the relay."""

    store: Server
    relay: Relay
    proxies: Mapping[str, Server]
    large: bytes


@pytest.fixture(scope="module")
def site(launcher: Launcher) -> Iterator[Site]:
    store = launcher.store()
    relay = Relay(store)
    patience = "[limits]\nbody_timeout = 1\n"
    s3 = launcher.proxy(relay.server, extra=patience)
    proxies = {"s3": s3, "oss": launcher.proxy(relay.server, s3.data, dialect="oss", extra=patience)}
    large = random.Random(7).randbytes(8 * _MIB + 77)
    assert signed(s3, "PUT", f"/{_BUCKET}").status == 200
    assert signed(s3, "PUT", f"/{_BUCKET}/large", {}, large).status == 200
    yield Site(store, relay, proxies, large)
    relay.close()


@pytest.fixture
def relay(site: Site) -> Iterator[Relay]:
    yield site.relay
    assert (site.relay.cut_answers, site.relay.lose_answer) == ([], None)
    site.relay.is_down = False


@both_dialects
@pytest.mark.parametrize(
    "cuts",
    [[1], [1000], [65_000], [100_000, 200_000, 3 * _MIB], [2 * _MIB] * 3, [300_000] * 12],
    ids=["in the head", "behind the head", "in the first frame", "here and there", "thrice", "a dozen times"],
)
def test_a_store_that_breaks_off_is_asked_again_and_the_reader_notices_nothing(
    site: Site, relay: Relay, dialect: str, cuts: list[int]
) -> None:
    before, relay.cut_answers = relay.cuts, list(cuts)

    answer = signed(site.proxies[dialect], "GET", f"/{_BUCKET}/large", dialect=dialect)

    assert relay.cuts - before == len(cuts)
    assert answer.status == 200
    assert answer.body == site.large


@both_dialects
@pytest.mark.parametrize("cuts", [[20_000], [60_000, 65_536, 131_072]], ids=["at the end", "in the frames"])
def test_a_range_is_resumed_as_well(site: Site, relay: Relay, dialect: str, cuts: list[int]) -> None:
    before, relay.cut_answers = relay.cuts, list(cuts)

    answer = signed(
        site.proxies[dialect], "GET", f"/{_BUCKET}/large", {"Range": "bytes=1000000-2999999"}, dialect=dialect
    )

    assert relay.cuts - before == len(cuts)
    assert (answer.status, answer.body) == (206, site.large[1_000_000:3_000_000])


def test_an_object_replaced_between_two_attempts_is_not_mixed(site: Site, relay: Relay) -> None:
    """The second attempt names the object's state (If-Match), so the reader is cut off instead."""
    target, size = f"/{_BUCKET}/replaced", 48 << 20  # more than the kernel's buffers on the way take up
    first, other = os.urandom(size), os.urandom(size)
    assert signed(site.proxies["s3"], "PUT", target, {}, first).status == 200
    with connect(site.proxies["s3"]) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(
            head_bytes(site.proxies["s3"], "GET", target, SIGNERS["s3"](site.proxies["s3"], "GET", target, {}))
        )
        response = HTTPResponse(connection)
        response.begin()
        received = response.read(100_000)
        assert signed(site.proxies["s3"], "PUT", target, {}, other).status == 200
        _cut_downloads(relay)
        received += _rest(response)

    assert response.status == 200
    assert first.startswith(received)
    assert len(received) < size
    assert signed(site.proxies["s3"], "GET", target).body == other


def _rest(response: HTTPResponse) -> bytes:
    """Read until the connection ends, one way or the other."""
    received = b""
    with suppress(ConnectionError):
        while more := response.read(65536):
            received += more
    return received


def _cut_downloads(relay: Relay) -> None:
    """Cut every connection over which an answer is still coming."""
    for link in relay.links:
        if not link.is_closed and link.received > 100_000:
            link.cut()


@both_dialects
def test_a_store_that_is_gone_for_good_is_a_clear_503(site: Site, relay: Relay, dialect: str) -> None:
    relay.go_down()

    read = signed(site.proxies[dialect], "GET", f"/{_BUCKET}/large", dialect=dialect)
    write = signed(site.proxies[dialect], "PUT", f"/{_BUCKET}/new", {}, b"new", dialect=dialect)
    streamed = signed(site.proxies[dialect], "PUT", f"/{_BUCKET}/new", {}, bytes(3 * _MIB), dialect=dialect)
    head = signed(site.proxies[dialect], "HEAD", f"/{_BUCKET}/large", dialect=dialect)
    relay.is_down = False

    assert [answer.error for answer in (read, write, streamed)] == [_UNAVAILABLE] * 3
    assert (head.status, head.body) == (503, b"")
    assert {answer.headers["retry-after"] for answer in (read, write, streamed, head)} == {"1"}
    assert signed(site.proxies[dialect], "HEAD", f"/{_BUCKET}/new", dialect=dialect).status == 404
    assert signed(site.proxies[dialect], "GET", f"/{_BUCKET}/large", dialect=dialect).body == site.large


@both_dialects
def test_a_store_that_goes_in_the_middle_of_a_read_for_good_cuts_the_reader_off(
    site: Site, relay: Relay, dialect: str
) -> None:
    proxy, target = site.proxies[dialect], f"/{_BUCKET}/large"
    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "GET", target, SIGNERS[dialect](proxy, "GET", target, {})))
        response = HTTPResponse(connection)
        response.begin()
        received = response.read(100_000)
        relay.go_down()
        received += _rest(response)
    relay.is_down = False

    assert response.status == 200
    assert int(response.headers["Content-Length"]) == len(site.large) > len(received)
    assert site.large.startswith(received)


def _upload_link(relay: Relay, known: set[Link], least: int) -> Link:
    """Wait until an upload has brought `least` bytes through the relay, and return its connection."""

    def found() -> list[Link]:
        return [link for link in relay.links if link.sent - sent_before.get(link, 0) >= least]

    sent_before = {link: link.sent for link in known}
    relay.wait_until(lambda: bool(found()))
    return found()[0]


@both_dialects
def test_a_client_that_goes_in_the_middle_of_a_put_breaks_off_the_stores_too(
    site: Site, relay: Relay, dialect: str
) -> None:
    proxy, target = site.proxies[dialect], f"/{_BUCKET}/put-{dialect}"
    assert signed(proxy, "PUT", target, {}, b"old", dialect=dialect).status == 200
    known, headers = set(relay.links), {**SIGNERS[dialect](proxy, "PUT", target, {}), "Content-Length": str(64 * _MIB)}

    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "PUT", target, headers) + bytes(4 * _MIB))
        link = _upload_link(relay, known, 2 * _MIB)
    relay.wait_until(lambda: link.is_closed)

    assert link.sent < 8 * _MIB
    assert signed(proxy, "GET", target, dialect=dialect).body == b"old"


@both_dialects
def test_a_client_that_falls_silent_in_the_middle_of_a_put_is_told_so(site: Site, relay: Relay, dialect: str) -> None:
    proxy, target = site.proxies[dialect], f"/{_BUCKET}/silent-{dialect}"
    assert signed(proxy, "PUT", target, {}, b"old", dialect=dialect).status == 200
    headers = {**SIGNERS[dialect](proxy, "PUT", target, {}), "Content-Length": str(64 * _MIB)}
    known = set(relay.links)

    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "PUT", target, headers) + bytes(4 * _MIB))
        link = _upload_link(relay, known, 2 * _MIB)
        answer = read_answer(connection, "PUT")
    relay.wait_until(lambda: link.is_closed)

    assert answer.error == _SILENT
    assert answer.headers["connection"] == "close"
    assert signed(proxy, "GET", target, dialect=dialect).body == b"old"


@pytest.mark.parametrize(
    ("method", "target", "framing"),
    [
        ("PUT", "small", {"Content-Length": "10"}),
        ("PUT", "chunked", {"Transfer-Encoding": "chunked"}),
        ("POST", "appended?append&position=0", {"Content-Length": "10"}),
        ("PUT", "parts?partNumber=1&uploadId={}", {"Content-Length": "10"}),
        ("POST", "parts?uploadId={}", {"Content-Length": "10"}),
        ("PUT", "?encryption", {"Content-Length": "10"}),
    ],
    ids=["PutObject", "chunked", "AppendObject", "UploadPart", "Complete", "a document"],
)
def test_whatever_a_silent_client_began_to_send_it_is_told_so(
    site: Site, method: str, target: str, framing: Mapping[str, str]
) -> None:
    proxy, bucket = site.proxies["oss"], f"/{_BUCKET}"
    upload = signed(proxy, "POST", f"{bucket}/parts?uploads", dialect="oss").text("UploadId")
    at = f"{bucket}/{target.format(upload)}" if not target.startswith("?") else bucket + target

    answer = send_raw(
        proxy, head_bytes(proxy, method, at, {**SIGNERS["oss"](proxy, method, at, {}), **framing}) + b"3\r\nabc"
    )

    assert (answer.error, answer.headers["connection"]) == (_SILENT, "close")
    there = [signed(proxy, "HEAD", f"{bucket}/{key}", dialect="oss") for key in ("small", "chunked", "appended")]
    assert [head.status for head in there] == [404] * 3


def test_a_client_that_falls_silent_within_a_form_is_told_so(site: Site) -> None:
    proxy, form = site.proxies["oss"], oss_form(_BUCKET, key="posted")
    request = requests.Request("POST", f"{proxy.url}/{_BUCKET}", data=form, files={"file": ("a", bytes(2 * _MIB))})
    whole = request.prepare()
    assert isinstance(whole.body, bytes)
    head = head_bytes(proxy, "POST", f"/{_BUCKET}", {name: str(value) for name, value in whole.headers.items()})

    answers = [send_raw(proxy, head + whole.body[:sent]) for sent in (30, len(whole.body) - 30)]

    assert [answer.error for answer in answers] == [_SILENT] * 2
    assert signed(proxy, "HEAD", f"/{_BUCKET}/posted", dialect="oss").status == 404


@both_dialects
def test_a_client_that_goes_in_the_middle_of_a_get_ends_the_stores_answer_too(
    site: Site, relay: Relay, dialect: str
) -> None:
    proxy, target = site.proxies[dialect], f"/{_BUCKET}/long-{dialect}"
    assert signed(proxy, "PUT", target, {}, bytes(40 * _MIB), dialect=dialect).status == 200
    before = {link: link.received for link in relay.links}

    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "GET", target, SIGNERS[dialect](proxy, "GET", target, {})))
        assert connection.recv(12) == b"HTTP/1.1 200"
        link = next(link for link in relay.links if link.received - before.get(link, 0) > 60_000)
    relay.wait_until(lambda: link.is_closed)

    assert link.received - before.get(link, 0) < 32 * _MIB


def test_a_store_that_goes_in_the_middle_of_a_put_is_a_503_and_leaves_the_old_object(site: Site, relay: Relay) -> None:
    proxy, target = site.proxies["s3"], f"/{_BUCKET}/half"
    assert signed(proxy, "PUT", target, {}, b"old").status == 200
    headers = {**SIGNERS["s3"](proxy, "PUT", target, {}), "Content-Length": str(8 * _MIB)}
    known = set(relay.links)

    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "PUT", target, headers) + bytes(4 * _MIB))
        _upload_link(relay, known, 2 * _MIB).cut()
        answer = read_answer(connection, "PUT")

    assert answer.error == _UNAVAILABLE
    assert signed(proxy, "GET", target).body == b"old"


@pytest.mark.parametrize("size", [100, 3 * _MIB])
def test_an_answer_to_a_put_that_is_lost_never_leaves_a_broken_object(site: Site, relay: Relay, size: int) -> None:
    """A small one is sent again; a streamed one cannot be, so the client has to."""
    proxy, target, body = site.proxies["s3"], f"/{_BUCKET}/lost-{size}", os.urandom(size)
    relay.lose_answer = f"PUT {target}".encode()

    answer = signed(proxy, "PUT", target, {}, body)

    assert answer.status == 200 if size == 100 else answer.error == _UNAVAILABLE
    assert signed(proxy, "GET", target).body == body


@both_dialects
def test_a_complete_whose_answer_was_lost_can_be_repeated(site: Site, relay: Relay, dialect: str) -> None:
    """The store completed the upload, and the proxy, or its process, never heard of it."""
    proxy, target = site.proxies[dialect], f"/{_BUCKET}/completed-{dialect}"
    first, last = os.urandom(5 * _MIB), os.urandom(10)
    upload = signed(proxy, "POST", f"{target}?uploads", dialect=dialect).text("UploadId")
    etags = [
        signed(proxy, "PUT", f"{target}?partNumber={n}&uploadId={upload}", {}, body, dialect=dialect).headers["etag"]
        for n, body in ((1, first), (2, last))
    ]
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in enumerate(etags, 1))
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    relay.lose_answer = f"POST {target}?uploadId=".encode()

    lost = signed(proxy, "POST", f"{target}?uploadId={upload}", {}, document, dialect=dialect)
    again = signed(proxy, "POST", f"{target}?uploadId={upload}", {}, document, dialect=dialect)
    other = signed(
        proxy, "POST", f"{target}?uploadId={upload}", {}, document.replace(b"<PartNumber>2<", b"<PartNumber>3<"),
        dialect=dialect,
    )  # fmt: skip

    head = signed(proxy, "HEAD", target, dialect=dialect)
    assert lost.error == _UNAVAILABLE
    assert again.status == 200
    assert again.text("ETag").replace("&quot;", '"') == head.headers["etag"]
    assert other.error[:2] == (404, "NoSuchUpload")
    assert signed(proxy, "GET", target, dialect=dialect).body == first + last
