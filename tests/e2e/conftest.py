"""Servers that the end-to-end tests share, and the check that no (key, nonce) pair was used twice."""

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import make_certificates
from tests.support.nonces import find_repeats
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in any of them."""
    directory = tmp_path_factory.mktemp("servers")
    launcher = Launcher(directory, nonce_log=directory / "nonces")
    yield launcher
    launcher.stop_all()
    assert find_repeats(directory / "nonces") == []


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def dev(launcher: Launcher) -> Server:
    """`sseproxy dev` over http: both dialects, embedded store."""
    return launcher.dev()


@pytest.fixture(scope="session")
def dev_https(launcher: Launcher, certificates: tuple[Path, Path, Path]) -> Server:
    return launcher.dev(tls=certificates)


@pytest.fixture(scope="session")
def store(launcher: Launcher) -> Server:
    """The embedded store alone."""
    return launcher.store()


@pytest.fixture(scope="session")
def weed(launcher: Launcher) -> Server:
    return launcher.weed()


@pytest.fixture(scope="session")
def on_weed(launcher: Launcher, weed: Server) -> Server:
    """A proxy in front of SeaweedFS over http."""
    return launcher.proxy(weed)


@pytest.fixture(scope="session")
def on_weed_https(launcher: Launcher, weed: Server, on_weed: Server, certificates: tuple[Path, Path, Path]) -> Server:
    """A second replica over https: replicas share the state bucket, so they share the keys too."""
    return launcher.proxy(weed, on_weed.data, tls=certificates)


@pytest.fixture(params=["dev", "dev_https", "on_weed", "on_weed_https"])
def s3(request: pytest.FixtureRequest) -> Server:
    """Every place where an S3 client may be used, one after the other."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["dev", "dev_https"])
def oss(request: pytest.FixtureRequest) -> Server:
    """Every place where an OSS client may be used."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket_name(request: pytest.FixtureRequest) -> str:
    """A bucket name of this test's own, the same in every run."""
    return f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"


@dataclass(frozen=True)
class Tool:
    """A command-line client, in its own home directory, talking to one server."""

    program: str
    environment: Mapping[str, str]
    directory: Path

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        """Run the client and return what it printed; fails unless it exits with `expect`."""
        done = subprocess.run(
            [self.program, *arguments],
            env={**self.environment},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, f"{self.program} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, Server], Tool]:
    """Make a command-line client (`aws`, `rclone`, `s3cmd`); a missing one is a failure, not a skip."""

    def make(name: str, server: Server) -> Tool:
        program = shutil.which(name, path=str(Path(sys.executable).parent))
        assert program is not None, f"{name} is missing: it comes with the extra `test`"
        home = tmp_path / f"{name}-home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": server.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RCLONE_CONFIG_P_TYPE": "s3",
            "RCLONE_CONFIG_P_PROVIDER": "Other",
            "RCLONE_CONFIG_P_ENV_AUTH": "false",
            "RCLONE_CONFIG_P_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_CONFIG_P_SECRET_ACCESS_KEY": SECRET_KEY,
            "RCLONE_CONFIG_P_ENDPOINT": server.url,
            "RCLONE_CONFIG_P_REGION": REGION,
        }
        if server.tls_ca:
            ca = str(server.tls_ca)
            environment |= {"AWS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca, "RCLONE_CA_CERT": ca}
            if name == "rclone":
                del environment["AWS_CA_BUNDLE"]
        return Tool(program, environment, tmp_path)

    return make
