"""Ceph's object gateway on one host: one monitor, one OSD whose store is memory, and `radosgw`, on loopback alone."""

import json
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

from tests.support.servers import (
    ACCESS_KEY,
    SECRET_KEY,
    Launcher,
    Server,
    StartFailed,
    free_ports,
    pause,
    wait_for_answer,
)

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "ceph-authtool", "radosgw", "radosgw-admin")

_TRIES = 5

_SETTINGS = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
osd objectstore = memstore
memstore device bytes = 4294967296
osd max object name len = 2048
mon data = {directory}/mon
osd data = {directory}/osd
run dir = {directory}
log file = {directory}/$name.log
admin socket = {directory}/$name.asok
pid file = {directory}/$name.pid
crash dir = {directory}
log to stderr = false
[client.rgw.a]
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{rgw} tcp_nodelay=1
rgw dns name = localhost
rgw override bucket index max shards = 1
rgw dynamic resharding = false
"""


def missing() -> str | None:
    """Say what is not installed, None where all is."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"{', '.join(absent)} not installed: tests/interop/install-rgw.sh" if absent else None


def start(launcher: Launcher) -> Server:
    """Start a fresh cluster; `launcher` ends it."""
    directory = launcher.fresh("rgw")
    for name in ("mon", "osd", "rgw"):
        (directory / name).mkdir(parents=True)
    mon, rgw = free_ports(2)
    fsid = str(uuid4())
    config = directory / "ceph.conf"
    config.write_text(_SETTINGS.format(fsid=fsid, mon=mon, rgw=rgw, directory=directory))
    cluster = _Cluster(launcher, directory, ["--conf", str(config)])
    cluster.monitor(f"v1:127.0.0.1:{mon}", fsid)
    cluster.osd()
    cluster.run("radosgw-admin", "user", "create", "--uid=tester", "--display-name=Tester",
                f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")  # fmt: skip
    server = cluster.daemon("radosgw", "-n", "client.rgw.a", port=rgw)
    wait_for_answer(server)
    return server


class _Cluster:
    """Commands and daemons that share a configuration."""

    def __init__(self, launcher: Launcher, directory: Path, common: list[str]) -> None:
        self._launcher = launcher
        self._directory = directory
        self._common = common

    def monitor(self, address: str, fsid: str) -> None:
        keyring, monmap = str(self._directory / "keyring"), str(self._directory / "monmap")
        self.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("monmaptool", "--create", "--addv", "a", f"[{address}]", "--fsid", fsid, monmap)
        self.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self.daemon("ceph-mon", "-i", "a")

    def osd(self) -> None:
        identity = str(uuid4())
        self.run("ceph", "osd", "new", identity, "0")
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self.run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default")
        for _ in range(_TRIES):
            if self._is_up(self.daemon("ceph-osd", "-i", "0")):
                return
        raise StartFailed((self._directory / "osd.0.log").read_text(errors="replace")[-2000:])

    def _is_up(self, osd: Server) -> bool:
        """Wait until the monitor knows the OSD; tell whether it does.

        One that asks the monitor before it knows the cluster's id is told `wrong fsid`, and ends.
        """
        while osd.process.poll() is None:
            if json.loads(self.run("ceph", "osd", "stat", "-f", "json"))["num_up_osds"]:
                return True
            pause()
        return False

    def run(self, *command: str) -> str:
        """Run a command to its end, and return what it prints."""
        done = subprocess.run(
            [*command, *self._common],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def daemon(self, *command: str, port: int = 0) -> Server:
        """Start a daemon in the foreground of a process of its own."""
        log = self._directory / f"{command[0]}.out"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*command, "-f", *self._common], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
        server = Server(process, "127.0.0.1", port, self._directory, log=log, seals=False)
        self._launcher.servers.append(server)
        return server
