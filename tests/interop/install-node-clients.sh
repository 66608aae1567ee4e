#!/bin/sh
# Install the JavaScript SDKs of AWS and Alibaba OSS for tests/interop; needs Node.js 20 and npm.
# Usage: install-node-clients.sh [DIRECTORY], by default the user's cache.
set -eu
directory="${1:-${SSEPROXY_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sseproxy-interop}}"
command -v npm >/dev/null || { echo "the JavaScript clients need Node.js and npm" >&2; exit 1; }
mkdir -p "$directory/node"
npm install --prefix "$directory/node" --no-audit --no-fund --loglevel=error \
    @aws-sdk/client-s3@3.1169.0 @aws-sdk/lib-storage@3.1169.0 ali-oss@6.23.0
