"""Clients that write, complete, copy, delete, read and list the same few keys at once, and notice every wrong answer.

Every body is made from its own number, so that a reader that knows the ETag knows every byte: two versions that were
mixed, or a size of one and an ETag of another, cannot pass.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

_PART = 5 * 1024 * 1024
_SIZES = (0, 1, 65_535, 65_537, 200_000, 1_200_000, 2_500_001)
_ABSENT = {"NoSuchKey", "404", "NoSuchUpload"}


@dataclass
class Versions:
    """Every body that was ever sent, by its ETag, without quotes. Kept as the number that it is made from."""

    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def body(self, etag: str) -> bytes:
        return body_of(*self.known[etag])

    def size(self, etag: str) -> int:
        return self.known[etag][1]

    def add(self, etag: str, number: int, size: int) -> None:
        with self.lock:
            self.known[etag] = (number, size)


@dataclass
class Tally:
    """How much was done, and what was wrong."""

    done: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def is_due(self, names: AbstractSet[str], until: float) -> bool:
        """Whether it is time to stop: something is wrong, or the moment has come and everything was done once."""
        return bool(self.wrong) or (time.monotonic() >= until and names <= self.done.keys())


def body_of(number: int, size: int) -> bytes:
    """Return the body that a number stands for."""
    return random.Random(number).randbytes(size)


class Racer:
    """One client at one of the proxies. Every method is one thing that it may do to a key."""

    def __init__(self, client: Any, bucket: str, versions: Versions, tally: Tally, seed: int) -> None:
        self._client = client
        self._bucket = bucket
        self._versions = versions
        self._tally = tally
        self._random = random.Random(seed)
        self._number = seed << 32

    def run(self, keys: Sequence[str], until: float) -> None:
        """Do one thing after the other until the moment (`time.monotonic`) has come, and all that there is once."""
        actions: list[Callable[[str], None]] = [
            self.put, self.put, self.get, self.get, self.get, self.range, self.head, self.list, self.complete,
            self.copy, self.delete,
        ]  # fmt: skip
        names = {action.__name__ for action in actions}
        while not self._tally.is_due(names, until):
            action = self._random.choice(actions)
            try:
                action(self._random.choice(keys))
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT:
                    self._tally.wrong.append(f"{action.__name__}: {error}")
            except Exception as error:  # noqa: BLE001  # whatever it is, the test has to say it
                self._tally.wrong.append(f"{action.__name__}: {error!r}")
            self._tally.done[action.__name__] = self._tally.done.get(action.__name__, 0) + 1

    def put(self, key: str) -> None:
        number, size = self._next()
        body = body_of(number, size)
        self._versions.add(hashlib.md5(body).hexdigest(), number, size)
        answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
        self._expect("put", answer["ETag"].strip('"'), hashlib.md5(body).hexdigest())

    def complete(self, key: str) -> None:
        """Send two parts, in a wild order, and complete them."""
        self._number += 1
        number, size = self._number, _PART + self._random.choice(_SIZES[1:])
        body = body_of(number, size)
        parts = {1: body[:_PART], 2: body[_PART:]}
        etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts.values())).hexdigest() + "-2"
        self._versions.add(etag, number, size)
        common = {"Bucket": self._bucket, "Key": key}
        upload = {**common, "UploadId": self._client.create_multipart_upload(**common)["UploadId"]}
        etags = {
            n: self._client.upload_part(**upload, PartNumber=n, Body=parts[n])["ETag"]
            for n in self._random.sample([1, 2], 2)
        }
        listed = [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2)]
        answer = self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
        self._expect("complete", answer["ETag"].strip('"'), etag)

    def copy(self, key: str) -> None:
        """Copy a key onto another; the answer is of one of its versions."""
        source = {"Bucket": self._bucket, "Key": key}
        answer = self._client.copy_object(Bucket=self._bucket, Key=f"{key}-copy", CopySource=source)
        self._versions.size(answer["CopyObjectResult"]["ETag"].strip('"'))

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def get(self, key: str) -> None:
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        expected = self._versions.body(answer["ETag"].strip('"'))
        self._expect("length", answer["ContentLength"], len(expected))
        if answer["Body"].read() != expected:
            self._tally.wrong.append(f"get {key}: wrong bytes for {answer['ETag']}")

    def range(self, key: str) -> None:
        first = self._random.randrange(100_000)
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={first}-{first + 70_000}")
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidRange":
                raise
            return
        expected = self._versions.body(answer["ETag"].strip('"'))
        if answer["Body"].read() != expected[first : first + 70_001]:
            self._tally.wrong.append(f"range {key}: wrong bytes for {answer['ETag']}")

    def head(self, key: str) -> None:
        answer = self._client.head_object(Bucket=self._bucket, Key=key)
        self._expect("size", answer["ContentLength"], self._versions.size(answer["ETag"].strip('"')))

    def list(self, _key: str) -> None:
        for entry in self._client.list_objects_v2(Bucket=self._bucket).get("Contents", []):
            self._expect("listed size", entry["Size"], self._versions.size(entry["ETag"].strip('"')))

    def _next(self) -> tuple[int, int]:
        self._number += 1
        return self._number, self._random.choice(_SIZES)

    def _expect(self, what: str, got: object, expected: object) -> None:
        if got != expected:
            self._tally.wrong.append(f"{what}: {got!r} instead of {expected!r}")


def race(clients: Sequence[Any], bucket: str, keys: Sequence[str], seconds: float) -> tuple[Tally, Versions]:
    """Let two racers per client go at the keys for so many seconds, or until everything was done once."""
    tally, versions = Tally(), Versions()
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=Racer(client, bucket, versions, tally, seed).run, args=(keys, until))
        for seed, client in enumerate([*clients, *clients], 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally, versions
