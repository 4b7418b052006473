"""Backends that are the addresses of a name, as a real name server has them."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import StartGateway
from fleet import STORM_LIMIT, Backend, free_port, long_storm, refuses, storm
from processes import Gateway, Process, eventually, request
from sockets import RawClient, read_head, scripted_backend, secure_backend
from test_tls import make_certificates

DNSMASQ = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"

pytestmark = [
    pytest.mark.timed,
    pytest.mark.skipif(not Path(DNSMASQ).exists(), reason="dnsmasq is not installed"),
]


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class NameServer:
    """dnsmasq, which answers from a file of hosts and knows nobody else."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.hosts = directory / "hosts"
        self.hosts.write_text("")
        self.port = free_port()
        self.options = options or ("--local-ttl=1",)
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        """Begins to answer."""
        self.process = Process(
            [
                DNSMASQ, "--keep-in-foreground", f"--port={self.port}", "--listen-address=127.0.0.1",
                "--bind-interfaces", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=",
                f"--addn-hosts={self.hosts}", "--local=/svc/", "--log-facility=-",
                "--pid-file=", *self.options,
            ]
        )  # fmt: skip
        # It closes its standard output, and answers over TCP as well.
        eventually(lambda: is_open(self.port), "dnsmasq listens")

    def has(self, *lines: str) -> None:
        """Answers by these lines from now on."""
        self.hosts.write_text("".join(f"{line}\n" for line in lines))
        if self.process:
            self.process.signal(signal.SIGHUP)

    def stop(self) -> None:
        """Answers no more."""
        if self.process:
            self.process.stop()
        self.process = None


