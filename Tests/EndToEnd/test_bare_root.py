"""What a process finds missing in a chroot or a container that nobody has furnished."""

from __future__ import annotations

import socket
import subprocess
from functools import cache
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import one_pool, request
from sockets import scripted_backend, read_head

# A namespace of mounts in which nothing lies at /proc; the command's words follow.
WITHOUT_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]


@cache
def why_not() -> str:
    """Why /proc cannot be hidden here; empty where it can."""
    command = [*WITHOUT_PROC, "test", "!", "-e", "/proc/self"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        return f"there is no `unshare`: {error}"
    return "" if ended.returncode == 0 else f"/proc cannot be hidden: {ended.stderr.strip()}"


without_proc = pytest.mark.skipif(bool(why_not()), reason=why_not())


def run(binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line without /proc, to its end."""
    command = [*WITHOUT_PROC, str(binary), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@without_proc
def test_commands_get_their_arguments_without_proc(penstock: Path, tmp_path: Path) -> None:
    """Each command does what it is told, and says so by its status."""
    assert run(penstock, "--version").stdout.strip().count(".") == 2
    invalid = tmp_path / "invalid.yaml"
    invalid.write_text("version: 1\n")
    ended = run(penstock, "check", str(invalid))
    assert ended.returncode == 1 and "listen: is missing" in ended.stderr
    ended = run(penstock, "no-such-command")
    assert ended.returncode == 64 and "no-such-command" in ended.stderr


@without_proc
def test_serves_without_proc(gateway: StartGateway) -> None:
    """What /proc alone would tell is left out of the metrics; everything else works."""

    def script(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(script) as backend:
        through = gateway(one_pool(backend), before=WITHOUT_PROC)
        assert request(through.url, "/").body == b"ok"
        assert request(through.admin_url, "/metrics").status == 200
