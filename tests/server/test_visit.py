"""What is written down of a request."""

from tests.server.gateway_world import data_port


async def test_a_request_is_logged_once_with_what_happened_and_without_its_query() -> None:
    async with data_port() as port:
        head = port.signed("PUT", "/bucket/k%0Aey?x-id=PutObject&X-Amz-Expires=9", {"Content-Length": "3"})
        answer = await port.ask(head, b"abc")

    (line,) = port.lines
    assert line["request_id"] == answer["x-amz-request-id"]
    assert (line["client"], line["method"], line["operation"]) == ("127.0.0.1", "PUT", "put_object")
    assert (line["dialect"], line["bucket"], line["key"], line["principal"]) == ("s3", "bucket", "k\ney", "ak")
    assert (line["status"], line["code"], line["bytes_in"], line["bytes_out"]) == (200, None, 3, 3)
    assert (line["aborted"], line["upstream_requests"]) == (False, 0)
    assert "X-Amz" not in port.log.getvalue()
    assert port.notes.total("requests_total", dialect="s3", operation="put_object", status="200") == 1
    assert port.notes.total("bytes_in_total", dialect="s3") == 3
    assert port.notes.total("bytes_out_total", dialect="s3") == 3
    assert port.notes.total("in_flight") == 0
    assert "request_seconds" in port.notes.observed


async def test_a_refusal_is_logged_with_its_code() -> None:
    async with data_port() as port:
        await port.ask(port.plain("GET", "/bucket/%FFkey"))

    (line,) = port.lines
    assert (line["status"], line["code"], line["operation"], line["principal"]) == (403, "AccessDenied", "none", "")
    assert line["key"] == "\\xffkey"
