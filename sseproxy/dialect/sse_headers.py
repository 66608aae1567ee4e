"""Reading and writing the server-side-encryption headers, by a dialect's vocabulary.

This module does not know which dialect it serves. Nothing that a client says of its encryption is dropped silently:
what this release does not do is refused by name. One exception, because it changes neither key nor cipher: a data
cipher beside another algorithm than KMS, which OSS ignores too.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping

from sseproxy.dialect.base import Dialect, Operation, SseRequest, SseVocabulary
from sseproxy.errors import (
    InvalidArgument,
    InvalidRequest,
    SseNotAllowedHere,
    UnknownAlgorithm,
    UnknownDataAlgorithm,
    UnsupportedFeature,
)
from sseproxy.format import caller_pairs, check_available
from sseproxy.model import Algorithm, Suite

_FLAGS = frozenset({"true", "false"})


def parse_sse(
    headers: Mapping[str, str], query: Mapping[str, str], operation: Operation, dialect: Dialect
) -> SseRequest | None:
    """Return what a request says of its encryption, None where it says nothing or the operation ignores it.

    Presigned requests may carry the headers as query parameters (S3 dossier §1.9). Raises `SseNotAllowedHere`,
    `UnknownAlgorithm`, `UnknownDataAlgorithm`, `CipherUnavailable`, `UnsupportedFeature`, `InvalidArgument`, and
    `InvalidRequest` where something is said twice.
    """
    words = dialect.sse
    said = _collect(headers, query, words, operation)
    if not said:
        return None
    for name in said:
        if name not in _understood(words):
            raise UnsupportedFeature(Header=name)
    if operation in words.tolerated_on:
        return None
    if operation not in words.legal_on:
        name = words.algorithm_header if words.algorithm_header in said else next(iter(said))
        raise SseNotAllowedHere(ArgumentName=name, ArgumentValue=said[name])
    algorithm = _algorithm(said.get(words.algorithm_header), words)
    bucket_key = _bucket_key(said, algorithm, words)
    context = _context(said, algorithm, words)
    suite = _suite(said, algorithm, words)
    key_id = _key_id(said, algorithm, words)
    if algorithm is None:
        return None
    return SseRequest(algorithm=algorithm, key_id=key_id, context=context, bucket_key=bucket_key, suite=suite)


def bucket_key_flag(headers: Mapping[str, str], words: SseVocabulary) -> bool | None:
    """Return what a request says of bucket keys, also where it leaves the algorithm to the bucket; None: nothing."""
    flag = headers.get(words.bucket_key_header) if words.bucket_key_header is not None else None
    return None if flag is None else flag.strip().lower() == "true"


def render_sse(
    algorithm: Algorithm,
    key_id: str,
    words: SseVocabulary,
    *,
    bucket_key: bool = False,
    context: bytes = b"",
    suite: Suite = Suite.AES_256_GCM,
) -> dict[str, str]:
    """Return the headers that tell of an object's encryption: every KMS object names its CMK, others none.

    A bucket key is told only where one is used (S3 dossier §1.1), a context only in the answers that show it.
    """
    if algorithm not in words.words:  # the object was written in a dialect that has a word for it
        return {}
    headers = {words.algorithm_header: words.words[algorithm]}
    if algorithm is not Algorithm.KMS:
        return headers
    for word, named in words.data_algorithms.items():
        if named is suite and words.data_algorithm_header is not None:
            headers[words.data_algorithm_header] = word
    headers[words.key_id_header] = shown_key_id(key_id, words)
    if bucket_key and words.bucket_key_header is not None:
        headers[words.bucket_key_header] = "true"
    if context and words.context_header is not None:
        headers[words.context_header] = b64encode(context).decode()
    return headers


def shown_key_id(key_id: str, words: SseVocabulary) -> str:
    """Return a CMK as clients see it: by an ARN where the dialect has them, whatever the key service calls it."""
    return key_id if not words.key_arn_prefix or key_id.startswith("arn:") else f"{words.key_arn_prefix}key/{key_id}"


def asked_key_id(key_id: str, words: SseVocabulary) -> str:
    """Return what the key service is asked for where a client names a CMK, by one of our own ARNs or otherwise."""
    if not words.key_arn_prefix or not key_id.startswith(words.key_arn_prefix):
        return key_id
    return key_id.removeprefix(words.key_arn_prefix).removeprefix("key/")


def is_sse_header(name: str, words: SseVocabulary) -> bool:
    """Say whether a request header or parameter belongs to encryption and is never forwarded."""
    lower = name.lower()
    return lower.startswith(words.prefix) or lower in words.refused_headers or lower in _customer_keys(words)


def _customer_keys(words: SseVocabulary) -> tuple[str, ...]:
    """Return the headers of customers' keys, which `customer_key_headers` reads."""
    return (*(words.customer_key or ()), *(words.source_customer_key or ()))


