#!/usr/bin/env python3
"""Runs the commands that a Markdown file shows: readme_commands.py FILE...

A block of commands is run when the line before its ```sh fence is the comment <!-- test -->. Each block is one
bash script with `set -eu`, started in the repository's root, with two minutes to end. What a block leaves
running is ended with it. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^<!-- test -->\n+```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 120


class Block(NamedTuple):
    """The commands of one block, and where it starts."""

    place: str
    script: str


def marked_blocks(path: Path) -> list[Block]:
    """The blocks of a file that are to be run."""
    text = path.read_text()
    blocks = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        blocks.append(Block(f"{path.name}:{line}", match[1]))
    if len(blocks) != text.count("<!-- test -->"):
        raise SystemExit(f"{path}: a <!-- test --> is not followed by a ```sh block")
    return blocks


def run(block: Block) -> bool:
    """Runs a block; true if it succeeded."""
    print(f"-- {block.place}\n{block.script}", end="", flush=True)
    # Without pipefail, as in a reader's shell: `head` may end before what it reads from.
    command = ["bash", "-eu", "-c", block.script]
    # A group of its own, so that servers that the block starts end with it.
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = child.wait(SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{block.place}: still running after {SECONDS} s")
        status = 1
    end_group(child.pid)
    child.wait()
    print(f"{block.place}: {'passed' if status == 0 else f'failed with status {status}'}", flush=True)
    return status == 0


def end_group(group: int) -> None:
    """Ends what is left of a process group that `run` made."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main() -> None:
    """The command line."""
    blocks = [block for name in sys.argv[1:] for block in marked_blocks(ROOT / name)]
    if not blocks:
        print(f"{' '.join(sys.argv[1:])}: no block of commands is marked <!-- test -->")
    results = [run(block) for block in blocks]
    failed = results.count(False) if blocks else 1
    print(f"{results.count(True)} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
