"""Signature algorithms of both protocols: facts, a secret and the time in, a verdict or headers out. Pure."""

from sseproxy.signing.aws_v4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, sign_aws_v4
from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.signing.canonical import AUTH_QUERY_NAMES, decode_path, encode_key, encode_value, parse_query
from sseproxy.signing.claims import Claim, Scheme, SignedRequest, Verified
from sseproxy.signing.find import find_claim
from sseproxy.signing.oss_v4 import sign_oss_v4
from sseproxy.signing.verify import verify

__all__ = [
    "AUTH_QUERY_NAMES",
    "EMPTY_SHA256",
    "UNSIGNED_PAYLOAD",
    "ChunkSigner",
    "Claim",
    "Scheme",
    "SignedRequest",
    "Verified",
    "decode_path",
    "encode_key",
    "encode_value",
    "find_claim",
    "parse_query",
    "sign_aws_v4",
    "sign_oss_v4",
    "verify",
]
