#!/usr/bin/env bash
# What a release consists of: deploy/package.sh [--only KIND[,KIND...]] [DIRECTORY]
#
#   deb       penstock_VERSION-REVISION_ARCHITECTURE.deb    for Debian 12
#   tarball   penstock-VERSION-linux-MACHINE.tar.gz         the same files, for /usr/local or a folder of their own
#   sbom      penstock-VERSION-linux-MACHINE.cdx.json       what the binary contains and links, in CycloneDX
#   image     penstock-VERSION-linux-MACHINE.oci.tar        an image in OCI's layout, made without an engine
#   SHA256SUMS                                              over all of these
#
# DIRECTORY is .build/packages unless given; other files in it stay. The same binary, in the same surroundings and with the
# same variables, makes the same bytes: docs/operating.md says what else it takes. The version is the binary's own.
#
#   PENSTOCK             the binary as the compiler made it; without it the release binary is built
#   SOURCE_DATE_EPOCH    the time of every file, in seconds since 1970; that of the last commit unless given
#   REVISION             Debian's revision, 1 unless given: a number that rises where the version does not
#   DEBFULLNAME, DEBEMAIL    who answers for the package
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=packages.sh
source "$root/deploy/packages.sh"
# shellcheck source-path=SCRIPTDIR source=package/files.sh
source "$root/deploy/package/files.sh"
# shellcheck source-path=SCRIPTDIR source=package/deb.sh
source "$root/deploy/package/deb.sh"
# shellcheck source-path=SCRIPTDIR source=package/image.sh
source "$root/deploy/package/image.sh"

readonly KINDS=(deb tarball sbom image)

fail() {
    echo "error: $1" >&2
    exit 1
}

wanted=("${KINDS[@]}")
if [[ ${1:-} == --only ]]; then
    IFS=, read -r -a wanted <<<"${2:?--only takes kinds: ${KINDS[*]}}"
    shift 2
fi
for kind in "${wanted[@]}"; do
    [[ " ${KINDS[*]} " == *" $kind "* ]] || fail "\`$kind\` is not known; kinds are ${KINDS[*]}"
done
[[ $# -le 1 && ${1:-} != -* ]] || fail "usage: deploy/package.sh [--only KIND[,KIND...]] [DIRECTORY]"
mkdir -p "${1:-$root/.build/packages}"
directory=$(cd "${1:-$root/.build/packages}" && pwd)

needed=("${PACKAGE_PACKAGES[@]}")
if [[ " ${wanted[*]} " == *" image "* ]]; then
    needed+=("${IMAGE_PACKAGES[@]}")
fi
require_packages "${needed[@]}"

if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
    SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null) ||
        fail "there is no commit to take the time from; set SOURCE_DATE_EPOCH to seconds since 1970"
fi
[[ $SOURCE_DATE_EPOCH =~ ^[0-9]+$ ]] || fail "SOURCE_DATE_EPOCH is seconds since 1970, not \`$SOURCE_DATE_EPOCH\`"
export SOURCE_DATE_EPOCH
revision=${REVISION:-1}
[[ $revision =~ ^[0-9][A-Za-z0-9.~]*$ ]] || fail "REVISION is a number, such as 2, not \`$revision\`"

if [[ -z ${PENSTOCK:-} ]]; then
    require_swift
    require_packages "${BUILD_PACKAGES[@]}"
    (cd "$root" && swift build -c release --static-swift-stdlib --product penstock) >&2
    PENSTOCK=$root/.build/release/penstock
fi
[[ -x $PENSTOCK ]] || fail "$PENSTOCK is no binary; PENSTOCK names one, or is left out to have it built"
[[ -f $root/Package.resolved ]] ||
    fail "there is no Package.resolved, which names what the binary contains; \`swift package resolve\` makes it"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out
mkdir "$out"

binary=$scratch/penstock
strip --strip-all --remove-section .comment -o "$binary" "$PENSTOCK" 2>/dev/null ||
    fail "$PENSTOCK is no binary that strip can read"
# SwiftPM has the loader look beside the binary first, where a package has no libraries.
chrpath --delete "$binary" >/dev/null
python3 -B "$root/deploy/package/settle.py" "$binary"
if readelf --dynamic "$binary" | grep -q 'NEEDED.*\[libswift'; then
    fail "$PENSTOCK does not contain Swift's runtime; build it with --static-swift-stdlib"
fi
version=$("$binary" --version) || fail "$PENSTOCK does not run here"
[[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] || fail "$PENSTOCK says \`$version\` of its version"
machine=$(uname -m)
architecture=$(dpkg --print-architecture)
name=penstock-$version-linux-$machine
depends=$(shared_library_packages "$binary")
# shellcheck disable=SC2034  # Used by the files sourced above.
readonly binary version revision machine architecture name depends

make_generated_files
for kind in "${wanted[@]}"; do
    "make_$kind"
done

mv "$out"/* "$directory/"
cd "$directory"
sums=()
for file in "penstock_${version}-"*"_$architecture.deb" "$name".{tar.gz,cdx.json,oci.tar}; do
    if [[ -f $file ]]; then sums+=("$file"); fi
done
sha256sum "${sums[@]}" >SHA256SUMS
printf '%s\n' "${sums[@]/#/$directory/}" "$directory/SHA256SUMS"
