"""Objects of all kinds that S3 clients write, and what listings and HEAD say of them."""

from collections.abc import Mapping
from typing import Any

from tests.support.servers import Server, s3_client

_MIB = 1024 * 1024
_CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(range(32))}
Told = dict[str, tuple[int, str]]
"""Size and ETag by key."""
WRITTEN = 8  # how many objects `write_objects` leaves


def write_objects(server: Server, bucket: str, prefix: str) -> None:
    """Write empty, short and long objects, with KMS, a checksum, a customer's key (over plain HTTP), a copy, one in parts."""
    client, where = s3_client(server), {"Bucket": bucket}
    for size in (0, 11, _MIB + 1):
        client.put_object(**where, Key=f"{prefix}/{size}", Body=bytes(size))
    client.put_object(**where, Key=f"{prefix}/kms", Body=b"kms", ServerSideEncryption="aws:kms")
    client.put_object(**where, Key=f"{prefix}/sha", Body=b"sha", ChecksumAlgorithm="SHA256")
    client.put_object(**where, Key=f"{prefix}/customer", Body=b"customer", **_CUSTOMER)
    client.copy_object(**where, Key=f"{prefix}/copy ä+", CopySource=f"{bucket}/{prefix}/11")
    upload = {**where, "Key": f"{prefix}/parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=bytes(size))["ETag"]}
        for number, size in ((2, 5 * _MIB), (7, 3))
    ]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def told_of(server: Server, bucket: str) -> dict[str, Told]:
    """Return what HEAD says of each object that is listed, and what every kind of listing says."""
    client = s3_client(server)
    pages = {
        "v1": client.list_objects(Bucket=bucket)["Contents"],
        "v2": client.list_objects_v2(Bucket=bucket)["Contents"],
        "versions": client.list_object_versions(Bucket=bucket)["Versions"],
    }
    told = {name: {entry["Key"]: (entry["Size"], entry["ETag"]) for entry in page} for name, page in pages.items()}
    heads = {
        key: client.head_object(Bucket=bucket, Key=key, **(_CUSTOMER if key.endswith("customer") else {}))
        for key in told["v1"]
    }
    return {"head": {key: (head["ContentLength"], head["ETag"]) for key, head in heads.items()}, **told}


def versions_of(server: Server, bucket: str) -> tuple[dict[tuple[str, str], Any], dict[tuple[str, str], Any]]:
    """Return size and ETag of every version, by key and version id: as listed, and as HEAD tells them."""
    client = s3_client(server)
    listed = {
        (entry["Key"], entry["VersionId"]): (entry["Size"], entry["ETag"])
        for entry in client.list_object_versions(Bucket=bucket)["Versions"]
    }
    heads = {}
    for key, version in listed:
        head = client.head_object(
            Bucket=bucket, Key=key, VersionId=version, **(_CUSTOMER if key.endswith("customer") else {})
        )
        heads[key, version] = (head["ContentLength"], head["ETag"])
    return listed, heads


def different(told: Mapping[str, Mapping[str, Told]]) -> list[Any]:
    """Return where two replicas, or a listing and HEAD, say different things."""
    wanted = told["md5"]["head"]
    return [
        (replica, name, key, shown.get(key), wanted.get(key))
        for replica, documents in told.items()
        for name, shown in documents.items()
        for key in {*shown, *wanted}
        if shown.get(key) != wanted.get(key)
    ]