@pytest.fixture
def names(tmp_path: Path) -> Iterator[NameServer]:
    """A name server."""
    server = NameServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which servers of several addresses answer with their own, and with the Host that they were asked for."""
    number = free_port()

    def serve(connection: socket.socket) -> None:
        while head := read_head(connection):
            host = head.split(b"Host: ")[1].split(b"\r\n")[0]
            if head.startswith(b"GET /slow"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
                connection.recv(1)
                return
            body = connection.getsockname()[0].encode() + b" " + host
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with ExitStack() as stack:
        for last in (2, 3, 4):
            stack.enter_context(scripted_backend(serve, f"127.0.0.{last}", number))
        yield number


def policy(url: str, names: NameServer, extra: str = "") -> str:
    """A pool of what a name stands for."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  all:
    backends: {{dns: "{url}", every: 1s, servers: ["127.0.0.1:{names.port}"]}}
    host: backend
{extra}
routes: [{{path: /*, pool: all}}]
"""


def shown(through: Gateway) -> set[str]:
    """The backends that the status shows."""
    return {backend["url"] for backend in through.status()["pools"][0]["backends"]}


def who(through: Gateway) -> set[str]:
    """Who answers, and by which name."""
    return {request(through.url).body.decode() for _ in range(12)}


def test_follows_a_name(gateway: StartGateway, names: NameServer, port: int) -> None:
    """Addresses come and go; requests say the name, and go to the addresses."""
    names.has("127.0.0.2 model.svc", "127.0.0.3 model.svc", "::7 model.svc")
    through = gateway(policy(f"http://model.svc:{port}", names))
    both = {f"http://127.0.0.{last}:{port}" for last in (2, 3)}
    eventually(lambda: shown(through) == both, "both are found")
    assert who(through) == {f"127.0.0.{last} model.svc:{port}" for last in (2, 3)}
    names.has("127.0.0.3 model.svc", "127.0.0.4 model.svc")
    eventually(lambda: shown(through) == {f"http://127.0.0.{last}:{port}" for last in (3, 4)}, "they change")
    assert who(through) == {f"127.0.0.{last} model.svc:{port}" for last in (3, 4)}
    assert through.metric("penstock_discovery_backends", pool="all", source="dns") == 2
    assert through.status()["pools"][0]["discovery"]["source"] == "dns"


def test_keeps_what_it_knows(gateway: StartGateway, names: NameServer, port: int) -> None:
    """A name that is gone, or nobody to ask, takes nothing away."""
    names.has("127.0.0.2 model.svc")
    through = gateway(policy(f"http://model.svc:{port}", names))
    eventually(lambda: shown(through), "it is found")

    def errors() -> float:
        return through.metric("penstock_discovery_errors_total", pool="all", source="dns")

    names.has()
    eventually(lambda: errors() >= 1, "the name is gone")
    assert who(through) == {f"127.0.0.2 model.svc:{port}"}
    kept = "backends not learnt, those that are known stay: model.svc "
    eventually(lambda: kept in "".join(through.errors), "the log says why")
    names.stop()
    before = errors()
    eventually(lambda: errors() > before, "nobody is there to ask", 15)
    assert who(through) == {f"127.0.0.2 model.svc:{port}"}
    names.start()
    names.has("127.0.0.4 model.svc")
    eventually(lambda: shown(through) == {f"http://127.0.0.4:{port}"}, "it is followed again", 15)


def test_six_where_there_is_no_four(gateway: StartGateway, names: NameServer) -> None:
    """IPv6 addresses are the backends of a name that has no others."""
    names.has("::2 model.svc", "::1 model.svc")
    through = gateway(policy("http://model.svc:8000", names))
    eventually(lambda: shown(through) == {"http://[::1]:8000", "http://[::2]:8000"}, "both are found")


def test_many_addresses(gateway: StartGateway, names: NameServer) -> None:
    """An answer that no datagram holds."""
    names.has(*(f"10.0.{number // 200}.{1 + number % 200} model.svc" for number in range(600)))
    through = gateway(policy("http://model.svc:8000", names))
    eventually(lambda: len(shown(through)) == 600, "all are found")


def test_services(gateway: StartGateway, tmp_path: Path, port: int) -> None:
    """Service records name hosts and ports; those of the lowest priority are the backends."""
    service = "_http._tcp.model.svc"
    names = NameServer(
        tmp_path,
        f"--srv-host={service},127-0-0-2.localhost,{port},10,1",
        f"--srv-host={service},localhost,{port + 1},10,1",
        f"--srv-host={service},spare.localhost,{port},20,1",
    )
    try:
        through = gateway(policy(f"http://{service}", names))
        wanted = {f"http://127-0-0-2.localhost:{port}", f"http://localhost:{port + 1}"}
        eventually(lambda: shown(through) == wanted, "the first ones are found")
    finally:
        names.stop()


def test_a_renewed_answer_cuts_nothing(gateway: StartGateway, names: NameServer, port: int) -> None:
    """A stream of a backend that has gone from the name goes on."""
    names.has("127.0.0.2 model.svc")
    through = gateway(policy(f"http://model.svc:{port}", names))
    eventually(lambda: shown(through), "it is found")
    with RawClient(through.url) as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        client.read_until(b".")
        names.has("127.0.0.3 model.svc")
        eventually(lambda: shown(through) == {f"http://127.0.0.3:{port}"}, "it changes")
        assert who(through) == {f"127.0.0.3 model.svc:{port}"}
        assert through.metric("penstock_client_connections") >= 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize("name", ["service", "right"])
def test_names_over_tls(gateway: StartGateway, names: NameServer, tmp_path: Path, name: str) -> None:
    """What the handshake says, and the certificate has to be for, is the name, whatever its address."""
    make_certificates(tmp_path, service="DNS:model.svc")
    names.has("127.0.0.2 model.svc")
    with secure_backend(tmp_path, name, "127.0.0.2") as (url, asked):
        port = url.rsplit(":", 1)[1]
        through = gateway(
            policy(f"https://model.svc:{port}", names, f"    tls: {{ca_file: {tmp_path}/ca.pem}}")
        )
        eventually(lambda: shown(through) == {url}, "it is found")
        answer = request(through.url)
        if name == "service":
            assert (answer.status, answer.body) == (200, f"model.svc:{port}".encode())
        else:
            assert answer.status == 502
        assert set(asked) == {"model.svc"}


def turns(names: NameServer, pods: list[Backend]) -> Callable[[int], None]:
    """Other addresses each time; now and then none, or nobody who answers."""
    lines = [f"127.0.0.{2 + number} model.svc" for number in range(len(pods))]
    # The second one stays.
    sets = [lines[:2], lines[1:], [lines[1]], lines]

    def change(step: int) -> None:
        names.has(*(() if step % 10 == 0 else sets[step % 4]))
        if step % 400 == 200:
            names.stop()
        elif step % 400 == 250:
            names.start()

    return change


def test_loses_nothing_in_a_storm(gateway: StartGateway, tmp_path: Path, pods: list[Backend]) -> None:
    """A hundred changes a second, of answers that hold for no time at all."""
    names = NameServer(tmp_path, "--local-ttl=0")
    names.has(*(f"127.0.0.{2 + number} model.svc" for number in range(4)))
    try:
        through = gateway(policy(pods[0].address.replace("127.0.0.2", "model.svc"), names, STORM_LIMIT))
        eventually(lambda: len(shown(through)) == 4, "all are found")
        asked, failed = storm(through, pods, turns(names, pods), 4, 60)
        assert failed == 0 and asked > 100
        assert through.metric("penstock_discovery_changes_total", pool="all") >= 2
        through.wait_until_idle()
    finally:
        names.stop()


@pytest.mark.long
@pytest.mark.limit(400)
def test_loses_nothing_in_a_long_storm(gateway: StartGateway, tmp_path: Path, pods: list[Backend]) -> None:
    """For minutes, with 500 streams; memory stays flat and no descriptor is left."""
    names = NameServer(tmp_path, "--local-ttl=0")
    names.has(*(f"127.0.0.{2 + number} model.svc" for number in range(4)))
    try:
        through = gateway(policy(pods[0].address.replace("127.0.0.2", "model.svc"), names, STORM_LIMIT))
        eventually(lambda: len(shown(through)) == 4, "all are found")
        long_storm(through, pods, turns(names, pods))
    finally:
        names.stop()


def test_what_is_no_name_is_refused(penstock: Path, tmp_path: Path) -> None:
    """Addresses are no names, and service records say the port."""
    faults = {
        "http://10.0.0.1:80": "has no name to look up",
        "http://_http._tcp.model.svc:80": "has a port, which service records say",
        "ftp://model": "the scheme `ftp` is not known",
    }
    for url, fault in faults.items():
        refuses(penstock, tmp_path, f"{{dns: '{url}'}}", fault)
