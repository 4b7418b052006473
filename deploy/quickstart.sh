#!/usr/bin/env bash
# From a clone to the demonstration: deploy/quickstart.sh [arguments of penstock demo]
#
# Installs the four Debian packages that the build needs if they are missing, builds the release binary
# .build/release/penstock, and runs `penstock demo`, which needs nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=packages.sh
source deploy/packages.sh

require_swift
require_packages "${BUILD_PACKAGES[@]}"
swift build -c release --static-swift-stdlib --product penstock
exec .build/release/penstock demo "$@"
