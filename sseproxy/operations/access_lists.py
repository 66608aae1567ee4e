"""The ACL of an object, as the headers that give it to the object that replaces it, in the same request.

S3 and OSS differ in their documents: grants there, one word here; what is read tells which it is (S3 dossier §1.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from sseproxy.operations.attributes import Found, pinned
from sseproxy.operations.backend import expect, object_request
from sseproxy.operations.context import Services
from sseproxy.operations.xml_texts import named, parse_document, text_in

_MOST_DOCUMENT = 256 * 1024  # bytes; 100 grants are below 64 KiB
_WITHOUT_ACLS = frozenset({405, 501})  # what a storage answers that has none
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_ACCOUNTS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_HEADERS = {
    "FULL_CONTROL": "grant-full-control",
    "READ": "grant-read",
    "READ_ACP": "grant-read-acp",
    "WRITE_ACP": "grant-write-acp",
    "WRITE": "grant-write",
}

Grant = tuple[str, str]  # grantee as a header writes it, permission


async def acl_headers(services: Services, found: Found) -> dict[str, str]:
    """Return the headers that repeat an object's ACL; none where it is the default, or the storage has no ACLs.

    Raises what the storage says where the ACL may not be read.
    """
    address = pinned(services, found)
    query = "&".join(filter(None, ["acl", address.version_query]))
    async with services.upstream.send(replace(object_request(services, "GET", address), raw_query=query)) as response:
        if response.status in _WITHOUT_ACLS:
            return {}
        await expect(services, response, 200)
        root = parse_document(await response.read(_MOST_DOCUMENT))
    grants = list(named(root, "Grant"))
    if all(len(grant) == 0 for grant in grants):
        return _one_word(services, grants)
    owner = next((text_in(element, "ID") for element in named(root, "Owner")), "")
    return {
        services.dialect.header(name): value
        for name, value in canned_or_grants([_parsed(grant) for grant in grants], owner).items()
    }


def _one_word(services: Services, grants: Sequence[Element]) -> dict[str, str]:
    word = (grants[0].text or "").strip() if grants else "default"
    return {} if word == "default" else {services.dialect.header("object-acl"): word}


def _parsed(grant: Element) -> Grant:
    for name, form in (("URI", "uri"), ("ID", "id"), ("EmailAddress", "emailAddress")):
        value = text_in(grant, name)
        if value:
            return f'{form}="{value}"', text_in(grant, "Permission")
    return "", ""


def canned_or_grants(grants: Sequence[Grant], owner: str) -> Mapping[str, str]:
    """Return headers (without prefix) for grants: one word where there is one, because not every storage takes more."""
    everybody, accounts = f'uri="{_EVERYBODY}"', f'uri="{_ACCOUNTS}"'
    others = {grant for grant in grants if grant != (f'id="{owner}"', "FULL_CONTROL")}
    canned: list[tuple[set[Grant], str]] = [
        (set(), ""),
        ({(everybody, "READ")}, "public-read"),
        ({(everybody, "READ"), (everybody, "WRITE")}, "public-read-write"),
        ({(accounts, "READ")}, "authenticated-read"),
    ]
    for meant, word in canned:
        if others == meant:
            return {"acl": word} if word else {}
    headers: dict[str, str] = {}
    for grantee, permission in grants:
        name = _HEADERS.get(permission)
        if grantee and name is not None:
            headers[name] = f"{headers[name]}, {grantee}" if name in headers else grantee
    return headers
