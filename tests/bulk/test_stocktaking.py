"""`sseproxy objects inventory`: which object is sealed how."""

import csv
from pathlib import Path

from sseproxy.bulk.outcome import Share, Tally
from sseproxy.cli.objects_inventory import chart
from tests.bulk.conftest import Place
from tests.support.rotation import create_key


def test_every_object_is_told_with_algorithm_cmk_and_version(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="aes", Body=b"hello")
    cmk = create_key(place.proxy.data, alias="alias/stocktaking")
    place.through.put_object(
        Bucket=place.bucket, Key="kms", Body=b"hello", ServerSideEncryption="aws:kms", SSEKMSKeyId=cmk
    )
    place.past.put_object(Bucket=place.bucket, Key="plain", Body=b"was there before")
    place.past.put_object(Bucket=place.bucket, Key="odd", Body=b"x", Metadata={"sseproxy": "AAAA"})
    table = tmp_path / "objects.csv"

    done = place.run("inventory", "--csv", str(table), report=tmp_path / "report")

    lines = {line["key"]: line for line in done.objects}
    assert done.code == 1
    assert list(lines) == ["aes", "kms", "odd", "plain"]
    assert {name: lines["kms"][name] for name in ("outcome", "algorithm", "cmk", "cmk_version", "bytes")} == {
        "outcome": "sealed", "algorithm": "KMS", "cmk": cmk, "cmk_version": "1", "bytes": 5,
    }  # fmt: skip
    assert (lines["aes"]["algorithm"], lines["plain"]["outcome"], lines["odd"]["outcome"]) == (
        "AES256", "plain", "unreadable",
    )  # fmt: skip
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["key"], row["algorithm"], row["cmk_version"], row["bytes"]) for row in rows] == [
        ("aes", "AES256", "1", "5"), ("kms", "KMS", "1", "5"), ("odd", "", "", "0"), ("plain", "", "", "16"),
    ]  # fmt: skip
    assert f"KMS {cmk} version 1 " in done.out
    assert "████████████████████████████████████████" in done.out


def test_an_object_that_was_moved_behind_the_proxy_is_told(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="a", Body=b"hello")
    place.past.copy_object(Bucket=place.bucket, Key="b", CopySource=f"{place.bucket}/a")

    done = place.run("inventory", "--json", report=tmp_path / "report")

    assert {line["key"]: line["written_for_this_name"] for line in done.objects} == {"a": True, "b": False}
    (group,) = done.document["groups"].values()
    assert (done.code, group) == (0, {"objects": 2, "bytes": 10})


def test_the_chart_shows_shares_longest_first() -> None:
    tally = Tally(groups={"not sealed": Share(1, 10), "KMS a version 2": Share(30, 2048), "KMS a version 1": Share(9)})

    assert chart(tally) == [
        "",
        "KMS a version 2  " + "█" * 40 + "         30  75.0%     2.0 KiB",
        "KMS a version 1  " + "█" * 12 + " " * 28 + "          9  22.5%         0 B",
        "not sealed       " + "█" + " " * 39 + "          1   2.5%        10 B",
    ]
    assert chart(Tally()) == []
