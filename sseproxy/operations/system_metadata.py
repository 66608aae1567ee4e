"""Which headers of an object are its metadata: what a copy takes along, or replaces, as a whole (S3 dossier §1.6)."""

_SYSTEM_METADATA = frozenset(
    {
        "content-type",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "expires",
    }
)


def is_metadata(name: str, meta_prefix: str) -> bool:
    """Whether a header is system or user metadata."""
    return name.lower() in _SYSTEM_METADATA or name.lower().startswith(meta_prefix)
