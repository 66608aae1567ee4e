"""Buckets and their settings."""

from tests.differential.case import (
    DIGESTED,
    Auth,
    Case,
    Place,
    Step,
    case,
    create,
    delete,
    get,
    head,
    on_bucket,
    on_key,
    put,
    xml,
)

_POLICY = (
    b'{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
    b'"Resource":"arn:aws:s3:::{bucket}/*"}]}'
)
_CORS = (
    "<CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>"
    "<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>"
)
_LIFECYCLE = "<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>"
_WEBSITE = (
    "<IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument>"
)
_BLOCK = "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>"
_ENCRYPTION = "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
_SETTINGS: dict[str, tuple[str, str, str]] = {
    "Cors": ("cors", "CORSConfiguration", _CORS),
    "Lifecycle": ("lifecycle", "LifecycleConfiguration", _LIFECYCLE),
    "Website": ("website", "WebsiteConfiguration", _WEBSITE),
    "PublicAccessBlock": ("publicAccessBlock", "PublicAccessBlockConfiguration", _BLOCK),
    "OwnershipControls": (
        "ownershipControls",
        "OwnershipControls",
        "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>",
    ),
    "BucketTagging": ("tagging", "Tagging", "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet>"),
    "BucketEncryption": ("encryption", "ServerSideEncryptionConfiguration", _ENCRYPTION),
    "Notification": ("notification", "NotificationConfiguration", ""),
    "Logging": ("logging", "BucketLoggingStatus", ""),
    "RequestPayment": ("requestPayment", "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    "Accelerate": ("accelerate", "AccelerateConfiguration", "<Status>Suspended</Status>"),
    "Replication": ("replication", "ReplicationConfiguration", "<Role>none</Role>"),
}
_BY_ID = {
    "Analytics": ("analytics", "AnalyticsConfiguration"),
    "Metrics": ("metrics", "MetricsConfiguration"),
    "Inventory": ("inventory", "InventoryConfiguration"),
    "IntelligentTiering": ("intelligent-tiering", "IntelligentTieringConfiguration"),
}


def _set(query: str, root: str, inner: str) -> Step:
    body = xml(root, inner)
    return on_bucket("PUT", query, body, DIGESTED)


def _setting(group: str, query: str, root: str, inner: str) -> Case:
    return case(group, "get, put, get, delete, get", create(), on_bucket("GET", query), _set(query, root, inner), on_bucket("GET", query),
                on_bucket("DELETE", query), on_bucket("GET", query), place=Place.OWN)  # fmt: skip


def _preflight(origin: str, method: str) -> Step:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "x-amz-date",
    }
    return Step("OPTIONS", "/{bucket}/{prefix}k", headers, auth=Auth.NONE)


def _tags(*pairs: str) -> Step:
    inner = "".join(
        f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"
        for key, _, value in (pair.partition("=") for pair in pairs)
    )
    body = xml("Tagging", f"<TagSet>{inner}</TagSet>")
    return put("k", body, DIGESTED, "tagging")


_LIVES = (
    case("CreateBucket", "create, head, locate, delete", create(), on_bucket("HEAD"), on_bucket("GET", "location"), on_bucket("DELETE"), on_bucket("HEAD"), place=Place.OWN),
    case("CreateBucket", "twice", create(), create(), place=Place.OWN),
    case("CreateBucket", "in a region", on_bucket("PUT", "", xml("CreateBucketConfiguration", "<LocationConstraint>eu-west-1</LocationConstraint>")), on_bucket("GET", "location"), place=Place.OWN),
    case("CreateBucket", "a body that is no XML", on_bucket("PUT", "", b"<Create"), on_bucket("HEAD"), place=Place.OWN),
    case("CreateBucket", "with a canned ACL", Step("PUT", "/{bucket}", {"x-amz-acl": "private"}), on_bucket("GET", "acl"), place=Place.OWN),
    *(case("CreateBucket", f"an invalid name: {name}", Step("PUT", f"/{name}")) for name in ("ab", "UPPER-case", "under_score", "192.168.5.4", "a..b", "-a-b-c", "x" * 64)),
    case("DeleteBucket", "that is not there", on_bucket("DELETE"), place=Place.OWN),
    case("DeleteBucket", "with an object in it", create(), put("k", b"x"), on_bucket("DELETE"), delete("k"), on_bucket("DELETE"), place=Place.OWN),
    case("DeleteBucket", "with an upload in it", create(), on_key("POST", "k", "uploads"), on_bucket("DELETE"), place=Place.OWN),
    case("HeadBucket", "that is not there", on_bucket("HEAD"), place=Place.OWN),
    case("GetBucketLocation", "of a bucket that is not there", on_bucket("GET", "location"), place=Place.OWN),
)  # fmt: skip

