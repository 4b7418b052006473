"""The commands of the binary, as its help lists them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """A command as its help describes it."""

    words: tuple[str, ...]
    options: frozenset[str]
    subcommands: tuple[str, ...]
    """Only of groups; the program's own has `help` as well."""
    help: str = field(repr=False)


def commands(binary: Path, words: tuple[str, ...] = ()) -> list[Command]:
    """The program's commands and those below them, from `help`."""
    text = subprocess.run(
        [binary, "help", *words], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    listed = re.findall(r"^  (-[^<\n]*?)(?: <.*| {2,}.*)?$", text, re.MULTILINE)
    options = frozenset(name for names in listed for name in names.strip().split(", "))
    assert {"-h", "--help", "--version"} <= options, text
    _, _, below = text.partition("\nSUBCOMMANDS:\n")
    names = tuple(re.findall(r"^  (\w+) ", below.partition("\n\n")[0], re.MULTILINE))
    found = [Command(words, options, names, text)]
    for name in names:
        found += commands(binary, (*words, name))
    return found
