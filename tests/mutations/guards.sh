#!/usr/bin/env bash
# Removes each guard of guards.txt in turn and expects the unit tests of the game and of trees, the game's tests by hand, the random calls or the model
# check to fail.
# All guards are made removable in one copy of the tree, so that everything is built once; which one is removed is told by
# the environment. With arguments, only the lines of these numbers. CHECKS names the checks, in order; the default stops
# at the first that notices.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target/guards}"
checks=${CHECKS:-"unit game calls model"}

mkdir "$copy/bisection"
cp -r commitment program Cargo.lock "$copy"
cp -r bisection/Cargo.toml bisection/src bisection/tests "$copy/bisection"
sed 's/^members = .*/members = ["program", "commitment", "bisection"]/' Cargo.toml >"$copy/Cargo.toml"
cat >"$copy/keep.rs" <<'RUST'

/// Whether the guard of this line of `guards.txt` is still there.
pub(crate) fn keep(guard: u32) -> bool {
    static REMOVED: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let removed = || std::env::var("NARROWS_GUARD").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    *REMOVED.get_or_init(removed) != guard
}
RUST
for crate in bisection commitment; do cat "$copy/keep.rs" >>"$copy/$crate/src/lib.rs"; done

line=0 guards=()
while IFS= read -r guard; do
  line=$((line + 1))
  case "$guard" in '#'* | '') continue ;; esac
  GUARD=$guard LINE=$line perl -0 -e '
    my ($file, $from, $to) = map { s/\\\|/|/gr =~ s/\\n/\n/gr } split / \| /, $ENV{GUARD} =~ s/^~//r;
    $to =~ s/\bKEEP\b/crate::keep($ENV{LINE})/g;
    $to =~ s/\bSAY\((\w+)\)/if crate::keep($ENV{LINE}) { Refusal::$1 } else { Refusal::TransferFailed }/g;
    my $path = "$ARGV[0]/" . ($file =~ m{^commitment/} ? "" : "bisection/src/") . $file;
    open my $in, "<", $path or die "$path: $!"; my $text = <$in>; close $in;
    my $at = index $text, $from;
    $at >= 0 or die "STALE    line $ENV{LINE}: $ENV{GUARD}\n";
    substr $text, $at, length $from, $to;
    open my $out, ">", $path or die "$path: $!"; print $out $text;
  ' "$copy"
  guards+=("$line $guard")
done <tests/mutations/guards.txt
cd "$copy"
cargo test --release --offline -p narrows-bisection -p narrows-commitment --lib --tests --no-run --message-format=json 2>"$copy/log" | perl -ne '
    next unless /"reason":"compiler-artifact"/ and /"executable":"([^"]+)"/; my $exe = $1;
    /"target":\{"kind":\["(\w+)"\][^}]*"name":"(\w+)"/; print $1 ne "lib" ? $2 : $2 eq "narrows_bisection" ? "unit" : "trees", " $exe\n"' >"$copy/built" ||
  { cat "$copy/log"; exit 1; }
declare -A binary
while read -r name path; do binary[$name]=$path; done <"$copy/built"
binary[calls]=${binary[random_calls]} binary[model]=${binary[model_check]}
# The quick ones first.
games="guards guards_within phases prepared verdicts claims hostile_trees clocks hostile money record"
for name in "${!binary[@]}"; do
  case "$name" in game_*) [[ " $games " == *" ${name#game_} "* ]] || { echo "$name is in no check"; exit 1; } ;; esac
done
run() { # name, guard
  if [ "$1" = game ]; then
    for game in $games; do run "game_$game" "$2" || return 1; done
    return 0
  fi
  case "$1" in
  unit) NARROWS_GUARD=$2 timeout 120 "${binary[trees]}" -q tests:: && (cd bisection && NARROWS_GUARD=$2 timeout 120 "${binary[unit]}" -q game:: referee:: refute:: players::) ;;
  *) (cd bisection && NARROWS_GUARD=$2 RUST_TEST_FAIL_FAST=1 timeout 900 "${binary[$1]}" -q) ;;
  esac >"$copy/log" 2>&1
}
for check in $checks; do
  run "$check" 0 || { echo "$check fails with every guard in its place:"; tail -20 "$copy/log"; exit 1; }
done
noticed=0 unnoticed=0
for entry in "${guards[@]}"; do
  number=${entry%% *} guard=${entry#* }
  [ $# -eq 0 ] || [[ " $* " == *" $number "* ]] || continue
  by=""
  for check in $checks; do
    if ! run "$check" "$number"; then by="$by $check"; [ -n "${ALL:-}" ] || break; fi
  done
  case "$by$guard" in
  "~"*) echo "nothing  $number $guard" ;;
  *"~"*) echo "NOTICED  $number $guard (by$by: it is no redundant guard)"; unnoticed=$((unnoticed + 1)) ;;
  " "*) echo "noticed  $number by$by: $guard"; noticed=$((noticed + 1)) ;;
  *) echo "UNNOTICED $number $guard"; unnoticed=$((unnoticed + 1)) ;;
  esac
done
echo "$noticed noticed, $unnoticed not as expected"
[ "$unnoticed" -eq 0 ]