_OTHERS = (
    *(_setting(name, *words) for name, words in _SETTINGS.items()),
    *(case(name, f"{query} by id", create(), on_bucket("GET", query), _set(f"{query}&id=one", root, "<Id>one</Id>"), on_bucket("GET", f"{query}&id=one"), place=Place.OWN)
      for name, (query, root) in _BY_ID.items()),
    case("Cors", "a body that is no XML", on_bucket("PUT", "cors", b"<CORS", DIGESTED)),
    case("Cors", "no rules", _set("cors", "CORSConfiguration", "")),
    case("Cors", "preflight and answers", create(), _set("cors", "CORSConfiguration", _CORS), put("k", b"x"), _preflight("https://a.example", "PUT"), _preflight("https://b.example", "PUT"),
         _preflight("https://a.example", "DELETE"), get("k", "", {"origin": "https://a.example"}), get("k", "", {"origin": "https://b.example"}),
         head("k", "", {"origin": "https://a.example"}), place=Place.OWN),
    case("Cors", "preflight without rules", _preflight("https://a.example", "GET")),
    case("Policy", "get, put, get, delete", create(), on_bucket("GET", "policy"), on_bucket("PUT", "policy", _POLICY), on_bucket("GET", "policy"), on_bucket("GET", "policyStatus"),
         on_bucket("DELETE", "policy"), on_bucket("GET", "policy"), place=Place.OWN),
    case("Policy", "a body that is no JSON", create(), on_bucket("PUT", "policy", b"{"), place=Place.OWN),
    case("Acl", "of a bucket", create(), on_bucket("GET", "acl"), Step("PUT", "/{bucket}?acl", {"x-amz-acl": "private"}), on_bucket("GET", "acl"), place=Place.OWN),
    case("Acl", "of an object", put("k", b"x"), get("k", "acl"), Step("PUT", "/{bucket}/{prefix}k?acl", {"x-amz-acl": "private"}), get("k", "acl"), get("k")),
    case("Acl", "of a key that is not there", get("none", "acl")),
    case("Acl", "a malformed document", put("k", b"x"), put("k", b"<Access", query="acl")),
    case("Acl", "an unknown canned one", put("k", b"x"), put("k", headers={"x-amz-acl": "secret"}, query="acl")),
    case("Lifecycle", "malformed", create(), _set("lifecycle", "LifecycleConfiguration", "<Rule></Rule>"), place=Place.OWN),
    case("ObjectTagging", "get, put, get, delete", put("k", b"x"), get("k", "tagging"), _tags("a=1"), get("k", "tagging"), head("k"), delete("k", "tagging"), get("k", "tagging")),
    case("ObjectTagging", "in UTF-8", put("k", b"x"), _tags("ü=€"), get("k", "tagging")),
    case("ObjectTagging", "the same tag twice", put("k", b"x"), _tags("a=1", "a=2"), get("k", "tagging")),
    case("ObjectTagging", "eleven", put("k", b"x"), _tags(*(f"t{n}=1" for n in range(11))), get("k", "tagging")),
    case("ObjectTagging", "a key too long", put("k", b"x"), _tags("k" * 129 + "=1")),
    case("ObjectTagging", "a body that is no XML", put("k", b"x"), put("k", b"<Tagging", query="tagging")),
    case("ObjectTagging", "of a key that is not there", get("none", "tagging"), Step("PUT", "/{bucket}/{prefix}none?tagging", {}, xml("Tagging", "<TagSet></TagSet>"))),
    case("ObjectTagging", "of a version", put("k", b"1"), put("k", b"2"), put("k", xml("Tagging", "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet>"), query="tagging&versionId={version:1}"),
         get("k", "tagging"), get("k", "tagging&versionId={version:1}"), place=Place.VERSIONED),
    case("Others", "RestoreObject", put("k", b"x"), on_key("POST", "k", "restore", {}, xml("RestoreRequest", "<Days>1</Days>"))),
    case("Others", "GetObjectTorrent", put("k", b"x"), get("k", "torrent")),
    case("Others", "SelectObjectContent", put("k", b"a,b"), on_key("POST", "k", "select&select-type=2", {}, xml("SelectObjectContentRequest", "<Expression>select * from s3object</Expression>"))),
    case("Others", "an unknown sub-resource of a bucket", on_bucket("GET", "unknown-thing&prefix={prefix}")),
    case("Others", "an unknown method", Step("PATCH", "/{bucket}/{prefix}k")),
    case("Others", "POST on a key", Step("POST", "/{bucket}/{prefix}k", {}, b"x")),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_LIVES, *_OTHERS)
