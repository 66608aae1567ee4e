"""Compare stores with the proxy in front of them: `python -m tests.differential`.

Without arguments it starts SeaweedFS and the embedded store, each with a proxy, and writes docs/s3-operations.md. With
`--direct URL --proxied URL --backend NAME` it compares what runs already. Ends with 1 where something must be dealt with.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.differential.compared import Compared, compare
from tests.differential.signature import Credentials
from tests.differential.table import DOCUMENT, render
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Launcher

BACKENDS = ("seaweedfs", "embedded")


def compare_started(launcher: Launcher, backend: str) -> Compared:
    """Start a store and a proxy in front of it, and compare them."""
    store = launcher.weed() if backend == "seaweedfs" else launcher.store()
    proxy = launcher.proxy(store)
    return compare(backend, store.url, proxy.url, Credentials(ACCESS_KEY, SECRET_KEY))


def main(arguments: list[str]) -> int:
    """Run what the arguments say and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description="compare a store and its proxy")
    parser.add_argument("--direct", help="URL of the store")
    parser.add_argument("--proxied", help="URL of the proxy in front of it")
    parser.add_argument("--backend", default="", help="its name in allowed.toml")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    options = parser.parse_args(arguments)
    if options.direct:
        credentials = Credentials(options.access_key, options.secret_key)
        return _report([compare(options.backend, options.direct, options.proxied, credentials)])
    with tempfile.TemporaryDirectory() as directory:
        launcher = Launcher(Path(directory))
        try:
            runs = [compare_started(launcher, backend) for backend in BACKENDS]
        finally:
            launcher.stop_all()
    DOCUMENT.write_text(render(runs), encoding="utf-8")
    return _report(runs)


def _report(runs: list[Compared]) -> int:
    problems = [f"{run.backend}: {problem}" for run in runs for problem in run.verdict.problems]
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
