"""Who is let in, and in which words the others are told."""

from tests.server.gateway_world import data_port, ok


async def test_a_stranger_is_refused() -> None:
    async with data_port() as port:
        anonymous = await port.ask(port.plain("GET", "/bucket/k"))
        unknown = await port.ask(port.signed("GET", "/bucket/k", access_key="nobody"))
        wrong = await port.ask(port.signed("GET", "/bucket/k", secret="guess"))

    assert (anonymous.status, anonymous.code) == (403, "AccessDenied")
    assert (unknown.status, unknown.code, unknown.element("AWSAccessKeyId")) == (403, "InvalidAccessKeyId", "nobody")
    assert (wrong.status, wrong.code) == (403, "SignatureDoesNotMatch")
    assert port.requests == []


async def test_a_clock_that_is_off_is_refused() -> None:
    async with data_port() as port:
        head = port.signed("GET", "/bucket/k")
        port.clock.advance(901)
        answer = await port.ask(head)

    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")


async def test_a_sidecar_trusts_unsigned_clients() -> None:
    async with data_port(ok, clients={"trust_unsigned": True}) as port:
        answer = await port.ask(port.plain("GET", "/bucket/k"))

    assert answer.status == 200
    assert (port.requests[0].principal, port.requests[0].signed) == ("", False)


async def test_the_other_dialect_is_refused_in_its_own_words() -> None:
    async with data_port(dialects=("s3",)) as s3, data_port(dialects=("oss",)) as oss:
        from_oss = await s3.ask(s3.signed_for_oss("GET", "/bucket/k"))
        from_s3 = await oss.ask(oss.signed("GET", "/bucket/k"))

    assert (from_oss.status, from_oss.code) == (403, "AccessDenied")
    assert "the S3 protocol" in from_oss.element("Message")
    assert "x-oss-request-id" in from_oss.headers
    assert (from_s3.status, from_s3.code) == (403, "AccessDenied")
    assert "the Alibaba Cloud OSS protocol" in from_s3.element("Message")
    assert "x-amz-request-id" in from_s3.headers


async def test_an_unreadable_signature_is_answered_in_the_dialect_that_it_looks_like() -> None:
    async with data_port(listen={"unsigned_dialect": "oss"}) as port:
        s3 = await port.ask(port.plain("GET", "/b/k", {"Authorization": "AWS4-HMAC-SHA256 nonsense"}))
        oss = await port.ask(port.plain("GET", "/b/k", {"Authorization": "OSS nonsense"}))

    assert (s3.status, s3.code) == (400, "AuthorizationHeaderMalformed")
    assert oss.status == 400
    assert "x-oss-request-id" in oss.headers


async def test_the_old_s3_signature_can_be_switched_off() -> None:
    head = {"Authorization": "AWS ak:c2lnbmF0dXJl", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
    async with data_port(clients={"allow_sigv2": False}) as off, data_port() as on:
        refused = await off.ask(off.plain("GET", "/b/k", head))
        tried = await on.ask(on.plain("GET", "/b/k", head))

    assert (refused.status, refused.code) == (400, "InvalidRequest")
    assert (tried.status, tried.code) == (403, "SignatureDoesNotMatch")


async def test_a_browsers_preflight_needs_no_signature() -> None:
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    async with data_port(ok) as port:
        preflight = await port.ask(port.plain("OPTIONS", "/bucket/k", asks))
        without_origin = await port.ask(port.plain("OPTIONS", "/bucket/k", {"Access-Control-Request-Method": "PUT"}))
        other_method = await port.ask(port.plain("GET", "/bucket/k", asks))
        of_nothing = await port.ask(port.plain("OPTIONS", "/", asks))

    assert preflight.status == 200
    assert [(request.method, request.signed) for request in port.requests] == [("OPTIONS", False)]
    assert {answer.code for answer in (without_origin, other_method, of_nothing)} == {"AccessDenied"}
