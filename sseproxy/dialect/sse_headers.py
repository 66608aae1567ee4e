"""Reading and writing the server-side-encryption headers, by a dialect's vocabulary.

This module does not know which dialect it serves. Nothing that a client says of its encryption is dropped silently:
what this release does not do is refused by name. Two exceptions, because they change neither key nor cipher: the bucket
key flag (it only asks for fewer KMS calls) and a data cipher beside another algorithm than KMS, which OSS ignores too.
"""

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
from sseproxy.model import Algorithm

_FLAGS = frozenset({"true", "false"})


def parse_sse(
    headers: Mapping[str, str], query: Mapping[str, str], operation: Operation, dialect: Dialect
) -> SseRequest | None:
    """Return what a request says of its encryption, None where it says nothing or the operation ignores it.

    Presigned requests may carry the headers as query parameters (S3 dossier §1.9). Raises `SseNotAllowedHere`,
    `UnknownAlgorithm`, `UnknownDataAlgorithm`, `UnsupportedFeature`, `InvalidArgument`, and `InvalidRequest` where
    something is said twice.
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
    _check_bucket_key(said, algorithm, words)
    _check_data_algorithm(said, algorithm, words)
    key_id = _key_id(said, algorithm, words)
    return None if algorithm is None else SseRequest(algorithm=algorithm, key_id=key_id)


def render_sse(algorithm: Algorithm, key_id: str, words: SseVocabulary) -> dict[str, str]:
    """Return the headers that tell of an object's encryption: every KMS object names its CMK, others none."""
    headers = {words.algorithm_header: words.words[algorithm]}
    if algorithm is Algorithm.KMS:
        headers[words.key_id_header] = key_id
    return headers


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
            aliased[words.aliases[name]] = value
        elif name in said:
            raise InvalidRequest(f"{name} was given more than once.")
        else:
            said[name] = value
    return {**aliased, **said} if operation in words.legal_on else said


def _understood(words: SseVocabulary) -> frozenset[str | None]:
    return frozenset(
        (words.algorithm_header, words.key_id_header, words.data_algorithm_header, words.bucket_key_header)
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


def _check_bucket_key(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> None:
    name = words.bucket_key_header
    if name is None or name not in said:
        return
    flag = said[name].lower()
    if flag not in _FLAGS:
        raise InvalidArgument(ArgumentName=name, ArgumentValue=said[name])
    if flag == "true" and algorithm not in {None, Algorithm.KMS}:
        raise InvalidArgument(words.key_id_needs_kms, ArgumentName=words.algorithm_header)


def _check_data_algorithm(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> None:
    name = words.data_algorithm_header
    if name is None or name not in said or algorithm is not Algorithm.KMS:
        return
    if said[name] not in words.data_algorithms:
        raise UnknownDataAlgorithm(ArgumentName=name, ArgumentValue=said[name])
    raise UnsupportedFeature(Header=name)


def _key_id(said: Mapping[str, str], algorithm: Algorithm | None, words: SseVocabulary) -> str | None:
    key_id = said.get(words.key_id_header)
    if key_id is None:
        return None
    if algorithm is not Algorithm.KMS:
        raise InvalidArgument(words.key_id_needs_kms, ArgumentName=words.algorithm_header)
    if not key_id:
        raise InvalidArgument(ArgumentName=words.key_id_header, ArgumentValue="")
    return key_id
