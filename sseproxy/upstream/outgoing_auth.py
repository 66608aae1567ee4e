"""Signing what we send to the storage, with the proxy's own credentials (S3 dossier §3.10; OSS dossier §4.5).

Bodies are never hashed for a signature: over TLS they need not be, and over plain HTTP every server that takes SigV4
takes UNSIGNED-PAYLOAD too. What protects sealed bytes on the way is their own authentication.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from multidict import CIMultiDict

from sseproxy.ports import UpstreamRequest
from sseproxy.settings import UpstreamSettings
from sseproxy.signing import UNSIGNED_PAYLOAD, sign_aws_v4, sign_oss_v4

TRAILING_PAYLOAD = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request as it goes out: where to, and all headers but those of its body's framing."""

    url: str
    headers: CIMultiDict[str]


class OutgoingAuth:
    """Addresses and signs requests for one endpoint in one dialect."""

    def __init__(self, settings: UpstreamSettings, dialect: str) -> None:
        parts = urlsplit(settings.endpoint)
        self._scheme, self._netloc = parts.scheme, parts.netloc
        self._path = parts.path.rstrip("/")
        self._virtual = settings.addressing == "virtual"
        self._sign = {"s3": self._sign_s3, "oss": self._sign_oss}[dialect]
        self._settings = settings

    def sign(self, request: UpstreamRequest, now: datetime, *, trailing: bool = False) -> Signed:
        """Return a request signed at `now`; `trailing` where its body goes out aws-chunked with a trailer."""
        host, path = self._address(request)
        headers = CIMultiDict([("Host", host), *request.headers.items()])
        signed = self._sign(request, host, path, now, UNSIGNED_PAYLOAD if not trailing else TRAILING_PAYLOAD)
        headers.extend(signed)
        query = f"?{request.raw_query}" if request.raw_query else ""
        return Signed(url=f"{self._scheme}://{host}{path}{query}", headers=headers)

    def _address(self, request: UpstreamRequest) -> tuple[str, str]:
        if request.bucket is None:
            return self._netloc, f"{self._path}/"
        if self._virtual:
            return f"{request.bucket}.{self._netloc}", f"{self._path}/{request.raw_key}"
        key = f"/{request.raw_key}" if request.raw_key else ""
        return self._netloc, f"{self._path}/{request.bucket}{key}"

    def _sign_s3(
        self, request: UpstreamRequest, host: str, path: str, now: datetime, payload_hash: str
    ) -> dict[str, str]:
        return sign_aws_v4(
            method=request.method,
            host=host,
            raw_path=path,
            raw_query=request.raw_query,
            headers=request.headers,
            access_key=self._settings.access_key,
            secret=self._settings.secret_key.get_secret_value(),
            token=self._token(),
            region=self._settings.region,
            now=now,
            payload_hash=payload_hash,
        )

    def _sign_oss(
        self, request: UpstreamRequest, host: str, path: str, now: datetime, payload_hash: str
    ) -> dict[str, str]:
        del host, path, payload_hash  # OSS signs the logical resource, and never the body
        return sign_oss_v4(
            method=request.method,
            bucket=request.bucket,
            raw_key=request.raw_key,
            raw_query=request.raw_query,
            headers=request.headers,
            access_key=self._settings.access_key,
            secret=self._settings.secret_key.get_secret_value(),
            token=self._token(),
            region=self._settings.region,
            now=now,
        )

    def _token(self) -> str | None:
        token = self._settings.security_token
        return None if token is None else token.get_secret_value()
