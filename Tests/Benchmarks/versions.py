"""What was measured, and with what."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from processes import first_line


def versions(penstock: Path, envoy: Path | None, routers: Path | None) -> dict[str, str]:
    """What was measured, and with what."""
    found = {
        "Penstock": first_line(str(penstock), "--version"),
        "nginx": first_line("nginx", "-v").removeprefix("nginx version: nginx/"),
        "HAProxy": first_line("haproxy", "-v").split()[2],
        "gcc": first_line("gcc", "-dumpfullversion"),
        "wrk": first_line("wrk", "-v").split()[1],
        "libcurl": curl_version(penstock),
    }
    if envoy:
        told = re.search(r"/(\d+\.\d+\.\d+)/", first_line(str(envoy), "--version"))
        found["Envoy"] = told[1] if told else "?"
    if routers:
        for package in ("sglang-router", "vllm-router"):
            found[package] = first_line(
                str(routers), "-c", f"import importlib.metadata as m; print(m.version('{package}'))")
    return found


def curl_version(penstock: Path) -> str:
    """The file name of the libcurl that Penstock is linked with."""
    listing = subprocess.run(["ldd", str(penstock)], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        words = line.split()
        if words and words[0].startswith("libcurl") and len(words) > 2:
            return Path(words[2]).resolve().name
    return "?"
