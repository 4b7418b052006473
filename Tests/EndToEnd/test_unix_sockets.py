"""Unix sockets to listen on: whose file lies at their path, and who may connect."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import eventually, one_pool
from sockets import closed_address, read_head, scripted_backend

GET = b"GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"


def answering(connection: socket.socket) -> None:
    """A backend that says ok."""
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """A connection to the socket at `path`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        yield client


def answer(path: Path) -> bytes:
    """What the gateway at `path` answers to a request, whole."""
    with connected(path) as client:
        client.sendall(GET)
        return b"".join(iter(lambda: client.recv(65536), b""))


def serves(path: Path) -> bool:
    """Whether a gateway at `path` serves."""
    return answer(path).endswith(b"ok")


def refusal(binary: Path, directory: Path, policy: str) -> str:
    """What `serve` says when it cannot begin, which has to be soon."""
    file = directory / "refused.yaml"
    file.write_text(policy)
    command = [str(binary), "serve", "--policy", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 1 and not ended.stdout, ended
    return ended.stderr


def mode(path: Path) -> int:
    """The permissions of the socket at `path`."""
    status = path.lstat()
    assert stat.S_ISSOCK(status.st_mode)
    return stat.S_IMODE(status.st_mode)


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_what_is_no_socket_is_left_alone(penstock: Path, tmp_path: Path, key: str) -> None:
    """Files, FIFOs, directories and links are somebody else's: a start fails, at once, and touches none of them."""
    (tmp_path / "file").write_text("keep me\n")
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "FIFO", "directory", "link"):
        path = tmp_path / name
        before = path.lstat()
        policy = one_pool(closed_address(), listen=f"unix:{path}")
        if key == "admin":
            policy = one_pool(closed_address()).replace("admin: 127.0.0.1:0", f"admin: unix:{path}")
        said = refusal(penstock, tmp_path, policy)
        assert f"unix:{path}" in said and f"{name} lies there" in said and "choose another path" in said
        after = path.lstat()
        assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert (tmp_path / "file").read_text() == "keep me\n"


def test_socket_of_a_killed_gateway_is_replaced(gateway: StartGateway, tmp_path: Path) -> None:
    """What a killed process left behind stops no start."""
    path = tmp_path / "gateway.sock"
    with scripted_backend(answering) as backend:
        policy = one_pool(backend, listen=f"unix:{path}")
        gateway(policy).kill()
        assert path.is_socket()
        gateway(policy)
        assert serves(path)


def test_socket_in_use_is_an_error(penstock: Path, gateway: StartGateway, tmp_path: Path) -> None:
    """A second start says whose path it is, and the first gateway notices nothing."""
    path = tmp_path / "gateway.sock"
    with scripted_backend(answering) as backend:
        policy = one_pool(backend, listen=f"unix:{path}")
        first = gateway(policy)
        inode = path.lstat().st_ino
        said = refusal(penstock, tmp_path, policy)
        assert "another process accepts connections there; stop it, or choose another path" in said
        assert path.lstat().st_ino == inode and serves(path)
        # One that has stopped for a while does not keep the other waiting.
        first.signal(signal.SIGSTOP)
        assert "another process accepts" in refusal(penstock, tmp_path, policy)
        first.signal(signal.SIGCONT)
        assert serves(path)


