# Which Debian packages and tools Penstock needs, and how the scripts beside this one get them.
# shellcheck shell=bash
#
# Sourced, not run:
#   require_swift        Swift 6.3 or later and git, or a message and exit 1
#   require_packages ... the Debian packages named, installed if that can be done without asking
# Nothing is installed over a newer version, and no installed server is started.

# Headers of the five C libraries that the binary links.
readonly BUILD_PACKAGES=(libc-ares-dev libcurl4-openssl-dev libssl-dev libyaml-dev zlib1g-dev)
# The test suite's peers: an HTTP server, a load generator, a client, certificates, a name server, promtool, Python, a browser,
# Kafka's client library.
readonly TEST_PACKAGES=(nginx-light wrk curl openssl dnsmasq-base prometheus python3-venv chromium librdkafka1)
# What deploy/package.sh makes packages with, and images.
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly PACKAGE_PACKAGES=(dpkg-dev binutils chrpath python3)
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly IMAGE_PACKAGES=(umoci ca-certificates)
# What packages are tested with: the shells that complete, what reads manual pages, and Debian's own judge.
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly PACKAGE_TEST_PACKAGES=(lintian mandoc zsh fish shellcheck)
# And systems that they are installed in; images are looked at with a reader that did not make them.
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly PACKAGE_LIFE_PACKAGES=(debootstrap skopeo)
# What Tests/Benchmarks/gates counts with.
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly GATE_PACKAGES=(nginx-light gcc strace valgrind binutils openssl)
# What Tests/Benchmarks/run measures and measures with; Envoy is not in Debian.
# shellcheck disable=SC2034  # Used by the scripts that source this one.
readonly BENCHMARK_PACKAGES=(nginx-light haproxy wrk gcc strace valgrind binutils openssl python3-venv)
readonly SWIFT_MAJOR=6
readonly SWIFT_MINOR=3

# What shows that a package's purpose is served, however it was installed.
package_is_there() {
    case $1 in
    libc-ares-dev) header_is_there ares.h && library_is_there libcares.so ;;
    libcurl4-openssl-dev) header_is_there curl/curl.h && library_is_there libcurl.so ;;
    libssl-dev) header_is_there openssl/ssl.h && library_is_there libssl.so ;;
    libyaml-dev) header_is_there yaml.h && library_is_there libyaml.so ;;
    librdkafka1) library_is_there librdkafka.so.1 ;;
    zlib1g-dev) header_is_there zlib.h && library_is_there libz.so ;;
    nginx-light) command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]] ;;
    dnsmasq-base) command -v dnsmasq >/dev/null || [[ -x /usr/sbin/dnsmasq ]] ;;
    prometheus) command -v promtool >/dev/null ;;
    binutils) command -v objcopy >/dev/null ;;
    dpkg-dev) command -v dpkg-shlibdeps >/dev/null ;;
    ca-certificates) [[ -s /etc/ssl/certs/ca-certificates.crt ]] ;;
    debootstrap) command -v debootstrap >/dev/null || [[ -x /usr/sbin/debootstrap ]] ;;
    python3-venv) command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

header_is_there() {
    local directory
    for directory in /usr/include "/usr/include/$(uname -m)-linux-gnu" /usr/local/include; do
        [[ -f $directory/$1 ]] && return 0
    done
    return 1
}

library_is_there() {
    local directory
    for directory in "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib /usr/local/lib; do
        [[ -e $directory/$1 ]] && return 0
    done
    return 1
}

# Makes sure that all packages named are there; exits 1, saying what is missing, when they cannot be had.
require_packages() {
    local package missing=()
    for package in "$@"; do
        package_is_there "$package" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return
    if install_packages "${missing[@]}"; then
        for package in "${missing[@]}"; do
            if ! package_is_there "$package"; then
                echo "error: $package was installed, but what it is needed for is not found" >&2
                exit 1
            fi
        done
        return
    fi
    {
        echo "error: missing: ${missing[*]}"
        if command -v apt-get >/dev/null; then
            echo "install them with: sudo apt-get update && sudo apt-get install --yes ${missing[*]}"
        else
            echo "these are Debian's names; install what they stand for on this system"
        fi
    } >&2
    exit 1
}

# Installs packages where that needs no password; false otherwise.
install_packages() {
    local as_root=()
    command -v apt-get >/dev/null || return 1
    if ((EUID != 0)); then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    echo "installing $*"
    (
        # Debian starts the servers that it installs unless this file says no; tests start their own.
        policy=/usr/sbin/policy-rc.d
        if [[ ! -e $policy ]]; then
            printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
            trap '"${as_root[@]}" rm -f "$policy"' EXIT
            "${as_root[@]}" chmod +x "$policy"
        fi
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qq --yes --no-install-recommends "$@"
    ) >&2
}

# Makes sure that a Swift toolchain that is new enough is in PATH, and git, which it fetches packages with.
require_swift() {
    if ! command -v git >/dev/null; then
        echo "error: there is no git in PATH (Debian: apt-get install git)" >&2
        exit 1
    fi
    if ! command -v swift >/dev/null; then
        echo "error: there is no swift in PATH; Penstock needs Swift $SWIFT_MAJOR.$SWIFT_MINOR or later" >&2
        echo "https://www.swift.org/install/linux/ has toolchains for Debian 12" >&2
        exit 1
    fi
    local found
    found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    local major=${found%%.*} minor=${found##*.}
    if [[ -z $found ]] || ((major < SWIFT_MAJOR || (major == SWIFT_MAJOR && minor < SWIFT_MINOR))); then
        echo "error: $(command -v swift) is Swift ${found:-of unknown version};" \
            "Penstock needs $SWIFT_MAJOR.$SWIFT_MINOR or later" >&2
        echo "https://www.swift.org/install/linux/ has toolchains for Debian 12" >&2
        exit 1
    fi
}
