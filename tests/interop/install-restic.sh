#!/bin/sh
# Install restic for tests/interop. Debian or Ubuntu, as root.
set -eu
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends restic
