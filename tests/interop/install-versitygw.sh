#!/bin/sh
# Build versitygw (S3 on a file system) for tests/interop; needs Go. Usage: install-versitygw.sh [DIRECTORY].
# tests/interop/backends.py starts it: `python -m tests.interop.backends versitygw`.
set -eu
exec sh "$(dirname "$0")/go-install.sh" github.com/versity/versitygw/cmd/versitygw@v1.8.0 "$@"
