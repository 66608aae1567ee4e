"""Command-line clients, each in a home directory of its own, so that no configuration of the machine's owner counts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

_DEADLINE_S = 240.0


@dataclass(frozen=True)
class Tool:
    """A command-line client that talks to one server."""

    program: str
    environment: Mapping[str, str]
    directory: Path

    def __call__(self, *arguments: str) -> str:
        """Run the client and return what it printed; fails unless it exits with 0."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, f"{self.program} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


def make_tool(name: str, server: Server, directory: Path) -> Tool:
    """Return `aws`, `rclone` or `s3cmd` for `server`; a missing one is a failure, not a skip.

    Only the environment says where the server is and who asks: everything else is as the client has it by default.
    """
    program = shutil.which(name, path=str(Path(sys.executable).parent))
    assert program is not None, f"{name} is missing: it comes with the extra `test`"
    home = directory / f"{name}-home"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.url,
        "RCLONE_CONFIG_P_TYPE": "s3",
        "RCLONE_CONFIG_P_PROVIDER": "Other",
        "RCLONE_CONFIG_P_ACCESS_KEY_ID": ACCESS_KEY,
        "RCLONE_CONFIG_P_SECRET_ACCESS_KEY": SECRET_KEY,
        "RCLONE_CONFIG_P_ENDPOINT": server.url,
        "RCLONE_CONFIG_P_REGION": REGION,
    }
    if server.tls_ca:
        environment["RCLONE_CA_CERT" if name == "rclone" else "AWS_CA_BUNDLE"] = str(server.tls_ca)
    return Tool(program, environment, directory)
