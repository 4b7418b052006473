"""Reloads to addresses and sockets that the running gateway has itself, and what a reload that fails leaves."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, one_pool, request
from sockets import closed_address, read_head, scripted_backend


def answering(connection: socket.socket) -> None:
    """A backend that says ok."""
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def backend() -> Iterator[str]:
    """One that answers."""
    with scripted_backend(answering) as address:
        yield address


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as name:
        yield Path(name)


def free_port() -> str:
    """A port that nobody has."""
    return closed_address().rpartition(":")[2]


def serves(address: str) -> bool:
    """Whether a gateway at the address passes requests on."""
    try:
        return request(f"http://{address}").body == b"ok"
    except OSError:
        return False


def is_admin(address: str) -> bool:
    """Whether an admin listener is at the address."""
    try:
        return request(f"http://{address}", "/healthz").body == b"ok\n"
    except OSError:
        return False


def put_in_force(through: Gateway, policy: str) -> None:
    """Reloads, which has to succeed."""

    def ends() -> list[str]:
        words = ("policy reloaded", "policy not reloaded", "policy invalid")
        return [line for line in through.errors if any(f'"message":"{each}' in line.replace(": ", ":") for each in words)]

    before = len(ends())
    through.reload(policy)
    eventually(lambda: len(ends()) > before, "an end")
    assert "policy reloaded" in ends()[-1], ends()[-1]


def refusal(through: Gateway, policy: str) -> str:
    """What the log says of a reload that fails."""

    def lines() -> list[str]:
        return [line for line in through.errors if "not reloaded" in line]

    before = len(lines())
    through.reload(policy)
    eventually(lambda: len(lines()) > before, "a refusal")
    return lines()[-1]


@pytest.mark.parametrize("threads", [1, 2])
def test_addresses_that_overlap(gateway: StartGateway, backend: str, threads: int) -> None:
    """From one address of the machine to all of them and back, and to a port that the kernel had chosen."""
    port = free_port()

    def policy(listen: str) -> str:
        return one_pool(backend, listen=listen, limit=4, extra=f"threads: {threads}\n")

    through = gateway(policy(f"127.0.0.1:{port}"))
    for listen in (f"0.0.0.0:{port}", f"[127.0.0.2:{port}, 127.0.0.1:{port}]", f"0.0.0.0:{port}"):
        put_in_force(through, policy(listen))
        for _ in range(20):
            assert serves(f"127.0.0.1:{port}") and serves(f"127.0.0.2:{port}")
    put_in_force(through, policy(f"127.0.0.2:{port}"))
    eventually(lambda: not serves(f"127.0.0.1:{port}"), "the end of the others")
    assert serves(f"127.0.0.2:{port}")
    chosen = gateway(policy("127.0.0.1:0"))
    address = chosen.url.removeprefix("http://")
    put_in_force(chosen, policy(address))
    assert all(serves(address) for _ in range(20))


def test_listeners_that_change_places(gateway: StartGateway, backend: str) -> None:
    """The admin listener takes the clients' port, and the other way round."""
    first, second = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"

    def policy(clients: str, admin: str) -> str:
        return one_pool(backend, listen=clients).replace("admin: 127.0.0.1:0", f"admin: {admin}")

    through = gateway(policy(first, second))
    assert serves(first) and is_admin(second)
    put_in_force(through, policy(second, first))
    eventually(lambda: serves(second) and is_admin(first), "both at their new places")
    assert all(serves(second) and is_admin(first) for _ in range(20))


def test_as_many_chosen_ports_as_are_wanted(gateway: StartGateway, backend: str) -> None:
    """Port 0 is another one each time: what is taken out of the policy closes, and what it adds is opened."""

    def policy(count: int) -> str:
        return one_pool(backend, listen=str(["127.0.0.1:0"] * count), limit=4)

    def ports() -> list[int]:
        """Those that the process listens on, but the admin listener's."""
        folder = Path(f"/proc/{through.pid}")
        mine = {os.readlink(each) for each in (folder / "fd").iterdir()}
        rows = [line.split() for line in (folder / "net" / "tcp").read_text().splitlines()[1:]]
        listening = {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}
        return sorted(listening - {int(through.admin_url.rpartition(":")[2])})

    through = gateway(policy(2))
    first, second = ports()
    assert serves(f"127.0.0.1:{first}") and serves(f"127.0.0.1:{second}")
    put_in_force(through, policy(1))
    eventually(lambda: len(ports()) == 1, "one is closed")
    (left,) = ports()
    assert left in (first, second) and serves(f"127.0.0.1:{left}")
    put_in_force(through, policy(3))
    eventually(lambda: len(ports()) == 3, "two are opened")
    assert left in ports() and all(serves(f"127.0.0.1:{port}") for port in ports())


