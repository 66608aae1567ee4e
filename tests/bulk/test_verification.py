"""`sseproxy objects verify`: whatever was changed is found and named, and nothing else is."""

from pathlib import Path

from sseproxy.format import parse_tail
from tests.bulk.conftest import Place
from tests.support.killing import run_until_killed
from tests.support.objects_tool import read_report

BIG = bytes(range(256)) * 1200  # five frames


def _reseed(place: Place, key: str, stored: bytes) -> None:
    """Change an object's stored bytes, its metadata untouched."""
    head = place.past.head_object(Bucket=place.bucket, Key=key)
    place.past.put_object(Bucket=place.bucket, Key=key, Body=stored, Metadata=head["Metadata"])


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_every_kind_of_damage_is_told_with_the_key_and_the_reason(place: Place, tmp_path: Path) -> None:
    for key in ("a-frame", "end", "envelope", "footer", "good", "lost", "swapped", "unusable recovery"):
        place.through.put_object(Bucket=place.bucket, Key=key, Body=BIG)
    place.past.put_object(Bucket=place.bucket, Key="plain", Body=b"was there before")
    stored = {key: place.stored(key) for key in ("a-frame", "end", "footer", "good", "lost", "unusable recovery")}
    _reseed(place, "a-frame", _flip(stored["a-frame"], 70_000))
    _reseed(place, "end", stored["end"][:-1])
    _reseed(place, "footer", _flip(stored["footer"], len(stored["footer"]) - 30))  # its copy in the metadata is good
    _reseed(place, "swapped", stored["good"])
    tail = parse_tail(stored["unusable recovery"][-16:])
    assert tail is not None
    recovery = len(stored["unusable recovery"]) - tail.closing_length - tail.recovery_length
    _reseed(place, "unusable recovery", _flip(stored["unusable recovery"], recovery))
    place.past.put_object(Bucket=place.bucket, Key="lost", Body=stored["lost"])
    place.past.put_object(Bucket=place.bucket, Key="envelope", Body=stored["good"], Metadata={"sseproxy": "AAAA"})

    done = place.run("verify", report=tmp_path / "report")

    assert done.code == 1
    found = {line["key"]: (line["outcome"], line.get("reason"), line.get("recovery")) for line in done.objects}
    assert found == {
        "a-frame": ("tampered", "FrameRejected", None),
        "end": ("tampered", "FooterRejected", None),
        "envelope": ("tampered", "EnvelopeRejected", None),
        "footer": ("tampered", "FooterRejected", None),
        "good": ("verified", None, "good"),
        "lost": ("tampered", "MetadataLost", None),
        "plain": ("plain", None, None),
        "swapped": ("tampered", "FooterRejected", None),
        "unusable recovery": ("verified", None, "damaged"),
    }
    assert "a-frame: tampered: Frame 1 of segment 1 failed its integrity check." in done.err.splitlines()
    assert done.out.splitlines() == [
        f"verify of {place.bucket}/: 9 objects, 600.0 KiB",
        "  plain                           1          16 B",
        "  tampered                        6           0 B",
        "  verified                        2     600.0 KiB",
    ]
    assert done.report[-1]["problems"] == 6


def test_all_is_well_with_code_0_and_the_summary_is_json_on_demand(place: Place) -> None:
    place.through.put_object(Bucket=place.bucket, Key="a/empty", Body=b"")
    place.through.put_object(Bucket=place.bucket, Key="a/%ü +", Body=BIG)
    place.past.put_object(Bucket=place.bucket, Key="b", Body=b"outside of the prefix")

    done = place.run("verify", "--prefix", "a/", "--json")

    assert (done.code, done.err) == (0, "")
    assert done.document == {
        "tool": "verify", "bucket": place.bucket, "prefix": "a/", "dry_run": False, "objects": 2, "bytes": len(BIG),
        "problems": 0, "outcomes": {"verified": 2}, "groups": {}, "notes": [],
    }  # fmt: skip


def test_a_run_that_was_killed_goes_on_and_reports_each_object_once_in_order(place: Place, tmp_path: Path) -> None:
    keys = [f"k{number:03}" for number in range(60)]
    for key in keys:
        place.through.put_object(Bucket=place.bucket, Key=key, Body=b"hello")
    report = tmp_path / "report"
    arguments = ("--bucket", place.bucket, "--concurrency", "2", "--report", str(report))
    process = place.tool.start("verify", *arguments)
    run_until_killed(process, lambda: len(read_report(report)) > 10, place.tool.log)
    first = [line["key"] for line in read_report(report) if "outcome" in line]
    with report.open("ab") as file:
        file.write(b'{"key": "k0')  # as if the kill had come within a write

    done = place.run("verify", "--resume", "--concurrency", "2", "--json", report=report)

    assert (process.returncode, 10 <= len(first) < 60) == (-9, True)
    assert (done.code, done.document["objects"]) == (0, 60), done.err
    assert [line["key"] for line in done.objects] == keys


def test_a_report_is_not_overwritten_and_only_taken_up_by_the_same_run(place: Place, tmp_path: Path) -> None:
    report = tmp_path / "report"
    place.run("verify", report=report)

    again = place.run("verify", report=report)
    other = place.run("verify", "--prefix", "x", "--resume", report=report)
    nothing = place.run("verify", "--resume")

    assert (again.code, again.err) == (
        2, f"sseproxy: {report} exists; give another --report, or --resume to go on from it\n",
    )  # fmt: skip
    assert (other.code, other.err) == (
        2, f"sseproxy: {report} is not the report of such a run; give the same arguments, or another file\n",
    )  # fmt: skip
    assert (nothing.code, nothing.err) == (2, "sseproxy: --resume goes on from a report: name it with --report\n")


def test_a_bucket_that_is_not_there_is_told(place: Place) -> None:
    done = place.tool.run("verify", "--bucket", "no-such-bucket")

    assert (done.code, done.err) == (1, "sseproxy: The specified bucket does not exist\n")
