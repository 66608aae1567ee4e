"""The tools on an appendable object: a block for every append, and a chain of footers."""

from pathlib import Path

from tests.bulk.conftest import Place, oss_bucket


def test_an_appendable_object_is_verified_counted_shown_and_unsealed(oss_place: Place, tmp_path: Path) -> None:
    client, body = oss_bucket(oss_place), b""
    for number in range(20):  # more than one table of segments
        piece = b"%d," % number * 5_000
        client.append_object("log", len(body), piece)
        body += piece
    sealed, out = tmp_path / "sealed", tmp_path / "out"
    sealed.write_bytes(oss_place.stored("log"))

    verified = oss_place.run("verify", report=tmp_path / "verify")
    counted = oss_place.run("inventory", report=tmp_path / "inventory")
    shown = oss_place.run("inspect", "--key", "log", "--json")
    opened = oss_place.run("unseal", str(sealed), "--key", "log", "-o", str(out))

    assert (verified.code, verified.outcomes) == (0, {"log": "verified"}), verified.err
    assert verified.objects[0]["bytes"] == len(body)
    assert (counted.code, counted.outcomes, counted.objects[0]["layout"]) == (0, {"log": "sealed"}, "append")
    assert (shown.document["footer"]["segments"], shown.document["problems"]) == (20, [])
    assert (opened.code, out.read_bytes() == body) == (0, True), opened.err

    first = bytearray(oss_place.stored("log"))
    first[100] ^= 1
    sealed.write_bytes(bytes(first))
    refused = oss_place.run("unseal", str(sealed), "--key", "log", "-o", str(tmp_path / "none"))
    assert (refused.code, (tmp_path / "none").exists()) == (1, False)
