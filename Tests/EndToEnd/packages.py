"""The packages under test: what deploy/package.sh makes of the binary."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from processes import ROOT

# Any moment that is not now.
EPOCH = "1700000000"


@dataclass(frozen=True)
class Surroundings:
    """Where a build is made: what differs between users and machines, and must not tell."""

    umask: str = "022"
    variables: Mapping[str, str] = field(default_factory=dict)


HERE = Surroundings()
ELSEWHERE = Surroundings("077", {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "HOME": "/nonexistent"})


def begin_build(
    binary: Path, directory: Path, kinds: str, surroundings: Surroundings = HERE, **variables: str
) -> subprocess.Popen[str]:
    """Starts deploy/package.sh for these kinds, in a folder that is not the repository's."""
    environment = {"PENSTOCK": str(binary), "SOURCE_DATE_EPOCH": EPOCH, **surroundings.variables, **variables}
    script = f'umask {surroundings.umask}; exec "$@"'
    return subprocess.Popen(
        ["bash", "-c", script, "bash", str(ROOT / "deploy/package.sh"), "--only", kinds, str(directory)],
        cwd="/", env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


def end_build(build: subprocess.Popen[str], directory: Path) -> dict[str, Path]:
    """The files that a build has made, by their names."""
    said, _ = build.communicate(timeout=240)
    assert build.returncode == 0, said
    return {path.name: path for path in directory.iterdir()}


def build(binary: Path, directory: Path, kinds: str, **variables: str) -> dict[str, Path]:
    """Runs deploy/package.sh to its end."""
    return end_build(begin_build(binary, directory, kinds, **variables), directory)


def only(files: Mapping[str, Path], ending: str) -> Path:
    """The one file of that kind."""
    (found,) = [path for name, path in files.items() if name.endswith(ending)]
    return found
