#!/usr/bin/env bash
# Everything that continuous integration runs: deploy/test.sh
#
#   1. format lint           swift format, strict
#   2. build                 debug with tests, and the release binary; a warning is an error
#   3. swift test            all Swift tests, and the gateway's again with four threads
#   4. end-to-end tests      Tests/EndToEnd: a real model, the openai package, curl, nginx, promtool, packages, shells, a
#                            browser; those that wait rather than work beside the others; some of them again with four threads
#   5. scenarios             Tests/SimulatorTests/run: the limits and the queue against simulated backends, five seeds;
#                            they run beside stage 4
#   6. the README's commands every ```sh block below a line <!-- test -->
#   7. cost gates            Tests/Benchmarks/gates: instructions, system calls and allocations within thresholds.toml
#
# A stage that fails does not keep the next ones from running, unless they need what it makes. What fails in stages 3 and 4
# runs once more, alone: a machine with two cores that others share stands still for seconds at times. What passes then is
# named in the summary, because it depends on time and should not; what fails again has failed. The last line is
# "N passed, N failed, N skipped" over stages 3 to 7; a failed lint or build counts as one failure. The exit
# status is 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=packages.sh
source deploy/packages.sh

passed=0
failed=0
skipped=0
report=()
scratch=$(mktemp -d)
prepare=
scenarios=
timed_first=
timed_second=
trap 'for job in $prepare $scenarios $timed_first $timed_second; do kill "$job" 2>/dev/null || true; done; rm -rf "$scratch"' EXIT

stage() {
    printf '\n== %s, after %d s ==\n' "$1" "$SECONDS"
}

# count NAME PASSED FAILED SKIPPED: adds a stage's result.
count() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    skipped=$((skipped + $4))
    report+=("$(printf '%-22s %5d passed %5d failed %5d skipped' "$@")")
}

# count_line NAME STATUS FILE: the same from a file whose last line is "N passed, N failed, N skipped".
count_line() {
    local name=$1 status=$2 ok=0 bad=1 left=0
    if [[ $(tail -n 1 "$3") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        ok=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]} left=${BASH_REMATCH[3]}
    fi
    if ((status != 0 && bad == 0)); then
        bad=1
    fi
    count "$name" "$ok" "$bad" "$left"
}

# count_again NAME FIRST SECOND: the tests in the file FIRST, a name a line, have failed and were counted so; those in SECOND have
# failed again.
count_again() {
    local names ok
    names=$(comm -23 <(sort "$2") <(sort "$3"))
    [[ -n $names ]] || return 0
    ok=$(wc -l <<<"$names")
    passed=$((passed + ok))
    failed=$((failed - ok))
    report+=("$(printf '%-22s %5d passed when run once more: %s' "$1" "$ok" "$(paste -sd ' ' <<<"$names")")")
}

# build NAME ARGUMENTS...: a build in which a warning about our own files is an error too.
build() {
    local name=$1 log="$scratch/build.log" status=0
    shift
    swift build "$@" 2>&1 | tee "$log" || status=$?
    if grep -E "^$PWD/(Sources|Tests|Package\.swift).*: warning: " "$log" >"$scratch/warnings"; then
        echo "error: the build has warnings:"
        sort -u "$scratch/warnings"
        status=1
    fi
    if ((status != 0)); then
        count "$name" 0 1 0
    fi
    return "$status"
}

# swift_tests NAME OPTIONS...: runs Swift tests; their own closing line stays the last of the stage. A test process that
# crashes has no closing line: then the tests that had passed count, and one failure.
swift_tests() {
    local name=$1 log="$scratch/swift-test.log" status=0 ok bad left total
    shift
    swift test --skip-build "$@" 2>&1 | tee "$log" || status=$?
    ok=$(grep -cE '^[^ ]+ Test .* passed after [0-9.]+ seconds' "$log" || true)
    bad=$(grep -cE '^[^ ]+ Test .* failed after [0-9.]+ seconds' "$log" || true)
    left=$(grep -cE '^[^ ]+ Test .* skipped' "$log" || true)
    total=$(sed -nE 's/^[^ ]+ Test run with ([0-9]+) tests?.* (passed|failed) after.*/\1/p' "$log" | tail -n 1)
    if [[ -n $total ]]; then
        # The closing line is itself one of those that were counted.
        ((status == 0)) || bad=$((bad - 1))
        ok=$((total - bad - left))
    fi
    if ((status != 0 && bad <= 0)); then
        bad=1
    fi
    count "$name" "$ok" "$bad" "$left"
    # Who has crashed is not asked again.
    [[ -z $total ]] || swift_tests_again "$name" "$log" "$bad"
}

# names_of_failed LOG: the functions that a log of Swift tests says have failed.
names_of_failed() {
    sed -nE 's/^✘ Test ([A-Za-z0-9_]+)\(.*\).* failed after [0-9.]+ seconds.*/\1/p' "$1" | sort -u
}

# swift_tests_again NAME LOG FAILED: runs those functions once more that LOG says have failed, where it names them all.
swift_tests_again() {
    local name=$1 list="$scratch/swift-again" log="$scratch/swift-again.log" status=0 ran
    names_of_failed "$2" >"$list"
    if [[ ! -s $list || $(wc -l <"$list") != "$3" ]]; then
        return
    fi
    stage "$name, once more"
    swift test --skip-build --filter "/($(paste -sd '|' "$list"))\(" 2>&1 | tee "$log" || status=$?
    names_of_failed "$log" >"$log.failed"
    ran=$(sed -nE 's/^[^ ]+ Test run with ([0-9]+) tests?.*/\1/p' "$log" | tail -n 1)
    if ((status != 0)) && [[ ! -s $log.failed ]] || ((${ran:-0} < $3)); then
        return
    fi
    count_again "$name" "$list" "$log.failed"
}

