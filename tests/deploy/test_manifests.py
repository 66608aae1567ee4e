"""The manifests are valid, agree with the program's defaults, and never put the keys at risk."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sseproxy import __version__
from sseproxy.config import load_settings
from sseproxy.settings import EmbeddedKmsSettings, Listen, Settings, is_loopback, split_address

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
MANIFESTS = ["gateway.yaml", "sidecar.yaml"]
KUBERNETES_VERSIONS = ["1.33", "1.34"]
MOST_BYTES_A_REQUEST = 2 * 1024 * 1024


def _documents(name: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()) if document]


def _one(name: str, kind: str) -> dict[str, Any]:
    (found,) = [document for document in _documents(name) if document["kind"] == kind]
    return found


def _pod(name: str) -> dict[str, Any]:
    pod: dict[str, Any] = _one(name, "Deployment")["spec"]["template"]["spec"]
    return pod


def _proxy(name: str) -> dict[str, Any]:
    pod = _pod(name)
    (found,) = [c for c in [*pod.get("initContainers", []), *pod["containers"]] if c["name"] == "sseproxy"]
    assert isinstance(found, dict)
    return found


def _mounts(name: str) -> dict[str, dict[str, Any]]:
    """The proxy's volumes by where they are mounted."""
    volumes = {volume["name"]: volume for volume in _pod(name)["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in _proxy(name)["volumeMounts"]}


def _settings(name: str, directory: Path) -> Settings:
    """The ConfigMap's configuration as the program reads it, with the mounted directories under `directory`."""
    text = _one(name, "ConfigMap")["data"]["sseproxy.toml"]
    for mount in _mounts(name):
        here = directory / mount.strip("/").replace("/", "-")
        here.mkdir(exist_ok=True)
        text = text.replace(mount, str(here))
    for file in _files_in(tomllib.loads(text), directory):
        file.touch(mode=0o600)
        file.write_text("0" * 64)
    path = directory / "sseproxy.toml"
    path.write_text(text)
    path.chmod(0o644)  # as a ConfigMap is mounted
    return load_settings(path)


def _files_in(value: object, directory: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _files_in(item, directory)
    elif isinstance(value, list):
        for item in value:
            yield from _files_in(item, directory)
    elif isinstance(value, str) and value.startswith(str(directory)) and not value.endswith(".sqlite3"):
        yield Path(value)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_every_document_is_valid_for_kubernetes(name: str, version: str) -> None:
    documents = _documents(name)

    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    assert {"ConfigMap", "PersistentVolumeClaim", "Deployment"} <= {document["kind"] for document in documents}


@pytest.mark.parametrize("name", MANIFESTS)
def test_there_is_one_replica_that_is_replaced_only_after_it_has_ended(name: str) -> None:
    spec = _one(name, "Deployment")["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert "HorizontalPodAutoscaler" not in {document["kind"] for document in _documents(name)}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_key_database_lies_on_a_claim_of_this_manifest_and_nothing_lies_on_an_empty_dir(
    name: str, tmp_path: Path
) -> None:
    database = tomllib.loads(_one(name, "ConfigMap")["data"]["sseproxy.toml"])["kms"]["database"]
    volume = _mounts(name)[str(Path(database).parent)]

    assert volume["persistentVolumeClaim"]["claimName"] == _one(name, "PersistentVolumeClaim")["metadata"]["name"]
    assert not any("emptyDir" in volume for volume in _pod(name)["volumes"])
    assert isinstance(_settings(name, tmp_path).kms, EmbeddedKmsSettings)  # what makes one replica the most there is


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_configuration_loads_and_its_ports_are_those_of_the_defaults(name: str, tmp_path: Path) -> None:
    listen, default = _settings(name, tmp_path).listen, Listen()

    assert split_address(listen.address)[1] == split_address(default.address)[1]
    assert split_address(listen.admin_address)[1] == split_address(default.admin_address)[1]
    assert not is_loopback(listen.admin_address)  # the kubelet asks from outside the pod


@pytest.mark.parametrize("name", MANIFESTS)
def test_probes_ask_the_admin_port(name: str, tmp_path: Path) -> None:
    proxy = _proxy(name)
    ports = {port["name"]: port["containerPort"] for port in proxy["ports"]}
    probes = {kind: proxy[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {ports[probe["port"]] for probe in probes.values()} == {
        split_address(_settings(name, tmp_path).listen.admin_address)[1]
    }
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/readyz"


def test_the_gateway_is_reached_by_its_service_on_the_data_port_alone() -> None:
    service, proxy = _one("gateway.yaml", "Service")["spec"], _proxy("gateway.yaml")
    labels = _one("gateway.yaml", "Deployment")["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in proxy["ports"]}

    assert [ports[port["targetPort"]] for port in service["ports"]] == [split_address(Listen().address)[1]]
    assert service["selector"].items() <= labels.items()


def test_the_gateway_speaks_https_with_the_mounted_certificate(tmp_path: Path) -> None:
    settings = _settings("gateway.yaml", tmp_path)

    assert settings.listen.tls_cert is not None
    assert settings.listen.tls_cert.name == "tls.crt"  # the names in a Secret of type kubernetes.io/tls
    assert settings.listen.tls_key == settings.listen.tls_cert.with_name("tls.key")
    assert "/etc/sseproxy/tls" in _mounts("gateway.yaml")


def test_the_sidecar_is_reached_from_its_pod_alone_and_the_application_is_told_where(tmp_path: Path) -> None:
    settings = _settings("sidecar.yaml", tmp_path)
    (application,) = _pod("sidecar.yaml")["containers"]
    environment = {entry["name"]: entry for entry in application["env"]}

    assert is_loopback(settings.listen.address)
    assert environment["AWS_ENDPOINT_URL"]["value"] == f"http://{settings.listen.address}"
    assert environment["AWS_ACCESS_KEY_ID"]["value"] == settings.clients.credentials[0].access_key
    assert _proxy("sidecar.yaml")["restartPolicy"] == "Always"
    assert "Service" not in {document["kind"] for document in _documents("sidecar.yaml")}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_proxy_has_no_more_rights_than_it_needs(name: str) -> None:
    proxy, pod = _proxy(name), _pod(name)
    context = {**pod["securityContext"], **proxy["securityContext"]}

    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == 10001
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("name", MANIFESTS)
def test_secrets_come_from_a_secret_that_others_cannot_read(name: str) -> None:
    secrets = [volume["secret"] for volume in _pod(name)["volumes"] if "secret" in volume]

    assert secrets
    assert [volume["defaultMode"] for volume in secrets] == [0o440] * len(secrets)
    assert "secret_key = {" in _one(name, "ConfigMap")["data"]["sseproxy.toml"]
    assert "Secret" not in {document["kind"] for document in _documents(name)}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_may_end_later_than_the_drain_and_has_room_for_all_requests(name: str, tmp_path: Path) -> None:
    limits = _settings(name, tmp_path).limits
    memory = _proxy(name)["resources"]["limits"]["memory"]
    units = {"Mi": 1024**2, "Gi": 1024**3}

    assert _pod(name)["terminationGracePeriodSeconds"] > limits.drain_timeout
    assert int(memory[:-2]) * units[memory[-2:]] > limits.requests * MOST_BYTES_A_REQUEST + 128 * 1024**2


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_image_is_that_of_this_version(name: str) -> None:
    assert _proxy(name)["image"] == f"sseproxy:{__version__}"


def test_compose_agrees_with_image_ports_and_drain() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = compose["services"]["sseproxy"]

    assert {entry["image"] for entry in compose["services"].values()} == {f"sseproxy:{__version__}"}
    assert service["ports"] == ["9000:9000"]
    assert "127.0.0.1:9001/readyz" in service["healthcheck"]["test"][-1]
    assert "kms-data:/var/lib/sseproxy" in service["volumes"]
    assert compose["services"]["dev"]["ports"] == ["127.0.0.1:9000:9000"]  # well-known credentials stay on this host
    assert all(entry["read_only"] for entry in compose["services"].values())


def test_the_dockerfile_runs_the_program_as_the_manifests_user() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()

    assert [line for line in lines if line.startswith("FROM ")] == [
        "FROM python:3.11-slim AS build",
        "FROM python:3.11-slim",
    ]
    assert "USER 10001:10001" in lines
    assert "EXPOSE 9000 9001" in lines
    assert 'ENTRYPOINT ["sseproxy"]' in lines
    assert any(f"sseproxy:{__version__}" in line for line in lines)
