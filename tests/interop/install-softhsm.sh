#!/bin/sh
# Install SoftHSM and the library's Python binding, for tests/interop/test_softhsm.py. Debian or Ubuntu, as root.
set -eu
apt-get install -y --no-install-recommends softhsm2
"${PYTHON:-python3}" -m pip install "python-pkcs11>=0.9"
