#!/usr/bin/env bash
# Applies each mutation of a list to a copy of the tree and expects a test to fail: of list.txt the differential one, unless a list and what
# to tell `cargo test` are given. Takes a build a mutation.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
list=$(realpath "${1:-tests/mutations/list.txt}")
tests=("${@:2}")
[ ${#tests[@]} -gt 0 ] || tests=(--test five)
copy=$(mktemp -d)
trap 'rm -rf "$copy" "$copy".*' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}"

# The working tree as it stands, committed or not.
git ls-files -coz --exclude-standard |
  xargs -0 sh -c 'for file; do [ ! -e "$file" ] || cp --parents -t "$0" "$file"; done' "$copy"
cd "$copy"
tested() { cargo test --release --workspace "${tests[@]}" >"$copy.log" 2>&1; }
rebuild() { case "$1" in contracts/sol/*) bash contracts/scripts/build.sh >/dev/null ;; esac; }
[ -d "$here/contracts/node_modules" ] && cp -r "$here/contracts/node_modules" contracts/

tested || { cat "$copy.log"; echo "the test fails without any mutation"; exit 1; }
cp -r contracts/artifacts "$copy.artifacts"
killed=0 survived=0
while IFS= read -r line; do
  case "$line" in '#'* | '') continue ;; esac
  file=${line%% | *} rest=${line#* | }
  from=${rest%% | *} to=${rest#* | }
  grep -qF -- "$from" "$file" || { echo "STALE    $line"; survived=$((survived + 1)); continue; }
  cp "$file" "$copy.kept"
  FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/' "$file"
  if rebuild "$file" && ! tested && grep -q '^test .*FAILED\|panicked' "$copy.log"; then
    killed=$((killed + 1)); echo "killed   $line"
  else
    survived=$((survived + 1)); echo "SURVIVED $line"
  fi
  cp "$copy.kept" "$file"
  # Cargo takes what it built from the copy for this tree's own: the next build here must see a newer file.
  [ ! -e "$here/$file" ] || touch "$here/$file"
  case "$file" in contracts/sol/*) cp "$copy.artifacts"/* contracts/artifacts/ ;; esac
done <"$list"
echo "$killed passed, $survived failed"
[ "$survived" -eq 0 ]
