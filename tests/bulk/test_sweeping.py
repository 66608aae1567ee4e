"""`sseproxy objects sweep`: the state of dead uploads goes, that of all others stays."""

from pathlib import Path
from typing import Any

from tests.bulk.conftest import Place

STATE = "sseproxy-state"


def _begin(place: Place, key: str, parts: int = 2) -> dict[str, Any]:
    """Begin an upload through the proxy and send parts; the last is short, so it waits in the state bucket."""
    names = {"Bucket": place.bucket, "Key": key}
    upload = {**names, "UploadId": place.through.create_multipart_upload(**names)["UploadId"]}
    for number in range(1, parts + 1):
        place.through.upload_part(**upload, PartNumber=number, Body=b"short" * number)
    return upload


def _state(place: Place) -> list[str]:
    listed = place.past.list_objects_v2(Bucket=STATE, Prefix="uploads/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def test_only_the_state_of_uploads_that_the_store_does_not_know_goes(place: Place, tmp_path: Path) -> None:
    alive, dead = _begin(place, "alive"), _begin(place, "dead/ü")
    place.past.abort_multipart_upload(**dead)  # behind the proxy, as a lifecycle rule does
    everything = _state(place)
    names = ("--bucket", place.bucket)

    recent = place.tool.run("sweep", *names, report=tmp_path / "recent")
    dry = place.tool.run("sweep", *names, "--older-than", "0", "--dry-run", report=tmp_path / "dry")
    assert _state(place) == everything
    done = place.tool.run("sweep", *names, "--older-than", "0", report=tmp_path / "done")

    def of_this_bucket(lines: list[dict[str, Any]]) -> dict[str, str]:
        return {line["object"]: line["outcome"] for line in lines if line.get("bucket") == place.bucket}

    assert (recent.code, of_this_bucket(recent.objects)) == (0, {"alive": "recent", "dead/ü": "recent"}), recent.err
    assert (dry.code, of_this_bucket(dry.objects)) == (0, {"alive": "alive", "dead/ü": "would be removed"})
    assert (done.code, of_this_bucket(done.objects)) == (0, {"alive": "alive", "dead/ü": "removed"})
    left = {key.split("/")[1] for key in _state(place)}
    assert {key.split("/")[1] for key in everything} - left == {
        line["key"].split("/")[1] for line in done.objects if line["outcome"] == "removed"
    }
    parts = [{"PartNumber": 2, "ETag": place.through.list_parts(**alive)["Parts"][1]["ETag"]}]
    place.through.complete_multipart_upload(**alive, MultipartUpload={"Parts": parts})
    assert place.read("alive") == b"shortshort"


def test_leftovers_without_an_envelope_go_when_they_are_old(place: Place, tmp_path: Path) -> None:
    upload = _begin(place, "k")
    folders = {key.rpartition("/")[0].split("/")[1] for key in _state(place)}
    (envelope,) = [key for key in _state(place) if key.endswith("/envelope") and _is_of(place, key, upload)]
    place.past.delete_object(Bucket=STATE, Key=envelope)
    place.past.put_object(Bucket=STATE, Key="probes/left", Body=b"1")

    done = place.tool.run("sweep", "--older-than", "0", report=tmp_path / "report")

    outcomes = {line["key"]: line["outcome"] for line in done.objects}
    assert outcomes[envelope.removesuffix("envelope")] == outcomes["probes/left"] == "removed"
    assert envelope.split("/")[1] not in {key.split("/")[1] for key in _state(place)}
    assert len(folders) >= 1
    assert done.out.startswith("sweep of the state bucket: ")


def _is_of(place: Place, key: str, upload: dict[str, Any]) -> bool:
    data: bytes = place.past.get_object(Bucket=STATE, Key=key)["Body"].read()
    return upload["UploadId"].encode() in data


def test_state_that_was_moved_is_a_problem_and_stays(place: Place, tmp_path: Path) -> None:
    upload = _begin(place, "k")
    (envelope,) = [key for key in _state(place) if key.endswith("/envelope") and _is_of(place, key, upload)]
    moved = f"uploads/{'0' * 64}/envelope"
    place.past.copy_object(Bucket=STATE, Key=moved, CopySource={"Bucket": STATE, "Key": envelope})

    done = place.tool.run("sweep", "--older-than", "0", report=tmp_path / "report")
    place.past.delete_object(Bucket=STATE, Key=moved)

    assert done.code == 1
    assert "The state of an upload lies in the place of another one." in done.err
    assert {line["key"]: line["outcome"] for line in done.objects}[moved.removesuffix("envelope")] == "tampered"