def test_successor_keeps_its_socket(gateway: StartGateway, tmp_path: Path) -> None:
    """While the old process drains a new one takes the path, and keeps it when the old one ends."""
    path = tmp_path / "gateway.sock"

    def streaming(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        connection.recv(1)

    with scripted_backend(streaming) as slow, scripted_backend(answering) as backend:
        old = gateway(one_pool(slow, listen=f"unix:{path}", extra="server: {drain_timeout: 30s}\n"))
        with connected(path) as stream:
            stream.sendall(GET)
            while b"one" not in stream.recv(65536):
                pass
            old.signal(signal.SIGTERM)
            eventually(lambda: not path.exists(), "the path is free")
            new = gateway(one_pool(backend, listen=f"unix:{path}"))
            assert old.returncode is None and serves(path)
            old.signal(signal.SIGTERM)
            old.wait(5)
        assert serves(path)
        new.signal(signal.SIGTERM)
        assert new.wait(5) == 0
    assert not path.exists()


def test_mode_does_not_depend_on_the_umask(gateway: StartGateway, tmp_path: Path) -> None:
    """Clients may connect whatever umask the unit has; to the admin pages only the owner and the group."""
    path, admin = tmp_path / "gateway.sock", tmp_path / "admin.sock"
    policy = one_pool(closed_address(), listen=f"unix:{path}")
    policy = policy.replace("admin: 127.0.0.1:0", f"admin: unix:{admin}")
    for umask in ("077", "000"):
        through = gateway(policy, before=["sh", "-c", f'umask {umask} && exec "$@"', "sh"])
        assert (mode(path), mode(admin)) == (0o666, 0o660)
        through.signal(signal.SIGTERM)
        through.wait(5)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be somebody else"
)
def test_others_connect_as_far_as_the_policy_says(gateway: StartGateway) -> None:
    """The mode, the owner and the group decide who may connect."""
    directory = Path("/tmp") / f"penstock-{os.getpid()}"
    directory.mkdir(mode=0o755)
    path = directory / "gateway.sock"
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"

    def can_connect(user: int, group: int) -> bool:
        identity = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        command = ["setpriv", *identity, sys.executable, "-c", connect]
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0

    def policy(access: str) -> str:
        return one_pool(closed_address(), listen=f"{{address: 'unix:{path}'{access}}}")

    try:
        through = gateway(policy(""))
        assert can_connect(33, 33)
        changes = 0
        for access, owner, group, other in (
            (', mode: "0600", owner: "33"', True, False, False),
            (', mode: "0660", group: "44"', False, True, False),
            (', mode: "0660", owner: "33", group: "44"', True, True, False),
            ("", True, True, True),
        ):
            through.reload(policy(access))
            changes += 1
            eventually(
                lambda: through.metric("penstock_policy_reloads_total") == changes, "reload counted"
            )
            assert (can_connect(33, 33), can_connect(55, 44), can_connect(66, 66)) == (owner, group, other)
    finally:
        shutil.rmtree(directory)


def test_unknown_owners_are_faults_of_the_policy(penstock: Path, tmp_path: Path) -> None:
    """`penstock check` names the line of a user or group that this machine does not know."""
    access = "owner: no-such-user, group: no-such-group"
    file = tmp_path / "policy.yaml"
    file.write_text(one_pool(closed_address(), listen=f"{{address: 'unix:/run/a.sock', {access}}}"))
    command = [str(penstock), "check", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 1
    assert "policy.yaml:2:" in ended.stderr
    assert "listen.owner: this machine has no user `no-such-user`" in ended.stderr
    assert "listen.group: this machine has no group `no-such-group`" in ended.stderr


def test_one_of_many_starts_serves(
    gateway: StartGateway, penstock: Path, tmp_path: Path
) -> None:
    """Of several starts at once that find the same socket left behind, one serves and the others say why not."""
    path = tmp_path / "gateway.sock"
    policy = one_pool(closed_address(), listen=f"unix:{path}")
    gateway(policy).kill()
    file = tmp_path / "many.yaml"
    file.write_text(policy)
    command = [str(penstock), "serve", "--policy", str(file)]
    starts = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(6)]
    try:
        eventually(lambda: sum(start.poll() is None for start in starts) == 1, "one is left", 10)
        assert all(start.returncode == 1 for start in starts if start.poll() is not None)
        assert answer(path).startswith(b"HTTP/1.1 ")
    finally:
        for start in starts:
            start.kill()
            start.wait()
