"""The fields of an HTML form as the headers that PutObject would have (S3 dossier §3.9; OSS dossier §6.11).

Only fields that are known become headers: a form cannot make a copy, an append or a part of what it uploads.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.xml_reading import child, children, parse_xml, text_of
from sseproxy.errors import InvalidArgument, MalformedXml, UnsupportedFeature
from sseproxy.exchange import header_text

_PLAIN = frozenset({
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
})  # fmt: skip
_OWN = (  # behind the dialect's prefix; a dash at the end: whatever begins so
    "acl", "checksum-", "forbid-overwrite", "grant-", "meta-", "object-acl", "object-lock-", "sdk-checksum-algorithm",
    "server-side-", "storage-class", "tagging", "traffic-limit", "website-redirect-location",
)  # fmt: skip
_CALLBACK = "callback"


def form_headers(dialect: Dialect, fields: Mapping[str, str], file_type: str | None) -> CIMultiDict[str]:
    """Return the headers of a form; `fields` have lower-case names, `file_type` is the file part's Content-Type.

    Raises `InvalidArgument` for a name or value that no header can have, `UnsupportedFeature` for a callback, and
    `MalformedXml`.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in fields.items():
        if name == _CALLBACK or name.startswith(dialect.header(_CALLBACK)):
            raise UnsupportedFeature(Header=name)  # the storage would report stored sizes and ETags
        if _is_header(dialect, name):
            headers[name] = check_header_text(name, value)
    if "acl" in fields:
        headers.setdefault(dialect.header("acl"), check_header_text("acl", fields["acl"]))
    own_type = fields.get(dialect.header("content-type"))
    of_file = file_type if dialect.form_takes_type_of_file else None
    if own_type or of_file:
        headers["content-type"] = check_header_text("content-type", own_type or of_file or "")
    if "tagging" in fields:
        headers[dialect.header("tagging")] = _tagging(fields["tagging"])
    return headers


def _is_header(dialect: Dialect, name: str) -> bool:
    if not name.startswith(dialect.header_prefix):
        return name in _PLAIN
    own = name.removeprefix(dialect.header_prefix)
    if own in dialect.refused_form_fields:
        raise InvalidArgument(f"The form field {name} is not supported.", ArgumentName=name)
    if not any(own.startswith(one) if one.endswith("-") else own == one for one in _OWN):
        return False
    if not name.isascii() or not all(char.isalnum() or char in "-_." for char in name):
        raise InvalidArgument("The name of a form field cannot be that of a header.", ArgumentName=name)
    return True


def check_header_text(name: str, value: str) -> str:
    """Return a field's value where it can stand in a header, else raise `InvalidArgument`.

    What is not UTF-8 is taken for Latin-1, as in a header.
    """
    value = header_text(value.encode("utf-8", "surrogateescape"))
    if any(char < " " or char == "\x7f" for char in value if char != "\t"):
        raise InvalidArgument(f"The form field {name} holds control characters.", ArgumentName=name)
    return value.strip()


def _tagging(document: str) -> str:
    root = parse_xml(document.encode("utf-8", "surrogateescape"))
    tags = child(root, "TagSet")
    if root.tag != "Tagging" or tags is None:
        raise MalformedXml
    return urlencode([(text_of(tag, "Key"), text_of(tag, "Value")) for tag in children(tags, "Tag")])
