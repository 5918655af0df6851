#!/usr/bin/env bash
# Applies each mutation of list.txt to a copy of the tree and expects the differential test to fail. Takes a build a mutation.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}"

git ls-files -z | xargs -0 cp --parents -t "$copy"
cd "$copy"
five() { cargo test --release --workspace --test five >"$copy.log" 2>&1; }
rebuild() { case "$1" in contracts/sol/*) bash contracts/scripts/build.sh >/dev/null ;; esac; }
[ -d "$here/contracts/node_modules" ] && cp -r "$here/contracts/node_modules" contracts/

five || { echo "the test fails without any mutation; see $copy.log"; exit 1; }
killed=0 survived=0
while IFS= read -r line; do
  case "$line" in '#'* | '') continue ;; esac
  file=${line%% | *} rest=${line#* | }
  from=${rest%% | *} to=${rest#* | }
  grep -qF -- "$from" "$file" || { echo "STALE    $line"; survived=$((survived + 1)); continue; }
  FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/' "$file"
  if rebuild "$file" && ! five && grep -q '^test .*FAILED\|panicked' "$copy.log"; then
    killed=$((killed + 1)); echo "killed   $line"
  else
    survived=$((survived + 1)); echo "SURVIVED $line"
  fi
  cp "$here/$file" "$file"
  case "$file" in contracts/sol/*) cp "$here"/contracts/artifacts/* contracts/artifacts/ ;; esac
done <tests/mutations/list.txt
echo "$killed passed, $survived failed"
[ "$survived" -eq 0 ]
