#!/bin/sh
# Install DuckDB and its S3 extension (as a package: DuckDB's own INSTALL downloads) for tests/interop.
set -eu
"${PYTHON:-python3}" -m pip install duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-httpfs==1.5.5
