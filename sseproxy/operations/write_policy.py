"""What the configuration and the bucket forbid a write to ask for, told before anything else is looked at.

A service's bucket policies look at the headers before anybody validates them, so a header that is both forbidden and
wrong is forbidden (S3 dossier §1.3, §2.3). What results from defaults is checked again once it is decided (`deciding`).
"""

from sseproxy.dialect.base import Operation
from sseproxy.dialect.customer_key_headers import names_customer_key
from sseproxy.errors import AccessRefused
from sseproxy.exchange import Request
from sseproxy.model import Algorithm
from sseproxy.operations.context import Services
from sseproxy.policy.encryption import check_algorithm, rule_for

_WRITES = frozenset({Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.CREATE_UPLOAD})


async def check_write(services: Services, request: Request, operation: Operation) -> None:
    """Raise `AccessRefused` where a write asks for an encryption that it may not have here."""
    if operation not in _WRITES or request.bucket is None:
        return
    words = services.dialect.sse
    rule = rule_for(services.encryption, request.bucket)
    word = request.headers.get(words.algorithm_header)
    if word is not None:
        check_algorithm(words.algorithms.get(word.strip()), rule)
    if words.customer_key is None or not names_customer_key(request.headers, words.customer_key):
        return
    check_algorithm(Algorithm.CUSTOMER, rule)
    default = await services.bucket_defaults.get(request.bucket)
    if default is not None and default.customer_keys_blocked:
        raise AccessRefused(_blocked(request))


def _blocked(request: Request) -> str:
    return (
        f"User: arn:aws:iam:::user/{request.principal} is not authorized to perform: s3:PutObject on resource: "
        f'"arn:aws:s3:::{request.bucket}/{request.key}" because this bucket has blocked upload requests that specify '
        "Server Side Encryption with Customer provided keys (SSE-C). Please specify a different server-side encryption "
        "type"
    )
