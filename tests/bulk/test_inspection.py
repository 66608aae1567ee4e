"""`sseproxy objects inspect`: what it shows, and that it shows no secret."""

from tests.bulk.conftest import Place
from tests.support.objects_tool import tool_of
from tests.support.rotation import create_key
from tests.support.servers import Launcher, s3_client


def test_a_small_object_is_shown_with_envelope_footer_and_recovery_record(place: Place) -> None:
    cmk = create_key(place.proxy.data, alias="alias/inspected")
    put = place.through.put_object(
        Bucket=place.bucket, Key="a/ü +1", Body=b"hello", ServerSideEncryption="aws:kms", SSEKMSKeyId=cmk
    )

    done = place.run("inspect", "--key", "a/ü +1", "--json")

    assert done.code == 0, done.err
    assert done.document["problems"] == []
    shown = done.document
    assert shown["object"]["sealed"] is True
    assert shown["object"]["stored_size"] == 5 + 16 + 1024
    assert shown["envelope"]["cmk"] == cmk
    assert {name: shown["envelope"][name] for name in ("algorithm", "layout", "binding", "cmk_version")} == {
        "algorithm": "KMS", "layout": "single", "binding": "bucket-key", "cmk_version": "1",
    }  # fmt: skip
    assert shown["envelope"]["written_for_this_name"] is True
    assert shown["footer"]["plaintext_size"] == 5
    assert f'"{shown["footer"]["etag"]}"' == put["ETag"]
    assert shown["recovery"]["present"] is shown["recovery"]["same_as_envelope"] is True


def test_no_wrapped_key_and_no_key_is_shown(place: Place) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    envelope = place.past.head_object(Bucket=place.bucket, Key="k")["Metadata"]["sseproxy"]

    done = place.run("inspect", "--key", "k", "--json")

    assert done.code == 0
    windows = {envelope[at : at + 24] for at in range(len(envelope) - 24)}
    assert not any(window in done.out for window in windows)
    assert "sseproxy-dev-secret" not in done.out + done.err


def test_an_object_that_is_not_sealed_is_told_as_such(place: Place) -> None:
    place.past.put_object(Bucket=place.bucket, Key="plain", Body=b"hello")

    done = place.run("inspect", "--key", "plain")

    assert (done.code, done.err) == (0, "")
    assert "  sealed                       no" in done.out.splitlines()


def test_lost_metadata_a_moved_object_and_an_absent_one_are_problems(place: Place) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    head = place.past.head_object(Bucket=place.bucket, Key="k")
    place.past.put_object(Bucket=place.bucket, Key="lost", Body=place.stored("k"))
    place.past.put_object(Bucket=place.bucket, Key="moved", Body=place.stored("k"), Metadata=head["Metadata"])

    lost, moved = place.run("inspect", "--key", "lost"), place.run("inspect", "--key", "moved", "--json")
    absent = place.run("inspect", "--key", "absent")

    assert (lost.code, moved.code, absent.code) == (1, 1, 1)
    assert "problem: The object ends like a sealed one, but its metadata was lost" in lost.out
    assert "cmk " in lost.out
    assert "written for another name" in moved.document["problems"][0]
    assert moved.document["envelope"]["written_for_this_name"] is False
    assert absent.err == f"sseproxy: There is no object absent in {place.bucket}.\n"


def test_the_tools_reach_the_objects_of_a_dev_server_running_or_not(launcher: Launcher) -> None:
    assert launcher.nonce_log is not None
    dev = launcher.dev()
    s3_client(dev).create_bucket(Bucket="photos")
    s3_client(dev).put_object(Bucket="photos", Key="k", Body=b"hello")
    tool = tool_of(dev, launcher.nonce_log)

    running = tool.run("inspect", "--bucket", "photos", "--key", "k", "--json")
    access = dev.data / "store-access.json"
    mode = access.stat().st_mode & 0o777
    dev.stop()
    stopped = tool.run("inspect", "--bucket", "photos", "--key", "k", "--json")

    assert running.document == stopped.document
    assert running.document["footer"]["plaintext_size"] == 5
    assert (mode, access.exists()) == (0o600, False)


def test_exactly_one_place_must_be_given(place: Place) -> None:
    done = place.run("inspect", "--key", "k", "--data", "/nowhere")

    assert done.code == 2
    assert "give either --config FILE, or --data DIR of a dev server" in done.err


def test_a_directory_of_no_dev_server_is_refused(place: Place) -> None:
    tool = place.tool.__class__(("--data", "/nowhere"), place.tool.nonces)

    done = tool.run("inspect", "--bucket", "b", "--key", "k")

    assert done.code == 2
    assert done.err == (
        "sseproxy: /nowhere is not the directory of a dev server; give the --data it was started with\n"
    )
