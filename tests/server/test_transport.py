"""Plain HTTP is refused where only TLS is served, and only a trusted proxy can say that it was TLS."""

import pytest
from pydantic import ValidationError

from sseproxy.settings import Listen
from tests.server.gateway_world import data_port, ok

_ONLY = {"secure_transport_only": True, "trusted_proxies": ["127.0.0.0/8", "::1/128"]}
_STRANGERS = {"secure_transport_only": True, "trusted_proxies": ["10.0.0.0/8"]}


async def test_plain_http_is_refused_in_the_words_of_a_policy() -> None:
    async with data_port(ok, listen=_ONLY) as port:
        s3 = await port.ask(port.signed("GET", "/bucket/k"))
        oss = await port.ask(port.signed_for_oss("GET", "/bucket/k"))

    assert (s3.status, s3.code, s3.element("Message")) == (403, "AccessDenied", "Access Denied")
    assert (oss.status, oss.code, oss.element("Message")) == (403, "AccessDenied", "Access denied by bucket policy.")
    assert port.requests == []


async def test_a_refused_upload_is_never_told_to_continue() -> None:
    async with data_port(ok, listen=_ONLY) as port:
        head = port.signed("PUT", "/bucket/k", {"Content-Length": "5", "Expect": "100-continue"})
        answer = await port.ask(head)

    assert (answer.status, answer["connection"]) == (403, "close")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("https", 200), ("HTTPS", 200), ("https, https", 200),
        ("http", 403), ("https, http", 403), ("http, https", 403), ("", 403), ("https,", 403),
    ],
)  # fmt: skip
async def test_a_trusted_proxy_says_how_the_client_came(said: str, status: int) -> None:
    async with data_port(ok, listen=_ONLY) as port:
        answer = await port.ask(port.signed("GET", "/bucket/k", {"X-Forwarded-Proto": said}))

    assert answer.status == status
    assert [request.secure for request in port.requests] == [True] * (status == 200)


async def test_nobody_else_is_believed() -> None:
    async with data_port(ok, listen=_STRANGERS) as strict, data_port(ok) as lax:
        refused = await strict.ask(strict.signed("GET", "/bucket/k", {"X-Forwarded-Proto": "https"}))
        await lax.ask(lax.signed("GET", "/bucket/k", {"X-Forwarded-Proto": "https"}))

    assert refused.status == 403
    assert [request.secure for request in lax.requests] == [False]


def test_a_proxy_that_would_serve_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="would refuse every request"):
        Listen.model_validate({"secure_transport_only": True})
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Listen.model_validate({"trusted_proxies": ["10.0.0.1/8"]})
