#!/bin/sh
# Build a Go program unless it is there. Usage: go-install.sh MODULE@VERSION [DIRECTORY], by default the user's cache.
# One job at a time and behind other work: SSEPROXY_INTEROP_JOBS says how many.
set -eu
package="$1"
directory="${2:-${SSEPROXY_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sseproxy-interop}}"
program="$(basename "${package%@*}")"
mkdir -p "$directory/bin"
if [ -x "$directory/bin/$program" ]; then
    echo "$program is in $directory/bin"
    exit 0
fi
PATH="$PATH:/usr/local/go/bin" # where Go's own archive is unpacked to
command -v go >/dev/null || { echo "$program needs Go (https://go.dev)" >&2; exit 1; }
jobs="${SSEPROXY_INTEROP_JOBS:-1}"
GOBIN="$(cd "$directory/bin" && pwd)" GOMAXPROCS="$jobs" nice go install -p "$jobs" "$package"
