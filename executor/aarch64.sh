#!/usr/bin/env bash
# Compiles the tests of what depends on the CPU for AArch64 and runs them under emulation: keccak, and every kernel of the
# engine against the portable one; once on a CPU with dot products, once on one without.
#
# Needs a rustc (RUSTC) with std for the target, a C compiler and library for it, and qemu's user emulation. Debian's packages:
# rustc libstd-rust-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu
tools=aarch64-linux-gnu
missing() { echo "missing: $1; see the head of executor/aarch64.sh" >&2; exit 1; }

for tool in "$tools-gcc" "$tools-ar" qemu-aarch64; do
  command -v "$tool" >/dev/null || missing "$tool"
done
std=$("${RUSTC:-rustc}" --print target-libdir --target "$target")
compgen -G "$std/libstd-*.rlib" >/dev/null || missing "std of $target for ${RUSTC:-rustc}"
library=$("$tools-gcc" -print-file-name=libc.so.6)
[ -e "$library" ] || missing "a C library for $tools-gcc"
root=$(cd "$(dirname "$library")/.." && pwd)

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$tools-gcc"
export CC_aarch64_unknown_linux_gnu="$tools-gcc" AR_aarch64_unknown_linux_gnu="$tools-ar"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The CPU, the kernel that must have been its fastest, the package and the tests.
run() {
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -cpu $1 -L $root"
  cargo test --locked --release --target "$target" --config 'profile.release.package."*".opt-level=1' \
    -p "$3" --lib -- --nocapture "$4" 2>&1 | tee "$log"
  grep -q "fastest here: $2\$" "$log" || { echo "$2 did not run on $1" >&2; exit 1; }
}
run cortex-a76 'neon' narrows-commitment keccak
run cortex-a76 'NEON dotprod' narrows-executor engine
run cortex-a57 'NEON' narrows-executor engine
