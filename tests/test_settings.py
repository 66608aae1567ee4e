"""The settings' own rules, and that example and reference tell the truth about them."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from sseproxy.config import load_settings
from sseproxy.settings import ClientsSettings, Listen, Settings, StateSettings, is_loopback, split_address
from sseproxy.settings_upstream import UpstreamSettings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "deploy" / "sseproxy.example.toml"
REFERENCE = ROOT / "docs" / "configuration.md"
NO_DEFAULT = object()

# Tables whose keys are not fixed: how the example and the reference call them.
INNER = {
    "clients.credentials": "clients.credentials[]",
    "clients.grants": "clients.grants[]",
    "encryption.buckets": "encryption.buckets.NAME",
    "remote_kms.routes": "remote_kms.routes[]",
    "remote_kms.vault": "remote_kms.vault.NAME",
    "remote_kms.aws": "remote_kms.aws.NAME",
    "remote_kms.alibaba": "remote_kms.alibaba.NAME",
    "remote_kms.pkcs11": "remote_kms.pkcs11.NAME",
}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def every_setting(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key with a value of its own, by its full name."""
    for name, info in model.model_fields.items():
        key = prefix + name
        inner = _model_in(info.annotation)
        if inner is None or key in INNER:
            yield key, info
        if inner is not None:
            yield from every_setting(inner, INNER.get(key, key) + ".")


def default_of(info: FieldInfo) -> object:
    """The default as TOML can say it; None where it cannot."""
    if info.is_required():
        return NO_DEFAULT
    default = info.get_default(call_default_factory=True, validated_data={})
    assert default is not PydanticUndefined
    return to_jsonable_python(default)


def reference_row(key: str, info: FieldInfo) -> str:
    default = default_of(info)
    shown = "needed" if default is NO_DEFAULT else "absent" if default is None else f"`{_toml(default)}`"
    return f"| `{key}` | {shown} | {info.description} |"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if isinstance(value, str | list) else str(value)


# ---- the example and the reference ----


def _stated(text: str) -> dict[str, Any]:
    """Every key of a TOML text, nested ones by their full name."""
    stated: dict[str, Any] = {}

    def collect(table: dict[str, Any], prefix: str) -> None:
        for name, value in table.items():
            key = prefix + name
            if isinstance(value, list) and value and isinstance(value[0], dict):
                stated[key] = value
                collect(value[0], INNER[key] + ".")
            elif isinstance(value, dict) and f"{prefix}NAME" in INNER.values():
                collect(value, f"{prefix}NAME.")
            elif isinstance(value, dict) and not {"file", "env"} & set(value):
                stated[key] = value
                collect(value, key + ".")
            else:
                stated[key] = value

    collect(tomllib.loads(text), "")
    return stated


def _uncommented(text: str) -> str:
    """The example with its optional lines put in force."""
    return re.sub(r"(?m)^# (?=(\w+ = |\[))", "", text)


def _without_other_root_keys(text: str) -> str:
    """Of the three ways to give the root key, one counts."""
    return re.sub(r"(?m)^root_(key|passphrase) = .*\n", "", text)


def test_every_setting_has_a_description() -> None:
    assert [key for key, info in every_setting() if not info.description] == []


def test_the_example_has_every_setting_and_no_other() -> None:
    stated = set(_stated(_uncommented(EXAMPLE.read_text())))

    sections = {*Settings.model_fields, "upstream.credentials"}
    assert stated - sections == {key for key, _ in every_setting()}


def test_what_the_example_states_is_the_default_unless_it_is_needed() -> None:
    stated = _stated(EXAMPLE.read_text())
    defaults = {key: default_of(info) for key, info in every_setting()}

    differing = {
        key: (value, defaults[key])
        for key, value in stated.items()
        if key in defaults and defaults[key] is not NO_DEFAULT and value != defaults[key]
    }
    needed = {"upstream.access_key", "upstream.secret_key"}
    # there is no useful proxy without these
    assert set(differing) == {"clients.credentials", "kms.root_key_file", *needed}


@pytest.mark.parametrize("optional", [False, True], ids=["as it is", "with everything uncommented"])
def test_the_example_loads(tmp_path: Path, *, optional: bool) -> None:
    text = EXAMPLE.read_text()
    text = _without_other_root_keys(_uncommented(text)) if optional else text
    for directory in ("/etc/sseproxy/secrets", "/etc/sseproxy/tls", "/var/lib/sseproxy"):
        text = text.replace(directory, str(tmp_path))
    for name in set(re.findall(rf'"{re.escape(str(tmp_path))}/([\w.-]+)"', text)) - {"kms.sqlite3"}:
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("0" * 64)
    path = tmp_path / "sseproxy.toml"
    path.write_text(text)

    settings = load_settings(path)

    assert settings.clients.credentials[0].access_key == "app"
    assert set(settings.encryption.buckets) == ({"photos"} if optional else set())


def test_the_reference_describes_every_setting_as_it_is() -> None:
    rows = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]

    assert rows == [reference_row(key, info) for key, info in every_setting()]


