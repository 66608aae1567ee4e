"""Reading the configuration: what is taken from where, and what an operator is told when something is wrong."""

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from sseproxy.config import load_settings
from sseproxy.errors import ConfigurationError
from sseproxy.model import Algorithm, EtagMode, WriteCondition
from tests.support.ciphers import without_sm4

MINIMAL = """
[upstream]
endpoint = "https://s3.example.com"
access_key = "proxy"
secret_key = "proxy-secret"
[[clients.credentials]]
access_key = "app"
secret_key = "app-secret"
[kms]
database = "{directory}/kms.sqlite3"
root_key_file = "{directory}/root.key"
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SSEPROXY_")]:
        monkeypatch.delenv(name)


def _write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    path.chmod(mode)
    return path


def _config(directory: Path, text: str = MINIMAL, *, extra: str = "", mode: int = 0o600) -> Path:
    if not (directory / "root.key").exists():
        _write(directory / "root.key", "00" * 32)
    return _write(directory / "sseproxy.toml", text.format(directory=directory) + extra, mode)


def _problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(path)
    heading, *lines = refused.value.message.splitlines()
    assert heading.startswith(f"{path}: {len(lines)} problem")
    return [line.strip() for line in lines]


def test_a_small_file_gives_the_defaults_for_everything_else(tmp_path: Path) -> None:
    settings = load_settings(_config(tmp_path))

    assert settings.listen.address == "127.0.0.1:9000"
    assert settings.upstream.secret_key == SecretStr("proxy-secret")
    assert [client.access_key for client in settings.clients.credentials] == ["app"]
    assert settings.limits.requests == 1024


def test_a_variable_overrides_the_file_and_adds_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_UPSTREAM__ENDPOINT", "http://127.0.0.1:1234/")
    monkeypatch.setenv("SSEPROXY_LIMITS__REQUESTS", "7")
    monkeypatch.setenv("SSEPROXY_LOGGING__ACCESS_LOG", "false")
    monkeypatch.setenv("SSEPROXY_LISTEN__DOMAINS", '["s3.example.com"]')
    monkeypatch.setenv("SSEPROXY_ENCRYPTION__BUCKETS", '{"ph-otos": {"etag": "opaque"}}')

    settings = load_settings(_config(tmp_path, extra='[encryption.buckets.other]\netag = "md5"\n'))

    assert settings.upstream.endpoint == "http://127.0.0.1:1234"
    assert (settings.limits.requests, settings.logging.access_log) == (7, False)
    assert settings.listen.domains == ("s3.example.com",)
    assert {name: rule.etag for name, rule in settings.encryption.buckets.items()} == {
        "ph-otos": EtagMode.OPAQUE, "other": EtagMode.MD5,
    }  # fmt: skip


def test_credentials_can_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_CLIENTS__CREDENTIALS", '[{"access_key": "x", "secret_key": {"env": "THEIR_SECRET"}}]')
    monkeypatch.setenv("THEIR_SECRET", "from-outside")

    settings = load_settings(_config(tmp_path))

    assert [(c.access_key, c.secret_key.get_secret_value()) for c in settings.clients.credentials] == [
        ("x", "from-outside")
    ]


# ---- secrets ----


def test_a_secret_is_read_from_a_file_without_its_last_line_break(tmp_path: Path) -> None:
    secret = _write(tmp_path / "secret", "from file \n", 0o440)
    text = MINIMAL.replace('"proxy-secret"', f'{{{{ file = "{secret}" }}}}')

    assert load_settings(_config(tmp_path, text)).upstream.secret_key == SecretStr("from file ")


def test_a_secret_is_read_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_SECRET_OF_THE_APP", "from-env")  # named in the file, so no misspelled setting
    text = MINIMAL.replace('"app-secret"', '{{ env = "SSEPROXY_SECRET_OF_THE_APP" }}')

    settings = load_settings(_config(tmp_path, text))

    assert settings.clients.credentials[0].secret_key.get_secret_value() == "from-env"


def test_a_reference_in_the_environment_replaces_the_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = _write(tmp_path / "secret", "from file")
    monkeypatch.setenv("SSEPROXY_UPSTREAM__SECRET_KEY__FILE", str(secret))
    text = MINIMAL.replace('"proxy-secret"', '{{ env = "NOT_SET_ANYWHERE" }}')

    assert load_settings(_config(tmp_path, text)).upstream.secret_key == SecretStr("from file")


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o602])
def test_a_secret_file_that_everybody_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    secret = _write(tmp_path / "secret", "x", mode)
    text = MINIMAL.replace('"proxy-secret"', f'{{{{ file = "{secret}" }}}}')

    assert _problems(_config(tmp_path, text)) == [
        f"upstream.secret_key: {secret} can be read or written by every user of this machine; chmod o-rw it"
    ]


def test_a_configuration_with_secrets_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = _config(tmp_path, mode=0o644)

    assert _problems(path) == [
        f"{path}: holds secrets and can be read by every user; chmod o-rw it, or refer to secrets by file or env"
    ]


def test_secrets_in_a_list_are_read_and_kept_like_others(tmp_path: Path) -> None:
    secret = _write(tmp_path / "secret", "from file\n")
    listed = (
        f'[encryption]\nclient_kms_passphrases = ["plain", {{ file = "{secret}" }}, {{ env = "NOT_SET_ANYWHERE" }}]\n'
    )
    text = MINIMAL.replace('"proxy-secret"', f'{{{{ file = "{secret}" }}}}').replace(
        '"app-secret"', f'{{{{ file = "{secret}" }}}}'
    )
    path = _config(tmp_path, text, extra=listed, mode=0o644)

    assert _problems(path) == [
        f"{path}: holds secrets and can be read by every user; chmod o-rw it, or refer to secrets by file or env",
        "encryption.client_kms_passphrases[2]: refers to the variable NOT_SET_ANYWHERE, which is not set; set it",
    ]
    settings = load_settings(_config(tmp_path, text, extra=listed.replace(', { env = "NOT_SET_ANYWHERE" }', "")))
    shown = [one.get_secret_value() for one in settings.encryption.client_kms_passphrases]
    assert shown == ["plain", "from file"]


def test_a_configuration_with_references_alone_may_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s")
    text = MINIMAL.replace('"proxy-secret"', '{{ env = "A_SECRET" }}').replace('"app-secret"', '{{ env = "A_SECRET" }}')

    assert load_settings(_config(tmp_path, text, mode=0o644)).upstream.access_key == "proxy"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('{{ file = "{directory}/nowhere" }}', "{directory}/nowhere does not exist or is not a file; create it, or correct the path"),
        ('{{ file = "{directory}" }}', "{directory} does not exist or is not a file; create it, or correct the path"),
        ('{{ file = "{directory}/empty" }}', "{directory}/empty is empty or not UTF-8 text; write the secret into it"),
        ('{{ file = "{directory}/binary" }}', "{directory}/binary is empty or not UTF-8 text; write the secret into it"),
        ('{{ env = "NOT_SET_ANYWHERE" }}', "refers to the variable NOT_SET_ANYWHERE, which is not set; set it"),
        ('{{ vault = "x" }}', 'is not a secret; write a string, {{ file = "/path" }} or {{ env = "NAME" }}'),
        ('{{ file = "a", env = "b" }}', 'is not a secret; write a string, {{ file = "/path" }} or {{ env = "NAME" }}'),
        ("{{ file = 3 }}", 'is not a secret; write a string, {{ file = "/path" }} or {{ env = "NAME" }}'),
        ("{{}}", 'is not a secret; write a string, {{ file = "/path" }} or {{ env = "NAME" }}'),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_had_is_told_with_its_reason(tmp_path: Path, written: str, problem: str) -> None:
    _write(tmp_path / "empty", "\n")
    _write(tmp_path / "binary", "").write_bytes(b"\xff\xfe")
    text = MINIMAL.replace('"app-secret"', written)

    assert _problems(_config(tmp_path, text)) == [
        "clients.credentials[0].secret_key: " + problem.format(directory=tmp_path)
    ]


def test_no_report_shows_a_secret(tmp_path: Path) -> None:
    text = MINIMAL.replace('"proxy-secret"', "123454321").replace('access_key = "app"', "")

    problems = _problems(_config(tmp_path, text))

    assert problems == [
        "upstream.secret_key: input should be a valid string; correct it (its secret)",
        "clients.credentials[0].access_key: is missing; set it (the name that the client signs with)",
    ]
    assert "123454321" not in repr(problems)


def test_secrets_are_not_in_the_representation_of_the_settings(tmp_path: Path) -> None:
    shown = repr(load_settings(_config(tmp_path)))

    assert "proxy-secret" not in shown
    assert "app-secret" not in shown


# ---- mistakes ----


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    extra = "[limits]\nrequests = 0\nbody_timeuot = 3\n[cash]\nx = 1\n[encryption.buckets.photos]\nbinding = 'weak'\n"
    text = MINIMAL.replace("https://s3.example.com", "ftp://s3.example.com")

    assert _problems(_config(tmp_path, text, extra=extra)) == [
        "upstream.endpoint: this is not the URL of a store; write for example https://s3.example.com",
        "encryption.buckets.photos.binding: input should be 'bucket-key', 'key' or 'none', not 'weak'; correct it "
        "(absent: as for all buckets)",
        "limits.requests: input should be greater than or equal to 1, not 0; correct it "
        "(requests in progress; beyond it 503 SlowDown)",
        "limits.body_timeuot: is not a setting; did you mean body_timeout?",
        "cash: is not a setting; did you mean cache?",
    ]


def test_missing_sections_are_named(tmp_path: Path) -> None:
    assert _problems(_config(tmp_path, "")) == [
        "upstream: is missing; set it",
        "remote_kms: there is no key service; set kms.database and kms.root_key_file, or one of the tables in here",
    ]


def test_a_file_that_is_no_toml_is_told_with_the_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "sseproxy.toml", "[listen]\naddress = \n")

    with pytest.raises(ConfigurationError, match=r"sseproxy.toml: is not valid TOML: .*line 2"):
        load_settings(path)


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read .*; give the configuration's path"):
        load_settings(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SSEPROXY_UPSTREAM_ENDPOINT", "did you mean SSEPROXY_UPSTREAM__ENDPOINT?"),
        ("SSEPROXY_UPSTEAM__ENDPOINT", "did you mean SSEPROXY_UPSTREAM__ENDPOINT?"),
        ("SSEPROXY_FOO__BAR", "overrides are SSEPROXY_<SECTION>__<KEY>"),
        ("SSEPROXY_KMS_XYZZY", "overrides are SSEPROXY_<SECTION>__<KEY>"),
    ],
)
def test_a_variable_that_only_looks_like_an_override_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "x")

    assert _problems(_config(tmp_path)) == [f"{name}: is not a setting; {hint}"]


def test_a_variable_with_an_unknown_key_of_a_section_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSEPROXY_UPSTREAM__ENDPIONT", "x")

    assert _problems(_config(tmp_path)) == ["upstream.endpiont: is not a setting; did you mean endpoint?"]


@pytest.mark.parametrize(
    "name", ["SSEPROXY_PORT", "SSEPROXY_PORT_9000_TCP_ADDR", "SSEPROXY_SERVICE_HOST", "SSEPROXY_SERVICE_PORT_S3"]
)
def test_the_variables_that_kubernetes_sets_for_a_service_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:9000")

    assert load_settings(_config(tmp_path)).upstream.access_key == "proxy"


def test_a_list_in_a_variable_that_is_no_json_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_CLIENTS__CREDENTIALS", "me:secret-of-mine")

    (problem,) = _problems(_config(tmp_path))

    assert problem.endswith("write lists and tables as JSON")
    assert "secret-of-mine" not in problem


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('kms.root_key_file = "{0}/none"', "kms.root_key_file: {0}/none does not exist or is not a file; create it, or correct the path"),
        ('kms.database = "{0}/none/kms.sqlite3"', "kms.database: the directory {0}/none does not exist; create it"),
        ('upstream.ca_file = "{0}/none"', "upstream.ca_file: {0}/none does not exist or is not a file; create it, or correct the path"),
    ],
)  # fmt: skip
def test_files_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, problem: str
) -> None:
    key, value = setting.format(tmp_path).split(" = ")
    monkeypatch.setenv("SSEPROXY_" + key.replace(".", "__").upper(), value.strip('"'))

    assert _problems(_config(tmp_path)) == [problem.format(tmp_path)]


def test_private_keys_that_everybody_can_read_are_refused(tmp_path: Path) -> None:
    certificate, key = _write(tmp_path / "cert.pem", "x", 0o644), _write(tmp_path / "key.pem", "x", 0o644)
    path = _config(tmp_path, extra=f'[listen]\ntls_cert = "{certificate}"\ntls_key = "{key}"\n')
    (tmp_path / "root.key").chmod(0o604)

    open_to_all = "can be read or written by every user of this machine; chmod o-rw it"
    assert _problems(path) == [
        f"listen.tls_key: {key} {open_to_all}",
        f"kms.root_key_file: {tmp_path}/root.key {open_to_all}",
    ]
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644  # a certificate is no secret


def test_what_the_dialect_of_the_store_cannot_do_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_UPSTREAM__TRAILING_CHECKSUM", "true")
    with_s3 = load_settings(_config(tmp_path))
    monkeypatch.setenv("SSEPROXY_UPSTREAM__DIALECT", "oss")

    assert with_s3.upstream.trailing_checksum
    assert _problems(_config(tmp_path)) == [
        "upstream.trailing_checksum: stores that speak oss take no trailing checksums; unset it"
    ]


def test_conditions_that_a_store_lacks_are_for_s3_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_UPSTREAM__LACKS", '["copy-if-match"]')
    with_s3 = load_settings(_config(tmp_path))
    monkeypatch.setenv("SSEPROXY_UPSTREAM__DIALECT", "oss")

    assert with_s3.upstream.lacks == (WriteCondition.COPY_IF_MATCH,)
    assert _problems(_config(tmp_path)) == [
        "upstream.lacks: writes in the dialect oss know no such conditions; unset it"
    ]


SM4 = '[encryption]\ndefault_algorithm = "SM4"\n[encryption.buckets.photos]\ndefault_algorithm = "SM4"\n'


def test_sm4_is_for_oss_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _problems(_config(tmp_path, extra=SM4)) == [
        "encryption.default_algorithm: s3 has no word for SM4; choose AES256 or KMS",
        "encryption.buckets.photos.default_algorithm: s3 has no word for SM4; choose AES256 or KMS",
    ]

    monkeypatch.setenv("SSEPROXY_UPSTREAM__DIALECT", "oss")
    assert load_settings(_config(tmp_path, extra=SM4)).encryption.default_algorithm is Algorithm.SM4


def test_sm4_as_the_default_of_a_host_without_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSEPROXY_UPSTREAM__DIALECT", "oss")
    without_sm4(monkeypatch)

    assert _problems(_config(tmp_path, extra=SM4)) == [
        "encryption.default_algorithm: this host's cryptography library has no SM4; choose AES256 or KMS",
        "encryption.buckets.photos.default_algorithm: this host's cryptography library has no SM4; "
        "choose AES256 or KMS",
    ]


def test_a_customers_key_is_no_default(tmp_path: Path) -> None:
    assert _problems(_config(tmp_path, extra='[encryption]\ndefault_algorithm = "CUSTOMER"\n')) == [
        "encryption.default_algorithm: a customer's key comes with a request; choose AES256, KMS or SM4",
    ]


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = _config(tmp_path, extra='[listen]\naddress = "0.0.0.0:9000"\n[clients]\ntrust_unsigned = true\n')
    path.write_text(
        path.read_text().replace('[[clients.credentials]]\naccess_key = "app"\nsecret_key = "app-secret"\n', "")
    )

    assert _problems(path) == [
        "clients.trust_unsigned lets anybody in who reaches 0.0.0.0:9000; set listen.address to a loopback address, "
        "or give the clients credentials"
    ]
