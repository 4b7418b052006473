#!/usr/bin/env bash
# What is too long for deploy/test.sh: deploy/test-long.sh [--soak-minutes N]
#
#   1. build                 the release binary
#   2. end-to-end, long      the tests of Tests/EndToEnd marked `long`: a gigabyte to a slow reader and from a slow
#                            sender, slowloris, a hundred thousand clients that leave (PENSTOCK_CYCLES), all cases of
#                            clients that are impatient or slow and of backends that are ill; certificates that are swapped
#                            200 times and 2,000 handshakes that only begin; twenty upgrades in a minute; ten minutes of workers
#                            that come, go, stop and die; a million lines of a bulk request; packages installed, upgraded and
#                            purged in systems of debootstrap's, and the image served
#   3. thread sanitizer      the Swift tests under it
#   4. address sanitizer     the Swift tests under it
#   5. soak                  twice the load with random faults, 30 minutes unless said otherwise
#   6. differential          20,000 random requests through Penstock, nginx and HAProxy, or DIFFERENTIAL_REQUESTS; SEED=N for
#                            other ones
#   7. fuzzing               each target of Tests/Fuzz for half an hour, or FUZZ_SECONDS
#   8. same binary           the release binary built once more in another folder, and packages of both compared
#   9. engines               Triton, llama.cpp and vLLM, installed from PyPI (5 GB), under clients that leave
#  10. adversary             searches for ten minutes, or ADVERSARY_HOURS, for a scenario in which the default policy serves
#                            less than .4 of what the best fixed limit does; SEED=N for other ones, else it is today's
#
# A stage that fails does not keep the next ones from running. The last line is "N passed, N failed, N skipped" over all
# stages. Takes between four and five hours on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=packages.sh
source deploy/packages.sh

minutes=30
if [[ ${1:-} == --soak-minutes ]]; then
    minutes=${2:?a number of minutes}
fi

passed=0
failed=0
skipped=0
report=()
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# stage NAME COMMAND...: runs a command whose last line is "N passed, N failed, N skipped" and adds it up.
stage() {
    local name=$1 log="$scratch/log" status=0 ok=0 bad=1 left=0
    shift
    printf '\n== %s ==\n' "$name"
    "$@" 2>&1 | tee "$log" || status=$?
    if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        ok=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]} left=${BASH_REMATCH[3]}
    fi
    if ((status != 0 && bad == 0)); then
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    skipped=$((skipped + left))
    report+=("$(printf '%-22s %5d passed %5d failed %5d skipped' "$name" "$ok" "$bad" "$left")")
}

# What is known to be worse than wanted is in docs/limiters.md; this tells what is worse than that.
search_for_worst_cases() {
    local hours=${ADVERSARY_HOURS:-0.17} status=0
    .build/release/penstock adversary --seed "${SEED:-$(date +%Y%m%d)}" --hours "$hours" --draws 150 --changes 100000 \
        --below 0.4 || status=$?
    echo "$((status == 0)) passed, $((status != 0)) failed, 0 skipped"
    return "$status"
}

# The working tree as it is, committed or not.
build_the_same_elsewhere() {
    local elsewhere=$scratch/elsewhere status=0 binary
    export SOURCE_DATE_EPOCH=1
    mkdir "$elsewhere"
    git ls-files --cached --others --exclude-standard -z | tar --create --null --files-from - |
        tar --extract --directory "$elsewhere"
    cp Package.resolved "$elsewhere"
    (cd "$elsewhere" && swift build -c release --static-swift-stdlib --product penstock) || status=$?
    for binary in "$PWD" "$elsewhere"; do
        ((status != 0)) || PENSTOCK=$binary/.build/release/penstock \
            deploy/package.sh --only tarball,sbom "$scratch/packages/$binary" || status=$?
    done
    ((status != 0)) || diff --recursive "$scratch/packages/$PWD" "$scratch/packages/$elsewhere" || status=$?
    echo "$((status == 0)) passed, $((status != 0)) failed, 0 skipped"
    return "$status"
}

require_swift
require_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${PACKAGE_PACKAGES[@]}" "${IMAGE_PACKAGES[@]}" \
    "${PACKAGE_LIFE_PACKAGES[@]}"

printf '\n== build (release) ==\n'
swift build -c release --static-swift-stdlib --product penstock

stage "end-to-end, long" Tests/EndToEnd/run -m long -s
stage "thread sanitizer" deploy/sanitize.sh thread
stage "address sanitizer" deploy/sanitize.sh address
stage "soak" .build/end-to-end/bin/python -B Tests/EndToEnd/soak.py --minutes "$minutes"
stage "differential" .build/end-to-end/bin/python -B Tests/EndToEnd/differential.py \
    .build/release/penstock --seed "${SEED:-1}" --count "${DIFFERENTIAL_REQUESTS:-20000}"
stage "fuzzing" Tests/Fuzz/run all "${FUZZ_SECONDS:-1800}"
stage "same binary" build_the_same_elsewhere
stage "engines" Tests/Engines/run
stage "adversary" search_for_worst_cases

printf '\n== summary ==\n'
printf '%s\n' "${report[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