# ---- rules ----


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
    ],
)
def test_an_address_is_split_into_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        "",
        "9000",
        ":9000",
        "localhost",
        "localhost:",
        "localhost:http",
        "::1:9000",
        "[]:1",
        "h:65536",
        "h:-1",
        "h:１",  # noqa: RUF001  # a digit, but not an ASCII one
        "[h]:1",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"is not HOST:PORT; write for example"):
        split_address(address)


@given(st.text())
def test_splitting_any_text_gives_an_address_or_a_value_error(text: str) -> None:
    try:
        host, port = split_address(text)
    except ValueError:
        return
    assert host
    assert 0 <= port <= 65535


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True), ("127.8.9.1:1", True), ("[::1]:1", True), ("localhost:1", True),
        ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False), ("localhost.example.com:1", False),
    ],
)  # fmt: skip
def test_only_addresses_of_this_host_are_loopback(address: str, *, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    "endpoint",
    ["s3.example.com", "ftp://h", "http://", "https://h/path", "https://h?x", "https://h#x", "https://me:pw@h", "http://h:0", "http://h:99999"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        UpstreamSettings.model_validate({"endpoint": endpoint, "access_key": "a", "secret_key": "s"})


def test_an_endpoint_loses_its_last_slash() -> None:
    upstream = UpstreamSettings.model_validate({"endpoint": "https://h:9/", "access_key": "a", "secret_key": "s"})

    assert upstream.endpoint == "https://h:9"


def test_half_of_a_tls_pair_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"listen\.tls_cert and listen\.tls_key go together"):
        Listen(tls_cert=Path("cert.pem"))


@pytest.mark.parametrize("name", ["ab", "Upper", "-x-", "a" * 64, "under_score", "sp ace"])
def test_a_state_bucket_with_an_illegal_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        StateSettings(bucket=name)


@pytest.mark.parametrize("prefix", ["x" * 341, "ä" * 171, "a\n", "a\0b"])
def test_a_state_prefix_that_would_not_fit_into_a_key_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        StateSettings(prefix=prefix)


def _whole(**clients: object) -> dict[str, object]:
    return {
        "upstream": {"endpoint": "https://h", "access_key": "a", "secret_key": "s"},
        "kms": {"database": "k", "root_key_file": "r"},
        "clients": clients,
    }


def test_a_proxy_that_could_serve_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"clients\.credentials is empty"):
        Settings.model_validate(_whole())


def test_unsigned_clients_are_trusted_on_loopback_alone() -> None:
    document = _whole(trust_unsigned=True)

    assert Settings.model_validate(document).clients.trust_unsigned
    with pytest.raises(ValidationError, match=r"trust_unsigned lets anybody in who reaches \[::\]:9000"):
        Settings.model_validate({**document, "listen": {"address": "[::]:9000"}})


def test_unsigned_clients_are_trusted_or_the_stores_business() -> None:
    with pytest.raises(
        ValidationError, match=r'trust_unsigned lets unsigned requests do everything, anonymous = "store"'
    ):
        ClientsSettings(trust_unsigned=True, anonymous="store")


@pytest.mark.parametrize(
    ("kms", "message"),
    [
        ({}, r"exactly one of root_key_file, root_key and root_passphrase$"),
        ({"root_key_file": "r", "root_key": "k"}, "root_passphrase, not root_key_file and root_key$"),
        ({"root_passphrase": "p", "root_key": "k"}, "root_passphrase, not root_key and root_passphrase$"),
    ],
)
def test_there_is_one_root_key(kms: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**_whole(trust_unsigned=True), "kms": {"database": "k", **kms}})

    assert re.search(message, refused.value.errors()[0]["msg"])


def test_several_replicas_on_an_embedded_kms_are_refused() -> None:
    document = {**_whole(trust_unsigned=True), "state": {"replicas": 2}}

    with pytest.raises(ValidationError, match=r"state\.replicas is 2, but the embedded KMS .* is for one proxy"):
        Settings.model_validate(document)


def test_an_access_key_that_is_there_twice_is_refused() -> None:
    client = {"access_key": "app", "secret_key": "s"}

    with pytest.raises(ValidationError, match="access key 'app' is there twice"):
        Settings.model_validate(_whole(credentials=[client, client]))


def test_only_temporary_credentials_have_an_end() -> None:
    client = {"access_key": "app", "secret_key": "s", "expires": "2030-01-01T00:00:00Z"}

    with pytest.raises(ValidationError, match="set security_token too"):
        Settings.model_validate(_whole(credentials=[client]))
    with pytest.raises(ValidationError, match="timezone"):
        Settings.model_validate(
            _whole(credentials=[{**client, "security_token": "t", "expires": "2030-01-01T00:00:00"}])
        )


@pytest.mark.parametrize("seconds", [0, -1, "nan", "inf"])
def test_a_duration_is_finite_and_positive(seconds: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({**_whole(trust_unsigned=True), "limits": {"drain_timeout": seconds}})
