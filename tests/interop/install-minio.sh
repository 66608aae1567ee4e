#!/bin/sh
# Build MinIO for tests/interop; needs Go. Usage: install-minio.sh [DIRECTORY], by default the user's cache.
# tests/interop/backends.py starts it: `python -m tests.interop.backends minio`.
set -eu
exec sh "$(dirname "$0")/go-install.sh" github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c "$@"
