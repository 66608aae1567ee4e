"""What a browser is told of a file that it uploaded by a form, where the form asks for a document."""

from sseproxy.dialect.xml_writing import document_of, element


def render_posted(location: str, bucket: str, key: str, etag: str) -> bytes:
    """Return the `PostResponse`; `etag` as the header shows it (S3 dossier §3.9; OSS dossier §6.11)."""
    return document_of(
        "PostResponse",
        None,
        [element("Location", location), element("Bucket", bucket), element("Key", key), element("ETag", etag)],
    )