def test_address_of_another_process(gateway: StartGateway, backend: str) -> None:
    """What is said of it is said of no address of the gateway's own."""
    through = gateway(one_pool(backend))
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert "another process uses this address" in refusal(through, one_pool(backend, listen=taken))
    assert request(through.url).body == b"ok"


def test_socket_under_another_name(gateway: StartGateway, backend: str, folder: Path) -> None:
    """It stays, with those who are connected and who connect."""
    (folder / "link").symlink_to(folder)

    def policy(clients: str, admin: str) -> str:
        text = one_pool(backend, listen=f'["unix:{folder}/{clients}", 127.0.0.1:0]')
        return text.replace("admin: 127.0.0.1:0", f'admin: "unix:{folder}/{admin}"')

    def ask(name: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / name))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).rpartition(b"\r\n\r\n")[2]

    through = gateway(policy("a.sock", "b.sock"))
    for clients, admin in (("./a.sock", "link/b.sock"), ("link/a.sock", "b.sock"), ("a.sock", "b.sock")):
        put_in_force(through, policy(clients, admin))
        assert ask("a.sock") == b"ok" and ask("b.sock") == b"ok\n"
    # One for the other is more than a socket can be at once.
    told = refusal(through, policy("b.sock", "a.sock"))
    assert "the gateway that runs has this socket for another of its listeners" in told
    assert ask("a.sock") == b"ok" and ask("b.sock") == b"ok\n"


def test_a_reload_that_fails_leaves_nothing(gateway: StartGateway, backend: str, folder: Path) -> None:
    """No log, no socket; and a log that was there stays, as does one that others have written to."""
    through = gateway(one_pool(backend))
    (folder / "old").write_text("a line\n")
    (folder / "empty").touch()
    (folder / "link").symlink_to(folder / "target")
    before = sorted(folder.iterdir())
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        for to, access in (("new", "further"), ("old", "new"), ("link", "empty"), ("empty", "link"), ("new", "new")):
            policy = one_pool(backend, listen=f'["unix:{folder}/a.sock", {taken}]')
            policy = policy.replace("log: {access: {to: off}}", f"log: {{to: {folder}/{to}, access: {folder}/{access}}}")
            assert "another process uses this address" in refusal(through, policy)
            assert sorted(folder.iterdir()) == before, (to, access)
    assert (folder / "old").read_text() == "a line\n"
    assert request(through.url).body == b"ok"
    # The same logs, once nothing stands in the way.
    through.reload(policy.replace(f", {taken}", ""))
    eventually(lambda: (folder / "new").exists() and "policy reloaded" in (folder / "new").read_text(), "the new log")
    # Whoever follows the former one is told.
    assert through.told("policy reloaded, the log goes on elsewhere")[-1]["to"] == str(folder / "new")


def test_a_start_that_fails_leaves_nothing(penstock: Path, backend: str, folder: Path) -> None:
    """Neither does a start."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        policy = folder / "policy.yaml"
        text = one_pool(backend, listen=f'["unix:{folder}/a.sock", {taken}]')
        policy.write_text(text.replace("log: {access: {to: off}}", f"log: {{to: {folder}/a, access: {folder}/b}}"))
        ended = subprocess.run(
            [str(penstock), "serve", "--policy", str(policy)], capture_output=True, text=True, timeout=20, check=False
        )
    assert ended.returncode == 1 and "another process uses this address" in ended.stderr
    assert [entry.name for entry in folder.iterdir()] == ["policy.yaml"]
