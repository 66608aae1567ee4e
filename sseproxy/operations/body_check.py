"""Watching a body go by: its size, its digests, and in the end whether it is what the client said."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor

from sseproxy.errors import IncompleteBody
from sseproxy.exchange import Request
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType
from sseproxy.operations.assertions import Assertions, BodyFacts, check, read_assertions
from sseproxy.operations.context import Services
from sseproxy.operations.pump import BackgroundDigests
from sseproxy.stage import Buffer
from sseproxy.wire.digests import Digests

_SLOW = frozenset({ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256, ChecksumAlgorithm.SHA512, ChecksumAlgorithm.MD5})


def _no_trailers() -> Mapping[str, str]:
    return {}


class BodyCheck:
    """Measures one body. `add` every buffer in order, then ask `verified` before anything is committed.

    CRC-64/XZ is always computed; MD5 where `md5` says so or the client sent one; `algorithms` are computed beside
    the client's own checksum. `kept` becomes the object's checksum where the client sent none.
    """

    def __init__(
        self,
        assertions: Assertions,
        pool: Executor,
        *,
        md5: bool,
        algorithms: Iterable[ChecksumAlgorithm] = (),
        kept: ChecksumAlgorithm | None = None,
        trailers: Callable[[], Mapping[str, str]] = _no_trailers,
    ) -> None:
        own = {algorithm for algorithm in (assertions.algorithm, kept) if algorithm is not None}
        self._algorithms = frozenset(algorithms) | own
        self._kept = kept
        self._md5 = md5 or assertions.content_md5 is not None
        digests = Digests(md5=self._md5, crc64=True, algorithms=self._algorithms)
        quick = not self._md5 and not self._algorithms & _SLOW
        self._digests = BackgroundDigests(digests, pool, quick=quick)
        self._assertions = assertions
        self._trailers = trailers
        self.plaintext_size = 0  # added so far

    async def add(self, data: Buffer) -> None:
        """Take the next bytes. Raises `IncompleteBody` as soon as there are more than announced."""
        self.plaintext_size += len(data)
        if self._assertions.length is not None and self.plaintext_size > self._assertions.length:
            raise IncompleteBody
        await self._digests.update(data)

    async def verified(self) -> BodyFacts:
        """Return what is true of the body that has ended. Raises where it is not what the client asserted."""
        digests = await self._digests.finish()
        facts = BodyFacts(
            plaintext_size=self.plaintext_size,
            crc64=digests.crc64,
            md5=digests.md5 if self._md5 else None,
            checksum=None,
            checksums={algorithm: digests.checksum(algorithm) for algorithm in self._algorithms},
        )
        checksum = check(self._assertions, facts, self._trailers()) or self._own(facts)
        return BodyFacts(
            plaintext_size=facts.plaintext_size,
            crc64=facts.crc64,
            md5=facts.md5,
            checksum=checksum,
            checksums=facts.checksums,
        )

    def _own(self, facts: BodyFacts) -> Checksum | None:
        if self._kept is None:
            return None
        return Checksum(algorithm=self._kept, type=ChecksumType.FULL_OBJECT, value=facts.checksums[self._kept])


def check_of_request(
    services: Services, request: Request, *, md5: bool, algorithms: Iterable[ChecksumAlgorithm] = ()
) -> BodyCheck:
    """Return the check of a request's body. Raises at once where its assertions are malformed."""
    assertions = read_assertions(services.dialect, request.headers, request.content_length)
    return BodyCheck(assertions, services.digest_pool, md5=md5, algorithms=algorithms, trailers=request.trailers)