# end_to_end_tests NAME OPTIONS...
end_to_end_tests() {
    local name=$1 log="$scratch/end-to-end.log" status=0
    shift
    FAILED_TESTS="$scratch/$name.failed" Tests/EndToEnd/run "$@" 2>&1 | tee "$log" || status=$?
    count_line "$name" "$status" "$log"
}

# end_to_end_tests_again NAME: runs those once more that have failed, now that nothing runs beside them.
end_to_end_tests_again() {
    local name=$1 list="$scratch/$1.failed" log="$scratch/again.log" again="$scratch/again.failed" tests
    [[ -s $list ]] || return 0
    mapfile -t tests <"$list"
    stage "$name, once more"
    rm -f "$again"
    FAILED_TESTS="$again" Tests/EndToEnd/run -m "" "${tests[@]}" 2>&1 | tee "$log" || true
    # Without a report nobody has passed, nor has who was skipped.
    if [[ -e $again && $(tail -n 1 "$log") == *" 0 skipped" ]]; then
        count_again "$name" "$list" "$again"
    fi
}

# End-to-end tests that wait for most of their time run beside those that work, half of them beside the other half.
begin_timed_tests() {
    FAILED_TESTS="$scratch/end-to-end, timed 1.failed" \
        Tests/EndToEnd/run -m "timed and not long" --part 1/2 >"$scratch/timed_first.log" 2>&1 &
    timed_first=$!
    FAILED_TESTS="$scratch/end-to-end, timed 2.failed" \
        Tests/EndToEnd/run -m "timed and not long" --part 2/2 >"$scratch/timed_second.log" 2>&1 &
    timed_second=$!
}

# Scenarios depend on no clock, and end-to-end tests wait for most of their time: the first run beside the second, on
# whatever the second leave idle.
begin_scenarios() {
    local behind=(nice -n 19)
    if chrt --idle 0 true 2>/dev/null; then
        behind=(chrt --idle 0)
    fi
    "${behind[@]}" Tests/SimulatorTests/run >"$scratch/scenarios.log" 2>&1 &
    scenarios=$!
}

# end_job NAME VARIABLE: waits for the job whose process id VARIABLE holds, shows its log, $scratch/VARIABLE.log, and counts
# its result.
end_job() {
    local name=$1 log="$scratch/$2.log" status=0
    wait "${!2}" || status=$?
    printf -v "$2" ''
    cat "$log"
    count_line "$name" "$status" "$log"
}

readme_commands() {
    local log="$scratch/readme.log" status=0
    python3 deploy/readme_commands.py README.md 2>&1 | tee "$log" || status=$?
    count_line "README's commands" "$status" "$log"
}

cost_gates() {
    local log="$scratch/gates.log" status=0
    Tests/Benchmarks/gates 2>&1 | tee "$log" || status=$?
    count_line "cost gates" "$status" "$log"
}

lint() {
    if swift format lint --strict --recursive Sources Tests Package.swift; then
        echo "clean"
    else
        count "format lint" 0 1 0
    fi
}

require_swift
require_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${GATE_PACKAGES[@]}" \
    "${PACKAGE_PACKAGES[@]}" "${PACKAGE_TEST_PACKAGES[@]}"
# What PyPI sends comes while the compiler works; a failure is told by the tests that need it.
Tests/EndToEnd/run --prepare >"$scratch/prepare.log" 2>&1 &
prepare=$!

stage "format lint"
lint

stage "build (debug, tests)"
tests_built=true
build "debug build" --build-tests || tests_built=false

stage "build (release)"
release_built=true
build "release build" -c release --static-swift-stdlib --product penstock || release_built=false
build "release build of cost-probe" -c release --static-swift-stdlib --product cost-probe || release_built=false

if $tests_built; then
    stage "swift test"
    swift_tests "swift test"
    # Topics are read by threads of their own, however many serve.
    PENSTOCK_TEST_THREADS=4 swift_tests "swift test, 4 threads" --filter GatewayTests \
        --skip 'TopicReaderTests|KafkaClientTests'
fi
if $release_built; then
    stage "end-to-end tests"
    wait "$prepare" || cat "$scratch/prepare.log"
    prepare=
    begin_scenarios
    begin_timed_tests
    end_to_end_tests "end-to-end" -m "not timed and not long"
    PENSTOCK_TEST_THREADS=4 end_to_end_tests "end-to-end, 4 threads" \
        -k "test_life or test_limits or test_client_leaves or test_backend_dies or test_metrics"
    end_job "end-to-end, timed 1" timed_first
    end_job "end-to-end, timed 2" timed_second
    stage "scenarios"
    end_job "scenarios" scenarios
    end_to_end_tests_again "end-to-end"
    PENSTOCK_TEST_THREADS=4 end_to_end_tests_again "end-to-end, 4 threads"
    end_to_end_tests_again "end-to-end, timed 1"
    end_to_end_tests_again "end-to-end, timed 2"
    stage "README's commands"
    readme_commands
    stage "cost gates"
    cost_gates
fi

stage "summary"
printf '%s\n' "${report[@]}"
echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
