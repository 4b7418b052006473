#!/usr/bin/env bash
# Runs the Swift tests under a sanitizer: deploy/sanitize.sh thread|address [--filter PATTERN]
#
# Builds of their own below .build/, so that the usual ones stay. The last line is "N passed, N failed, N skipped";
# each report of the sanitizer's is a failure, whatever the tests say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=packages.sh
source deploy/packages.sh

kind=${1:-}
shift || true
options=()
case $kind in
thread)
    # Swift 6.3 emits a cast for this sanitizer, in a dependency that counts buckets, which LLVM's check of its own input
    # does not accept; nothing of that code's is used here.
    options=(-Xswiftc -Xfrontend -Xswiftc -disable-llvm-verify)
    export TSAN_OPTIONS="halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}"
    ;;
address)
    # What libcurl and the runtime keep until the process ends is no leak worth a report.
    export ASAN_OPTIONS="detect_leaks=0 exitcode=66 ${ASAN_OPTIONS:-}"
    ;;
*)
    echo "usage: deploy/sanitize.sh thread|address [--filter PATTERN]" >&2
    exit 2
    ;;
esac

# Simulations of hundreds of thousands of requests, which one thread makes, are left out then.
export PENSTOCK_SANITIZER=$kind

require_swift
require_packages "${BUILD_PACKAGES[@]}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log="$scratch/log"

# A thing of which nothing else can be shown fails with its last words.
give_up() {
    tail -n 30 "$log" >&2
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

build=(--build-tests --sanitize "$kind" --scratch-path ".build/$kind" "${options[@]}")
swift build "${build[@]}" >"$log" 2>&1 || give_up
tests="$(swift build "${build[@]}" --show-bin-path)/penstockPackageTests.xctest"

preload=
if [[ $kind == thread ]]; then
    clang=$(dirname "$(realpath "$(command -v swift)")")/clang
    [[ -x $clang ]] || clang=clang
    preload="$scratch/locks.so"
    "$clang" -shared -fPIC -O1 deploy/thread_sanitizer_locks.c -o "$preload" -ldl >"$log" 2>&1 || give_up
fi

status=0
LD_PRELOAD=$preload "$tests" --testing-library swift-testing "$@" >"$log" 2>&1 || status=$?
pattern='^(WARNING: ThreadSanitizer|==[0-9]+==ERROR: AddressSanitizer)'
reports=$(grep -cE "$pattern" "$log" || true)
# The closing line of the whole run is no test.
tests_that() { grep -E "^[^ ]+ Test .* $1 after [0-9.]+ seconds" "$log" | grep -cv ' Test run with ' || true; }
ok=$(tests_that passed)
bad=$(tests_that failed)
left=$(grep -cE '^[^ ]+ Test .* skipped' "$log" || true)
grep -E '^[^ ]+ Test .* (recorded an issue|failed after)' "$log" || true
grep -E -A 25 "$pattern" "$log" | head -n 200 || true
failed=$((bad + reports))
if ((status != 0 && failed == 0)) || ((ok == 0)); then
    tail -n 30 "$log" >&2
    failed=$((failed + 1))
fi
echo "$kind sanitizer: $reports reports"
echo "$ok passed, $failed failed, $left skipped"
((failed == 0))
