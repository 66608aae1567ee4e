"""Stored bytes or metadata that are not what was sealed."""

from sseproxy.errors.base import SseProxyError


class IntegrityError(SseProxyError):
    """Stored bytes are not what was sealed. Never the caller's fault, never retried into success."""

    default = "The stored object failed its integrity check and is not served."


class EnvelopeRejected(IntegrityError):
    """The envelope cannot be decoded, misses a field or has an unknown version."""

    default = "The object's encryption envelope is not valid; the object is not served."


class CommitmentMismatch(IntegrityError):
    """The unwrapped key is not the one the object was sealed with."""

    default = "The key does not belong to this object (commitment mismatch)."


class WrongPlace(IntegrityError):
    """The object was sealed under another bucket or key name."""

    default = "The object was sealed under another name: it was moved or copied behind the proxy."


class BindingRefused(IntegrityError):
    """The envelope's binding is weaker than the configuration accepts."""

    default = "The object's binding is weaker than this bucket's configuration accepts."


class FooterRejected(IntegrityError):
    """Footer or tail are damaged, or contradict envelope or stored size."""

    default = "The object's footer failed its integrity check."


class FrameRejected(IntegrityError):
    """A frame's tag does not verify."""

    default = "A frame of the object failed its integrity check."


class SegmentTruncated(IntegrityError):
    """A segment ended before its last frame, or went on after it."""

    default = "The object's stored bytes end too early."


class MetadataLost(IntegrityError):
    """A body ends in a version-1 tail, but no envelope came with it."""

    default = "The object is sealed but its envelope is missing from the metadata; run `sseproxy objects repair`."


class StateRejected(IntegrityError):
    """A record of the state bucket fails its MAC or cannot be decoded."""

    default = "A record in the state bucket failed its integrity check."
