#!/bin/sh
# Install Ceph's object gateway, monitor and OSD for tests/interop. Debian or Ubuntu, as root.
# tests/interop/ceph.py starts them: `python -m tests.interop.backends rgw`.
set -eu
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
