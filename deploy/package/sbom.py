"""Lists what the binary is made of: sbom.py BINARY BUILT VERSION PACKAGE.RESOLVED DEPENDS

Writes CycloneDX 1.5 in JSON: the Swift packages of Package.resolved and the Swift runtime, which the binary contains,
and the Debian packages of its shared libraries (DEPENDS, as dpkg-shlibdeps says it), in the versions that are
installed here. BUILT is the binary before it was stripped, which says what it was compiled with. The time is
SOURCE_DATE_EPOCH's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

SWIFT = re.compile(rb"Swift version ([0-9.]+) \(swift-")


def component(name: str, version: str, purl: str, linkage: str) -> dict[str, Any]:
    """A library, and whether the binary contains it or finds it when it is started."""
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": [{"name": "penstock:linkage", "value": linkage}],
    }


def swift_packages(resolved: Path) -> list[dict[str, Any]]:
    """The pins of SwiftPM, with the commits that they name."""
    found = []
    for pin in json.loads(resolved.read_text())["pins"]:
        place = pin["location"].removeprefix("https://").removesuffix(".git")
        revision = pin["state"]["revision"]
        version = pin["state"].get("version", revision)
        made = component(pin["identity"], version, f"pkg:swift/{place}@{version}", "static")
        made["externalReferences"] = [{"type": "vcs", "url": pin["location"]}]
        made["properties"].append({"name": "penstock:revision", "value": revision})
        found.append(made)
    return found


def swift_runtime(built: bytes) -> list[dict[str, Any]]:
    """The standard library, in the version of the compiler."""
    match = SWIFT.search(built)
    if not match:
        raise SystemExit("error: the binary does not say which Swift compiled it; give one that is not stripped")
    version = match[1].decode()
    return [component("swift", version, f"pkg:github/swiftlang/swift@swift-{version}-RELEASE", "static")]


def debian_packages(depends: str) -> list[dict[str, Any]]:
    """The packages that have the libraries."""
    names = sorted({alternative.split()[0] for alternative in depends.split(", ")})
    system = dict(
        line.replace('"', "").split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    found = []
    for name in names:
        command = ["dpkg-query", "--show", "--showformat", "${Version} ${Architecture}", name]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        version, architecture = shown.split()
        where = f"arch={architecture}&distro={system['ID']}-{system.get('VERSION_ID', 'unstable')}"
        purl = f"pkg:deb/{system['ID']}/{quote(name)}@{quote(version, safe='')}?{where}"
        found.append(component(name, version, purl, "dynamic"))
    return found


def document(binary: bytes, version: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole list."""
    digest = hashlib.sha256(binary).hexdigest()
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    purl = f"pkg:generic/penstock@{version}"
    contents = json.dumps([digest, parts], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        # The same contents have the same number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, contents)}",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": purl,
                "name": "penstock",
                "version": version,
                "purl": purl,
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": parts,
        "dependencies": [
            {"ref": purl, "dependsOn": [part["bom-ref"] for part in parts]},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
    }


def main() -> None:
    """The command line."""
    path, built, version, resolved, depends = sys.argv[1:]
    binary = Path(path).read_bytes()
    parts = [
        *swift_packages(Path(resolved)),
        *swift_runtime(Path(built).read_bytes()),
        *debian_packages(depends),
    ]
    json.dump(document(binary, version, parts), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
