"""A small Alibaba Cloud KMS (OSS dossier §7): keys with states and aliases, signatures verified by Alibaba's own code."""

import asyncio
import hmac
import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web
from aliyunsdkcore.auth.algorithm import sha_hmac1
from aliyunsdkcore.auth.composer import rpc_signature_composer
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCESS_KEY, SECRET_KEY = "testid", "testsecret"

_compose = getattr(rpc_signature_composer, "__compose_string_to_sign")  # two underscores are no name


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Key:
    """A CMK: its versions' material and where it stands."""

    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    state: str = "Enabled"
    origin: str = "Aliyun_KMS"


@dataclass
class FakeAlibabaKms:
    """What the service knows; `nonces` are those that were used."""

    keys: dict[str, Key] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    refusal: Refused | None = None  # what it says to everything

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        parameters = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(parameters)
        try:
            self._authenticate(parameters)
            if self.refusal is not None:
                raise self.refusal
            return web.json_response({"RequestId": str(uuid4()), **self._do(parameters)})
        except Refused as refused:
            body = {
                "HttpStatus": refused.status,
                "Code": refused.code,
                "Message": "no",
                "RequestId": "r",
                "HostId": "h",
            }
            return web.json_response(body, status=refused.status)

    def _authenticate(self, parameters: dict[str, str]) -> None:
        signed = {name: value for name, value in parameters.items() if name != "Signature"}
        expected = sha_hmac1.get_sign_string(_compose("POST", signed), f"{SECRET_KEY}&")
        if parameters["AccessKeyId"] != ACCESS_KEY:
            raise Refused(404, "InvalidAccessKeyId.NotFound")
        if not hmac.compare_digest(expected, parameters["Signature"]):
            raise Refused(400, "SignatureDoesNotMatch")
        if parameters["SignatureNonce"] in self.nonces:
            raise Refused(400, "SignatureNonceUsed")
        self.nonces.add(parameters["SignatureNonce"])
        if (parameters["Version"], parameters["Format"]) != ("2016-01-20", "JSON"):
            raise Refused(400, "InvalidParameter")

    def _do(self, parameters: dict[str, str]) -> dict[str, Any]:
        context = json.dumps(json.loads(parameters.get("EncryptionContext", "{}")), sort_keys=True).encode()
        match parameters["Action"]:
            case "GenerateDataKey":
                drawn = b64encode(os.urandom(int(parameters["NumberOfBytes"]))).decode()
                return self._wrapped(parameters["KeyId"], drawn, context)
            case "Encrypt":
                wrapped = self._wrapped(parameters["KeyId"], parameters["Plaintext"], context)
                del wrapped["Plaintext"]
                return wrapped
            case "Decrypt":
                return self._opened(parameters["CiphertextBlob"], context)
            case "DescribeKey":
                key_id, key = self._key(parameters["KeyId"])
                return {"KeyMetadata": {"KeyId": key_id, "KeyState": key.state, "Origin": key.origin}}
            case _:
                raise Refused(404, "InvalidAction.NotFound")

    def _key(self, name: str) -> tuple[str, Key]:
        if name.startswith("alias/") and name not in self.aliases:
            raise Refused(404, "Forbidden.AliasNotFound")
        key_id = self.aliases.get(name, name)
        if key_id not in self.keys:
            raise Refused(404, "Forbidden.KeyNotFound")
        return key_id, self.keys[key_id]

    def _usable(self, name: str) -> tuple[str, Key]:
        key_id, key = self._key(name)
        if key.state != "Enabled":
            raise Refused(409, f"Rejected.{key.state}")
        return key_id, key

    def _wrapped(self, name: str, plain: str, context: bytes) -> dict[str, Any]:
        """Encrypt any text: KMS asks for base64 and does not insist on it."""
        key_id, key = self._usable(name)
        version, nonce = len(key.versions), os.urandom(12)
        head = key_id.encode() + bytes([version]) + nonce
        blob = head + AESGCM(key.versions[-1]).encrypt(nonce, plain.encode(), context + head)
        return {
            "KeyId": key_id,
            "Plaintext": plain,
            "CiphertextBlob": b64encode(blob).decode(),
        }

    def _opened(self, text: str, context: bytes) -> dict[str, Any]:
        try:
            blob = b64decode(text, validate=True)
            if b64encode(blob).decode() != text:
                raise ValueError("another form of the same bytes")
            key_id, key = self._usable(blob[:36].decode())
            head, nonce = blob[:49], blob[37:49]
            plain = AESGCM(key.versions[blob[36] - 1]).decrypt(nonce, blob[49:], context + head)
        except (ValueError, IndexError, InvalidTag) as cause:
            raise Refused(400, "InvalidCiphertextBlob") from cause
        return {"KeyId": key_id, "Plaintext": plain.decode()}


@contextmanager
def running(fake: FakeAlibabaKms) -> Iterator[str]:
    """Serve it on a port of its own, in a thread, and give its URL."""
    loop, started, urls = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> web.AppRunner:
        runner = web.AppRunner(fake.application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        started.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(20)
    yield urls[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
