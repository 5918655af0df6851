#!/bin/sh
# Builds artifacts/ from sol/ with the pinned compiler; `--check` only compares.
set -eu
cd "$(dirname "$0")/.."
[ -d node_modules/solc ] || npm ci --no-audit --no-fund
exec node scripts/build.js "$@"
