"""Reads the counters that allocations.c keeps in a file, and names the places that allocate."""

from __future__ import annotations

import bisect
import mmap
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

FRAMES = 14
SITES = 4096
COUNTERS = struct.Struct("6Q")  # allocations, resizes, frees, bytes, is_noting, lost
SITE = struct.Struct(f"{3 + FRAMES}Q")  # hash, count, bytes, frames
NOTING_OFFSET = 4 * 8


@dataclass(frozen=True)
class Counts:
    """Heap calls up to a moment."""

    allocations: int
    resizes: int
    frees: int
    bytes: int


@dataclass(frozen=True)
class CallSite:
    """A call stack that allocates, innermost first."""

    count: int
    bytes: int
    frames: tuple[int, ...]


class AllocationCounter:
    """The counters of one process, which has to be started with `environment`."""

    def __init__(self, library: Path, file: Path) -> None:
        self.environment = {"LD_PRELOAD": str(library), "ALLOCATIONS_FILE": str(file)}
        size = COUNTERS.size + SITES * SITE.size
        with file.open("wb") as output:
            output.truncate(size)
        with file.open("r+b") as shared:
            self._memory = mmap.mmap(shared.fileno(), size)

    def counts(self) -> Counts:
        """What the process has allocated so far."""
        return Counts(*COUNTERS.unpack_from(self._memory, 0)[:4])

    def note_sites(self, is_on: bool) -> None:
        """Turns the noting of call stacks on or off; it slows the process down."""
        struct.pack_into("Q", self._memory, NOTING_OFFSET, int(is_on))

    def sites(self) -> list[CallSite]:
        """The noted call stacks, the most frequent first."""
        found = []
        for index in range(SITES):
            values = SITE.unpack_from(self._memory, COUNTERS.size + index * SITE.size)
            if values[0]:
                frames = tuple(frame for frame in values[3:] if frame)
                found.append(CallSite(values[1], values[2], frames))
        return sorted(found, key=lambda site: -site.count)


class Symbols:
    """The functions of a process's own binary and of the libraries it has loaded, by address."""

    def __init__(self, pid: int) -> None:
        self._ranges: list[tuple[int, int, int, str]] = []
        self._tables: dict[str, tuple[list[int], list[str]]] = {}
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split(None, 5)
            if len(words) == 6 and "x" in words[1] and words[5].startswith("/"):
                start, end = (int(word, 16) for word in words[0].split("-"))
                self._ranges.append((start, end, int(words[2], 16), words[5]))

    def name(self, address: int) -> str:
        """The mangled name of the function around a return address."""
        for start, end, offset, file in self._ranges:
            if start <= address < end:
                return self._lookup(file, address - 1 - start + offset)
        return hex(address)

    def _lookup(self, file: str, offset: int) -> str:
        if file not in self._tables:
            self._tables[file] = read_symbols(file)
        starts, names = self._tables[file]
        index = bisect.bisect_right(starts, offset) - 1
        return names[index] if index >= 0 else f"{Path(file).name}+{offset:#x}"


def read_symbols(file: str) -> tuple[list[int], list[str]]:
    """The functions of an ELF file by their offset in the file."""
    segments = []
    header = subprocess.run(["readelf", "-lW", file], capture_output=True, text=True, check=False)
    for match in re.finditer(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+)", header.stdout):
        segments.append(tuple(int(word, 16) for word in match.groups()))
    found: dict[int, str] = {}
    for option in ("-D", ""):
        command = [word for word in ("nm", option, "--defined-only", file) if word]
        listing = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        for line in listing.stdout.splitlines():
            words = line.split(" ", 2)
            if len(words) == 3 and words[1] in "tTwWiu":
                address = int(words[0], 16)
                for offset, virtual, size in segments:
                    if virtual <= address < virtual + size:
                        found[address - virtual + offset] = words[2]
    starts = sorted(found)
    return starts, [found[start] for start in starts]


def demangle(names: list[str]) -> list[str]:
    """Names as they are written in the source, where the toolchain is at hand."""
    if not names or not shutil.which("swift"):
        return names
    result = subprocess.run(
        ["swift", "demangle", "--compact", "--simplified"],
        input="\n".join(names), capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    return lines if len(lines) == len(names) else names


def describe(sites: list[CallSite], pid: int, depth: int = 5) -> list[list[str]]:
    """The call stack of each site, innermost first, without the runtime's own functions."""
    symbols = Symbols(pid)
    stacks = [[symbols.name(frame) for frame in site.frames] for site in sites]
    names = sorted({name for stack in stacks for name in stack})
    readable = dict(zip(names, demangle(names), strict=True))
    runtime = re.compile(r"^(swift_|_?swift::|_ZN5swift|operator new|malloc|calloc|realloc)")
    described = []
    for stack in stacks:
        own = [readable[name] for name in stack if not runtime.match(readable[name])]
        described.append((own or [readable[name] for name in stack])[:depth])
    return described
