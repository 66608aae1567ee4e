#!/bin/sh
# Everything in tests/interop: install what is missing, then run. Usage: run.sh [DIRECTORY [PYTEST ARGUMENT...]]
# DIRECTORY keeps what is no package of the system, by default the user's cache. What could not be installed is skipped,
# and the summary names it. PYTHON names the interpreter that has sseproxy[test], by default python3.
set -u
here="$(cd "$(dirname "$0")" && pwd)"
SSEPROXY_INTEROP_CACHE="${1:-${SSEPROXY_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sseproxy-interop}}"
SSEPROXY_INTEROP=1
PATH="$(dirname "$(command -v "${PYTHON:-python3}")"):$PATH"
export SSEPROXY_INTEROP SSEPROXY_INTEROP_CACHE PATH
[ $# -gt 0 ] && shift
failed=""
for script in "$here"/install-*.sh; do
    echo "== $(basename "$script")"
    sh "$script" || failed="$failed $(basename "$script")"
done
cd "$here/../.." && "${PYTHON:-python3}" -m pytest -n 0 tests/interop "$@"
result=$?
[ -z "$failed" ] || echo "NOT INSTALLED, so not tested:$failed"
exit $result
