"""Makes a binary the same in whichever folder it was built: settle.py BINARY

Two of its sections hold digests that paths go into. Those of intermediate files serve the compiler's next build alone,
and become zeros. The build id becomes what it should be, a digest of the rest. Sections stay where they are, and with
them what the loader is told of them; strip would leave that out together with a section.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

# A note's head: sizes of name and contents, type, and the name GNU with its zero (elf(5)).
NOTE_HEAD = 16


def section(path: Path, name: str) -> slice:
    """Where in the file a section lies; empty where there is none."""
    shown = subprocess.run(
        ["readelf", "--wide", "--section-headers", path], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(rf" {re.escape(name)} +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) ", shown)
    if not match:
        return slice(0, 0)
    offset, size = (int(number, 16) for number in match.groups())
    return slice(offset, offset + size)


def main() -> None:
    """The command line."""
    path = Path(sys.argv[1])
    contents = bytearray(path.read_bytes())
    digests, note = section(path, ".swift_modhash"), section(path, ".note.gnu.build-id")
    contents[digests] = bytes(digests.stop - digests.start)
    identity = slice(min(note.start + NOTE_HEAD, note.stop), note.stop)
    length = identity.stop - identity.start
    contents[identity] = bytes(length)
    contents[identity] = hashlib.sha256(contents).digest()[:length]
    path.write_bytes(contents)


if __name__ == "__main__":
    main()
