"""An answer as fields that can be compared.

Left out, because two requests never share them or because they are about one connection: Date, Server, Connection,
Keep-Alive, Transfer-Encoding, the values of request ids, and the messages and details of error documents (status and code
count). The Content-Length of XML, which follows from the rest, is left out as well, and the order of different elements.

Replaced by placeholders: dates, version ids, upload ids and continuation tokens (numbered, so that their equality counts),
the run's bucket names and the endpoint. Everything else is compared as it came.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from tests.differential.client import Reply

_IGNORED = frozenset({"date", "server", "connection", "keep-alive", "transfer-encoding"})
_DATES = frozenset(
    {
        "last-modified",
        "lastmodified",
        "initiated",
        "creationdate",
        "x-amz-abort-date",
        "seaweed-x-amz-noncurrent-since-ns",
    }
)
_IDS = {
    "x-amz-version-id": "version", "x-amz-copy-source-version-id": "version", "versionid": "version",
    "seaweed-x-amz-version-id": "version",
    "versionidmarker": "version", "nextversionidmarker": "version", "deletemarkerversionid": "version",
    "sourceversionid": "version", "copysourceversionid": "version",
    "uploadid": "upload", "uploadidmarker": "upload", "nextuploadidmarker": "upload",
    "continuationtoken": "token", "nextcontinuationtoken": "token",
}  # fmt: skip
_REQUEST_IDS = frozenset({"x-amz-request-id", "x-amz-id-2"})
_BOUNDARY = re.compile(r"boundary=([^;\s]+)")
_SHORT = 200
"""Bodies up to this length are shown, longer ones as length and digest."""

Record = dict[str, str]
"""A request's answer: `outcome` is the status with an error's code, all others say `header …` or `body …`."""


@dataclass(slots=True)
class Normaliser:
    """Makes records of one case; `names` maps what the run invented (bucket names, endpoint) to placeholders."""

    names: Mapping[str, str]
    own_buckets: str
    """What the names of this side's buckets begin with: ListBuckets is compared for these alone."""
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def record(self, reply: Reply) -> Record:
        root = _root(reply.body)
        code = root.findtext("Code", "") if root is not None and root.tag == "Error" else ""
        record = {"outcome": f"{reply.status} {code}".rstrip() if reply.status else "connection broken off"}
        record.update(self._headers(reply, document=root is not None))
        if root is None:
            record["body"] = self._plain(reply)
        elif root.tag != "Error":
            record.update((f"body {path}", value) for path, value in self._flat(root, root.tag))
        return record

    def _headers(self, reply: Reply, *, document: bool) -> Iterator[tuple[str, str]]:
        boundary = _BOUNDARY.search(reply.headers.get("content-type", ""))
        for name, value in reply.headers.items():
            if name in _IGNORED or (name == "content-length" and (document or boundary)):
                continue
            shown = value.replace(boundary[1], "<boundary>") if boundary else value
            yield f"header {name}", "<id>" if name in _REQUEST_IDS else self._value(name, shown)

    def _plain(self, reply: Reply) -> str:
        boundary = _BOUNDARY.search(reply.headers.get("content-type", ""))
        body = reply.body.replace(boundary[1].encode(), b"<boundary>") if boundary else reply.body
        if body[:1] in {b"{", b"["}:
            with suppress(ValueError):  # not JSON after all: compared as it came
                body = json.dumps(json.loads(body), sort_keys=True).encode()
        text = self._renamed(body.decode("latin-1"))
        return text if len(text) <= _SHORT else f"{len(text)} bytes, MD5 {hashlib.md5(text.encode()).hexdigest()}"

    def _value(self, name: str, value: str) -> str:
        lower = name.lower()
        if lower in _DATES:
            return "<date>" if value else ""
        if lower in _IDS and value not in {"", "null"}:
            kind = _IDS[lower]
            count = sum(known == kind for known, _ in self._ids)
            return self._ids.setdefault((kind, value), f"<{kind} {count + 1}>")
        return self._renamed(value)

    def _renamed(self, text: str) -> str:
        for name, placeholder in self.names.items():
            text = text.replace(name, placeholder)
        return text

    def _flat(self, element: Element, path: str) -> Iterator[tuple[str, str]]:
        children = [child for child in element if not self._is_anothers_bucket(child)]
        if not children:
            yield path, self._value(element.tag, (element.text or "").strip())
            return
        total = Counter(child.tag for child in children)
        seen: Counter[str] = Counter()
        for child in children:
            seen[child.tag] += 1
            number = f".{seen[child.tag]}" if total[child.tag] > 1 else ""
            yield from self._flat(child, f"{path}.{child.tag}{number}")

    def _is_anothers_bucket(self, element: Element) -> bool:
        return element.tag == "Bucket" and not element.findtext("Name", self.own_buckets).startswith(self.own_buckets)


def _root(body: bytes) -> Element | None:
    """Return the document without namespaces; absent where the body is no XML."""
    if not body.lstrip().startswith(b"<"):
        return None
    try:
        root: Element = fromstring(body)
    except ParseError:
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
