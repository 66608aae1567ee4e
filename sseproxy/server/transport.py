"""Whether a request came over TLS: to this process, or to a proxy in front of it that is trusted to say so."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from sseproxy.errors import InsecureTransport
from sseproxy.settings import Listen

_SAYS = "X-Forwarded-Proto"


class Transport:
    """Knows who may speak for a client's transport, and whether plain HTTP is refused."""

    def __init__(self, listen: Listen) -> None:
        self._trusted: Sequence[IPv4Network | IPv6Network] = listen.trusted_proxies
        self._secure_only = listen.secure_transport_only

    def check(self, raw: web.BaseRequest) -> bool:
        """Return whether the request came over TLS. Raises `InsecureTransport` where nothing else is served."""
        secure = raw.secure or self._is_vouched_for(raw)
        if self._secure_only and not secure:
            raise InsecureTransport
        return secure

    def _is_vouched_for(self, raw: web.BaseRequest) -> bool:
        """Tell whether a trusted proxy says that all of the way to it was TLS."""
        said = [word.strip().lower() for value in raw.headers.getall(_SAYS, ()) for word in value.split(",")]
        if not said or any(word != "https" for word in said) or not raw.remote:
            return False
        try:
            peer = ip_address(raw.remote.partition("%")[0])
        except ValueError:
            return False
        return any(peer in network for network in self._trusted)