def _collect(
    headers: Mapping[str, str], query: Mapping[str, str], words: SseVocabulary, operation: Operation
) -> dict[str, str]:
    """Return the encryption headers by their right lower-case names. A misspelled one counts where it is legal."""
    said: dict[str, str] = {}
    aliased: dict[str, str] = {}
    for name, value in _pairs(headers, query, words):
        if name in words.aliases:
            if words.are_aliases_heard:
                aliased[words.aliases[name]] = value
        elif name in said:
            raise InvalidRequest(f"{name} was given more than once.")
        else:
            said[name] = value
    return {**aliased, **said} if operation in words.legal_on else said


def _understood(words: SseVocabulary) -> frozenset[str | None]:
    return frozenset(
        (
            words.algorithm_header,
            words.key_id_header,
            words.data_algorithm_header,
            words.bucket_key_header,
            words.context_header,
        )
    )


def _pairs(headers: Mapping[str, str], query: Mapping[str, str], words: SseVocabulary) -> Iterator[tuple[str, str]]:
    for source in (headers, query):
        for name, value in source.items():
            if is_sse_header(name, words) and name.lower() not in _customer_keys(words):
                yield name.lower(), value.strip()


def _algorithm(word: str | None, words: SseVocabulary) -> Algorithm | None:
    if word is None:
        return None
    if word in words.refused_words:
        raise UnsupportedFeature(Header=words.algorithm_header)
    if word not in words.algorithms:
        raise UnknownAlgorithm(ArgumentName=words.algorithm_header, ArgumentValue=word)
    return words.algorithms[word]


def _bucket_key(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> bool | None:
    name = words.bucket_key_header
    if name is None or name not in said:
        return None
    flag = said[name].lower()
    if flag not in _FLAGS:
        raise InvalidArgument(ArgumentName=name, ArgumentValue=said[name])
    if flag == "true" and algorithm not in {None, Algorithm.KMS}:
        raise InvalidArgument(words.key_id_needs_kms, ArgumentName=words.algorithm_header)
    return flag == "true"


def _context(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> bytes:
    """Return the encryption context that a request names (S3 dossier §1.1, §1.4)."""
    name = words.context_header
    if name is None or name not in said:
        return b""
    if algorithm is not Algorithm.KMS:
        raise InvalidArgument(words.key_id_needs_kms, ArgumentName=words.algorithm_header)
    try:
        context = b64decode(said[name], validate=True)
        pairs = caller_pairs(context)
    except (Base64Error, ValueError) as cause:
        raise _bad_context(name, said[name], str(cause)) from None
    if not pairs:
        raise _bad_context(name, said[name], "it is empty.")
    return context


def _bad_context(name: str, value: str, reason: str) -> InvalidArgument:
    return InvalidArgument(
        f"The header '{name}' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map: "
        f"{reason}",
        ArgumentName=name,
        ArgumentValue=value,
    )


def _suite(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> Suite:
    """Return the cipher of the data. Raises `CipherUnavailable` where this host cannot do it."""
    suite = Suite.SM4_GCM if algorithm is Algorithm.SM4 else Suite.AES_256_GCM
    name = words.data_algorithm_header
    if name is not None and name in said and algorithm is Algorithm.KMS:
        if said[name] not in words.data_algorithms:
            raise UnknownDataAlgorithm(ArgumentName=name, ArgumentValue=said[name])
        suite = words.data_algorithms[said[name]]
    check_available(suite)
    return suite


def _key_id(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> str | None:
    key_id = said.get(words.key_id_header)
    if key_id is None:
        if words.key_id_needed and algorithm is Algorithm.KMS:
            raise InvalidArgument(ArgumentName=words.key_id_header, ArgumentValue="null")
        return None
    if algorithm is not Algorithm.KMS:
        raise InvalidArgument(words.key_id_needs_kms, ArgumentName=words.algorithm_header)
    if not key_id:
        raise InvalidArgument(ArgumentName=words.key_id_header, ArgumentValue="")
    return key_id
