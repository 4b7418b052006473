"""TLS between clients and the gateway: names, versions, sessions, certificates that change, clients with certificates,
and those who only begin."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from authority import Authority, ask, dial, response
from conftest import StartGateway
from fleet import free_port
from processes import Gateway, eventually, one_pool, request
from sockets import RawClient, read_head, scripted_backend

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority with certificates for two names and a wildcard."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.issue("first", "DNS:a.example,DNS:*.wild.example")
    made.issue("second", "DNS:b.example")
    return made


@pytest.fixture
def echo() -> Iterator[str]:
    """A backend whose body is the head that it got."""

    def serve(connection: socket.socket) -> None:
        while head := read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)

    with scripted_backend(serve) as url:
        yield url


def tls_pool(backend: str, authority: Authority, *names: str, extra: str = "", **more: str) -> str:
    """A policy whose one listener shows the certificates called `names`; `extra` are further keys of its TLS."""
    files = ", ".join(
        f"{{certificate_file: {authority.directory}/{name}.pem, key_file: {authority.directory}/{name}.key}}"
        for name in names or ("first",)
    )
    listen = f"{{address: '127.0.0.1:0', tls: {{certificates: [{files}]{', ' + extra if extra else ''}}}}}"
    return one_pool(backend, limit=64, listen=listen, **more)


def results(through: Gateway) -> dict[str, int]:
    """How handshakes ended."""
    return {
        sample.labels["result"]: int(sample.value)
        for sample in through.metrics()
        if sample.name == "penstock_tls_handshakes_total" and sample.value
    }


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks(gateway: StartGateway, authority: Authority, echo: str, version: ssl.TLSVersion) -> None:
    """Requests are served one after the other, backends are told that TLS was spoken, and HTTP/1.1 is agreed on."""
    through = gateway(tls_pool(echo, authority))
    context = authority.context(protocols=("h2", "http/1.1"))
    context.minimum_version = context.maximum_version = version
    with dial(through.url, context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            status, body = ask(connection)
            assert status == 200 and b"\r\nX-Forwarded-Proto: https\r\n" in body
        # What comes at once is answered in its order.
        connection.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"GET /1" in response(connection)[1] and b"GET /2" in response(connection)[1]
    eventually(lambda: through.metric("penstock_client_connections") == 0, "the connection ends")
    assert results(through) == {"full": 1}


def test_claims_of_certificates_stay(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """What a client says of its certificate itself reaches no backend."""
    through = gateway(tls_pool(echo, authority))
    with dial(through.url, authority.context()) as connection:
        _, body = ask(connection, fields="X-Forwarded-Client-Cert: URI=spiffe://x\r\nX-Forwarded-Proto: http\r\n")
    assert b"spiffe" not in body and body.lower().count(b"x-forwarded-proto") == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.example", "first"), ("b.example", "second"), ("B.Example", "second"), ("x.wild.example", "first"),
        ("x.y.wild.example", "first"), ("wild.example", "first"), ("stranger.example", "first"), (None, "first"),
    ],
)  # fmt: skip
def test_names(gateway: StartGateway, authority: Authority, echo: str, name: str | None, shown: str) -> None:
    """The certificate is that of the name that is asked for, else the first."""
    through = gateway(tls_pool(echo, authority, "first", "second"))
    context = authority.context()
    context.check_hostname = False
    with dial(through.url, context, name) as connection:  # type: ignore[arg-type]
        certificate = connection.getpeercert()
        assert certificate
        (subject,) = [value for part in certificate["subject"] for key, value in part if key == "commonName"]
        assert subject == shown


def test_unknown_names_are_refused(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """With strict_sni who asks for another name gets an alert; who asks for none is served."""
    through = gateway(tls_pool(echo, authority, extra="strict_sni: true"))
    context = authority.context()
    context.check_hostname = False
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        dial(through.url, context, "stranger.example")
    with dial(through.url, context, None) as connection:  # type: ignore[arg-type]
        assert ask(connection)[0] == 200
    assert results(through) == {"name_unknown": 1, "full": 1}


def test_protocols(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """Who speaks HTTP/2 only is told so, and versions of TLS that are too old are refused."""
    through = gateway(tls_pool(echo, authority, extra='min_version: "1.3"'))
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        dial(through.url, authority.context(protocols=("h2",)))
    old = authority.context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        dial(through.url, old)
    assert results(through) == {"protocol_unknown": 1, "nothing_shared": 1}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_go_on(gateway: StartGateway, authority: Authority, echo: str, version: ssl.TLSVersion) -> None:
    """A client that comes again goes on with its session, at every thread, also after a reload."""
    through = gateway(tls_pool(echo, authority))
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    with dial(through.url, context) as first:
        ask(first)
        session = first.session
    for round in range(8):
        if round == 4:
            through.reload(through.policy_file.read_text().replace("limit: 64", "limit: 63"))
            eventually(lambda: through.logged("policy reloaded"), "the reload")
        with dial(through.url, context, session=session) as again:
            assert again.session_reused and ask(again)[0] == 200
    assert results(through) == {"full": 1, "resumed": 8}


def test_no_sessions(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """Without tickets every handshake is a whole one."""
    through = gateway(tls_pool(echo, authority, extra="ticket_rotation: off"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = authority.context()
        context.minimum_version = context.maximum_version = version
        with dial(through.url, context) as first:
            ask(first)
            session = first.session
        with dial(through.url, context, session=session) as again:
            assert not again.session_reused and ask(again)[0] == 200


def hello(context: ssl.SSLContext) -> bytes:
    """What a client says first."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.example").do_handshake()
    return outgoing.read()


def test_byte_by_byte(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """A handshake and a request that come in single bytes are ones like others."""
    through = gateway(tls_pool(echo, authority))
    parts = urlsplit(through.url)
    plain = socket.create_connection((parts.hostname, parts.port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = authority.context().wrap_bio(incoming, outgoing, server_hostname="a.example")

    def flush() -> None:
        for byte in outgoing.read():
            plain.sendall(bytes([byte]))
            time.sleep(0.0002)

    with plain:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                flush()
                incoming.write(plain.recv(65536))
        session.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        flush()
        while True:
            try:
                assert session.read(12) == b"HTTP/1.1 200"
                break
            except ssl.SSLWantReadError:
                incoming.write(plain.recv(65536))


def test_what_is_no_tls(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """Who speaks HTTP in the clear is told what to do, other nonsense ends, and both are counted."""
    through = gateway(tls_pool(echo, authority))
    with RawClient(through.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer, _ = client.read_to_end()
        assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer
    with RawClient(through.url) as client:
        client.send(b"\x00\x01\x02\x03" * 100)
        client.read_to_end()
    with RawClient(through.url) as client:
        client.send(hello(authority.context())[:50])
    eventually(
        lambda: results(through) == {"plain_http": 1, "not_tls": 1, "closed": 1}, f"the counts of {results(through)}"
    )
    assert through.metric("penstock_client_connections") == 0


def test_large_bodies(gateway: StartGateway, authority: Authority) -> None:
    """Bodies of some MiB come whole in both directions, to a client that reads slowly as well."""
    sent = os.urandom(5 << 20)

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            while line := reader.readline():
                length = 0
                while line not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = reader.readline()
                body = reader.read(length)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with scripted_backend(serve) as backend:
        through = gateway(tls_pool(backend, authority))
        with dial(through.url, authority.context()) as connection:
            for pause in (0.0, 0.002):
                head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
                writer = threading.Thread(target=connection.sendall, args=(head + sent,))
                writer.start()
                received = b""
                while b"\r\n\r\n" not in received:
                    received += connection.recv(4096)
                received = received.split(b"\r\n\r\n", 1)[1]
                while len(received) < len(sent):
                    received += connection.recv(16384)
                    time.sleep(pause)
                writer.join()
                assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()


def test_ends(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """The end of a connection is said in TLS too: nobody could cut it in its name."""
    through = gateway(tls_pool(echo, authority))
    with dial(through.url, authority.context()) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        # Raises where the end is not said.
        connection.suppress_ragged_eofs = False
        received = b""
        while data := connection.recv(65536):
            received += data
        assert received.startswith(b"HTTP/1.1 200")


def test_who_only_begins(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """Handshakes that stand still are few at once, end in time, and keep nobody away."""
    through = gateway(tls_pool(echo, authority, extra="max_handshakes: 16, handshake_timeout: 1s"))
    start = hello(authority.context())[:100]
    with ExitStack() as stack:
        for number in range(1, 201):
            idle = stack.enter_context(RawClient(through.url))
            idle.send(start)
            if number % 50 == 0:
                # Those who came before have been accepted.
                time.sleep(0.2)
                with dial(through.url, authority.context()) as connection:
                    assert ask(connection)[0] == 200
        eventually(lambda: results(through).get("timeout", 0) >= 1, "their time is over", 5)
        ended = results(through)
        assert ended["crowded"] >= 200 - 16 * through.threads - ended["timeout"] and ended["full"] == 4
    eventually(lambda: through.metric("penstock_client_connections") == 0, "all have ended")
    # Places that they had are free again.
    with dial(through.url, authority.context()) as connection:
        assert ask(connection)[0] == 200


def test_streams_go_on_beside_handshakes(gateway: StartGateway, authority: Authority) -> None:
    """Many handshakes at once delay a running stream's events by little."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"data: x\n\n")
            time.sleep(0.02)

    with scripted_backend(serve) as backend:
        through = gateway(tls_pool(backend, authority))
        with dial(through.url, authority.context()) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            ending = threading.Event()

            def flood() -> None:
                context = authority.context()
                while not ending.is_set():
                    with dial(through.url, context):
                        pass

            floods = [threading.Thread(target=flood) for _ in range(4)]
            for thread in floods:
                thread.start()
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += stream.recv(65536)
            ending.set()
            for thread in floods:
                thread.join()
        assert received.count(b"data: x") == 100 and results(through)["full"] > 20


def swap(authority: Authority, volume: Path, version: str, name: str, key: str | None = None) -> None:
    """What the kubelet does when a Secret has changed: another directory, and a link that is renamed."""
    (volume / version).mkdir()
    shutil.copy(authority.directory / f"{name}.pem", volume / version / "tls.crt")
    shutil.copy(authority.directory / f"{key or name}.key", volume / version / "tls.key")
    (volume / "..data_tmp").symlink_to(version)
    (volume / "..data_tmp").rename(volume / "..data")


def serial(url: str, context: ssl.SSLContext) -> str:
    """That of the certificate that is shown."""
    with dial(url, context) as connection:
        certificate = connection.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


@pytest.fixture
def volume(authority: Authority, tmp_path: Path) -> Path:
    """A mounted Secret with a certificate."""
    made = tmp_path / "volume"
    made.mkdir()
    for number in range(4):
        authority.issue(f"v{number}", "DNS:a.example", days=30 + number)
    swap(authority, made, "..0", "v0")
    for name in ("tls.crt", "tls.key"):
        (made / name).symlink_to(f"..data/{name}")
    return made


def volume_pool(backend: str, volume: Path, extra: str = "") -> str:
    """A policy whose listener has that Secret's certificate."""
    files = f"{{certificate_file: {volume}/tls.crt, key_file: {volume}/tls.key}}"
    return one_pool(
        backend, limit=64, listen=f"{{address: '127.0.0.1:0', tls: {{certificates: [{files}]{extra}}}}}"
    )


def test_certificates_are_replaced(gateway: StartGateway, authority: Authority, volume: Path, echo: str) -> None:
    """Another certificate is shown soon after its files were swapped, and connections that are open go on."""
    through = gateway(volume_pool(echo, volume))
    context = authority.context()
    before = serial(through.url, context)
    with dial(through.url, context) as kept:
        ask(kept)
        session = kept.session
        for number in (1, 2):
            swap(authority, volume, f"..{number}", f"v{number}")
            eventually(lambda: serial(through.url, context) != before, "the other certificate", 2)
            before = serial(through.url, context)
            assert ask(kept)[0] == 200
    with dial(through.url, context, session=session) as again:
        assert again.session_reused
    (ends,) = [
        sample.value
        for sample in through.metrics()
        if sample.name == "penstock_tls_certificate_expiry_timestamp_seconds" and sample.labels["name"] == "a.example"
    ]
    assert abs(ends - time.time() - 32 * 86400) < 7200
    (shown,) = through.status()["certificates"]
    assert shown["name"] == "a.example" and shown["listener"] in through.url
    assert through.metric("penstock_tls_certificate_reloads_total") == 2
    assert len(through.told("certificates replaced", 2)) == 2


def test_a_wrong_pair_changes_nothing(gateway: StartGateway, authority: Authority, volume: Path, echo: str) -> None:
    """A certificate with another's key is told of, once, and the one in use stays; so does a broken file."""
    through = gateway(volume_pool(echo, volume))
    context = authority.context()
    before = serial(through.url, context)
    swap(authority, volume, "..1", "v1", key="v2")
    eventually(lambda: through.metric("penstock_tls_certificate_reload_failures_total") == 1, "it is counted")
    assert serial(through.url, context) == before

    def said() -> list[str]:
        return [line for line in through.errors if "is not the key of the certificate" in line]

    eventually(said, "the log's line")
    assert len(said()) == 1 and "listen.tls: " in said()[0]
    # A reload of such a policy is refused as well.
    through.reload(through.policy_file.read_text().replace("limit: 64", "limit: 63"))
    eventually(lambda: any("policy invalid" in line for line in through.errors), "the reload fails")
    swap(authority, volume, "..3", "v3")
    eventually(lambda: serial(through.url, context) != before, "the next good one", 2)


def test_swaps_under_load(gateway: StartGateway, authority: Authority, volume: Path, echo: str) -> None:
    """However often certificates change, no handshake fails."""
    through = gateway(volume_pool(echo, volume))
    ending = threading.Event()
    faults: list[str] = []
    count = 0

    def knock() -> None:
        nonlocal count
        context = authority.context()
        while not ending.is_set():
            try:
                with dial(through.url, context) as connection:
                    if ask(connection)[0] != 200:
                        faults.append("status")
                count += 1
            except OSError as fault:
                faults.append(repr(fault))

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(10):
        swap(authority, volume, f"..swap{number}", f"v{number % 4}")
        time.sleep(0.25)
    ending.set()
    for thread in threads:
        thread.join()
    assert not faults and count > 50
    assert through.metric("penstock_tls_certificate_reloads_total") >= 5


@pytest.fixture(scope="module")
def clients(authority: Authority) -> Authority:
    """Another authority, for clients."""
    made = Authority(authority.directory, "clients")
    made.issue("acme", "URI:spiffe://cluster/acme,DNS:acme.example")
    made.issue("zeta", "URI:spiffe://cluster/zeta,DNS:zeta.example")
    stranger = Authority(authority.directory, "strangers")
    stranger.issue("stranger", "URI:spiffe://cluster/acme")
    return made


TENANTS = """
tenant:
  certificate: {name}
  named: [{{name: "{tenant}", max_in_flight: 7}}]
"""


@pytest.mark.parametrize(
    ("name", "tenant"),
    [("san_uri", "spiffe://cluster/acme"), ("san_dns", "acme.example"), ("subject_cn", "acme")],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tenants_by_certificate(
    gateway: StartGateway, authority: Authority, clients: Authority, echo: str, name: str, tenant: str,
    version: ssl.TLSVersion,
) -> None:  # fmt: skip
    """A client's certificate says whose its requests are, also where a session goes on."""
    extra = f"client_ca_file: {clients.file}, client_certificate: require"
    policy = tls_pool(echo, authority, extra=extra) + TENANTS.format(name=name, tenant=tenant)
    policy = policy.replace("log: {access: {to: off}}", "log: {access: {to: stdout}}")
    through = gateway(policy)
    context = authority.context("acme")
    context.minimum_version = context.maximum_version = version
    session = None
    for _ in range(2):
        with dial(through.url, context, session=session) as connection:
            assert ask(connection)[0] == 200
            session = connection.session
    with dial(through.url, authority.context("zeta")) as connection:
        assert ask(connection)[0] == 200
    assert results(through)["resumed"] == 1
    eventually(lambda: len(through.output) == 3, "the access log")
    told = [f'"tenant":"{tenant}"' in line.replace("\\/", "/") for line in through.output]
    assert told == [True, True, False], through.output


def test_clients_without_certificates(
    gateway: StartGateway, authority: Authority, clients: Authority, echo: str
) -> None:
    """`require` refuses who has none and who has a stranger's; `request` serves who has none."""
    extra = f"client_ca_file: {clients.file}, client_certificate: "
    strict = gateway(tls_pool(echo, authority, extra=extra + "require"))
    for certificate in (None, "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            with dial(strict.url, authority.context(certificate)) as connection:
                # In TLS 1.3 a client knows of it only later.
                ask(connection)
    assert results(strict) == {"certificate_missing": 1, "certificate_refused": 1}
    lax = gateway(tls_pool(echo, authority, extra=extra + "request"))
    with dial(lax.url, authority.context()) as connection:
        assert ask(connection)[0] == 200
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        with dial(lax.url, authority.context("stranger")) as connection:
            ask(connection)


def test_a_removed_authority_ends_sessions(
    gateway: StartGateway, authority: Authority, clients: Authority, echo: str, tmp_path: Path
) -> None:
    """A session that began under an authority does not outlive it."""
    file = tmp_path / "clients.pem"
    shutil.copy(clients.file, file)
    through = gateway(tls_pool(echo, authority, extra=f"client_ca_file: {file}, client_certificate: require"))
    context = authority.context("acme")
    with dial(through.url, context) as connection:
        ask(connection)
        session = connection.session
    with dial(through.url, context, session=session) as connection:
        assert connection.session_reused and ask(connection)[0] == 200
    shutil.copy(authority.directory / "strangers.pem", tmp_path / "next.pem")
    (tmp_path / "next.pem").rename(file)
    eventually(lambda: through.metric("penstock_tls_certificate_reloads_total") == 1, "the other authority")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        with dial(through.url, context, session=session) as connection:
            ask(connection)
    assert results(through)["certificate_refused"] == 1


def test_a_reload_begins_and_ends_tls(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """A listener that stays at its address speaks TLS from a reload on, and in the clear after another one."""
    number = free_port()
    secured = tls_pool(echo, authority).replace("127.0.0.1:0', tls", f"127.0.0.1:{number}', tls")
    clear = one_pool(echo, limit=64, listen=f"127.0.0.1:{number}")
    through = gateway(clear)
    assert request(through.url).status == 200
    through.reload(secured)
    eventually(lambda: len(through.logged("policy reloaded")) == 1, "TLS")
    with dial(through.url, authority.context()) as kept:
        assert ask(kept)[0] == 200
        through.reload(clear)
        eventually(lambda: len(through.logged("policy reloaded")) == 2, "no TLS")
        assert ask(kept)[0] == 200
    assert request(through.url).status == 200


def test_admin_over_tls(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """The admin listener speaks TLS where it says so, and its certificate is shown beside the others."""
    files = f"{authority.directory}/first"
    admin = (
        f"{{address: '127.0.0.1:0', tls: {{certificates: [{{certificate_file: {files}.pem, key_file: {files}.key}}]}}}}"
    )
    through = gateway(one_pool(echo).replace("admin: 127.0.0.1:0", f"admin: {admin}"))
    with dial(through.admin_url, authority.context()) as connection:
        for _ in range(2):
            status, body = ask(connection, "/metrics", host="localhost")
            assert status == 200
        assert b'penstock_tls_certificate_expiry_timestamp_seconds{listener="127.0.0.1:' in body
        assert b'penstock_tls_handshakes_total{result="full"} 1\n' in body


def test_unix_socket(gateway: StartGateway, authority: Authority, echo: str, tmp_path: Path) -> None:
    """TLS is spoken over a unix socket as well."""
    path = tmp_path / "s"
    policy = tls_pool(echo, authority).replace("'127.0.0.1:0', tls", f"'unix:{path}', tls")
    gateway(policy)
    plain = socket.socket(socket.AF_UNIX)
    plain.connect(str(path))
    with authority.context().wrap_socket(plain, server_hostname="a.example") as connection:
        assert ask(connection)[0] == 200


@pytest.mark.parametrize(
    ("tls", "fault"),
    [
        ("certificates: []", "listen.tls.certificates: "),
        ("{first}, client_certificate: require", "listen.tls.client_certificate: nothing says which clients"),
        ("{first}, client_ca_file: {d}/ca.pem", "listen.tls.client_ca_file: clients are not asked"),
        ("certificates: [{{certificate_file: {d}/none.pem, key_file: {d}/first.key}}]",
         "listen.tls.certificates[0].certificate_file: cannot read {d}/none.pem: No such file"),
        ("certificates: [{{certificate_file: {d}/first.pem, key_file: {d}/second.key}}]",
         "listen.tls.certificates[0].key_file: cannot use {d}/second.key: it is not the key of"),
        ("certificate_file: {d}/first.pem", "write certificates: ["),
        ("{first}, min_version: 1.2", "listen.tls.min_version: "),
        ("{first}, min_version: \"1.1\"", "listen.tls.min_version: "),
        ("{first}, handshake_timeout: 2h", "listen.tls.handshake_timeout: "),
    ],
)  # fmt: skip
def test_faults_of_policies(penstock: Path, authority: Authority, tmp_path: Path, tls: str, fault: str) -> None:
    """What is wrong is said with its place and what would be right."""
    directory = authority.directory
    first = f"certificates: [{{certificate_file: {directory}/first.pem, key_file: {directory}/first.key}}]"
    path = tmp_path / "policy.yaml"
    listen = f"{{address: '127.0.0.1:0', tls: {{{tls.format(d=directory, first=first)}}}}}"
    path.write_text(one_pool("http://127.0.0.1:9", listen=listen))
    ended = subprocess.run([penstock, "check", str(path)], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and fault.format(d=directory) in ended.stderr + ended.stdout, ended


def serve_messages(connection: socket.socket) -> None:
    """Answers each request when it has come whole."""
    with connection.makefile("rb") as reader:
        while line := reader.readline():
            length = 0
            chunked = False
            while line not in (b"\r\n", b""):
                name, _, value = line.lower().partition(b":")
                length = int(value) if name == b"content-length" else length
                chunked = chunked or name == b"transfer-encoding"
                line = reader.readline()
            reader.read(length)
            while chunked and (size := int(reader.readline().split(b";")[0] or b"0", 16)):
                reader.read(size + 2)
            while chunked and reader.readline() not in (b"\r\n", b""):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok")


def heard(connection: socket.socket, data: bytes, piece: int) -> bytes:
    """What is answered to `data`, sent in pieces, until nothing more comes; without what is another thing each time."""
    try:
        for start in range(0, len(data), piece):
            connection.sendall(data[start : start + piece])
        connection.settimeout(0.6)
        received = b""
        while more := connection.recv(65536):
            received += more
        received += b"<end>"
    except TimeoutError:
        pass
    except OSError:
        received = b"<broken>"
    return re.sub(rb"(?im)^(x-request-id|date|x-penstock-queue-ms|server-timing):.*\r\n", b"", received)


@pytest.mark.timed
def test_the_corpus_is_answered_alike(gateway: StartGateway, authority: Authority) -> None:
    """Whatever a client sends is answered over TLS as it is in the clear, in whatever records it comes."""
    sys.path.append(str(Path(__file__).resolve().parent.parent / "Fuzz"))
    from seeds import cases

    messages = [message for _, message in cases("request-") if 0 < len(message) < 3000]
    assert len(messages) > 300
    with scripted_backend(serve_messages) as backend:
        policy = tls_pool(backend, authority, max_requests="256").replace(
            "listen: ", "listen: ['127.0.0.1:0', "
        ).replace("\nadmin:", "]\nadmin:", 1)
        through = gateway(policy)
        clear, secured = through.urls
        context = authority.context()

        def compare(message: bytes) -> list[str]:
            with RawClient(clear) as client:
                expected = heard(client.socket, message, len(message))
            found = []
            for piece in (len(message), 7):
                with dial(secured, context) as connection:
                    found.append(heard(connection, message, piece))
            # A connection that was closed with something unread may lose what was said.
            return [f"{message!r}: {expected!r}, {one!r}" for one in found if one != expected and b"<broken>" not in one]

        with ThreadPoolExecutor(48) as pool:
            differences = [text for found in pool.map(compare, messages) for text in found]
    assert not differences, (len(differences), differences[:5])


def test_a_drain_waits_for_nobody_who_says_nothing(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """A connection without a byte holds the end up for two seconds at most, whatever a handshake may take."""
    through = gateway(tls_pool(echo, authority, extra="handshake_timeout: 30s"))
    with RawClient(through.url):
        eventually(lambda: through.metric("penstock_client_connections_accepted_total") == 0, "it is no connection yet")
        time.sleep(0.2)
        began = time.monotonic()
        through.signal(signal.SIGTERM)
        through.wait(10)
        assert time.monotonic() - began < 5


def test_handshakes_give_way(gateway: StartGateway, authority: Authority, echo: str) -> None:
    """Who has said nothing for a second gives way to who comes, and before a connection that was served."""
    policy = tls_pool(echo, authority).replace("admin:", "server: {max_connections: 20}\nadmin:", 1)
    through = gateway(policy)
    with dial(through.url, authority.context()) as kept, ExitStack() as stack:
        assert ask(kept)[0] == 200
        for _ in range(40):
            stack.enter_context(RawClient(through.url))
        time.sleep(1.3)
        for _ in range(5):
            with dial(through.url, authority.context()) as connection:
                assert ask(connection)[0] == 200
        assert ask(kept)[0] == 200
    assert results(through)["crowded"] >= 1


def test_certificates_of_clients_end_in_sessions_too(
    gateway: StartGateway, authority: Authority, clients: Authority, echo: str, tmp_path: Path
) -> None:
    """A session does not go on when the client's certificate has ended."""
    # It ends within this test: openssl knows no less than a day, but a date.
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 3))
    subprocess.run(
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=brief",
         "-keyout", "brief.key", "-out", "brief.csr"],
        cwd=clients.directory, capture_output=True, check=True,
    )  # fmt: skip
    (tmp_path / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=a\n[a]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\nnew_certs_dir={tmp_path}\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    (tmp_path / "index").write_text("")
    (tmp_path / "serial").write_text("01\n")
    subprocess.run(
        ["openssl", "ca", "-batch", "-config", str(tmp_path / "ca.cnf"), "-cert", "clients.pem", "-keyfile", "clients.key",
         "-in", "brief.csr", "-out", "brief.pem", "-notext", "-startdate", "20200101000000Z", "-enddate", end],
        cwd=clients.directory, capture_output=True, check=True,
    )  # fmt: skip
    through = gateway(tls_pool(echo, authority, extra=f"client_ca_file: {clients.file}, client_certificate: require"))
    context = authority.context("brief")
    with dial(through.url, context) as connection:
        assert ask(connection)[0] == 200
        session = connection.session
    time.sleep(4)
    with pytest.raises((ssl.SSLError, ConnectionResetError, AssertionError)):
        with dial(through.url, context, session=session) as connection:
            ask(connection)
    assert results(through)["certificate_refused"] == 1


def test_tiny_records_hold_nobody_up(gateway: StartGateway, authority: Authority) -> None:
    """Who sends a body in records of a byte, or asks for new keys again and again, delays others by little."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        if b"POST" in read_head(connection):
            while connection.recv(65536):
                pass
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not ended.wait(0.02):
            connection.sendall(b"data: x\n\n")

    with scripted_backend(serve) as backend:
        through = gateway(tls_pool(backend, authority) + "\nthreads: 1\n")
        # All that is sent is made before it is sent.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = authority.context().wrap_bio(incoming, outgoing, server_hostname="a.example")
        parts = urlsplit(through.url)
        with socket.create_connection((parts.hostname, parts.port), 10) as plain:
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
            count = 200_000
            session.write(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {count}\r\n\r\n".encode())
            for _ in range(count):
                session.write(b"x")
            flood = outgoing.read()
            with dial(through.url, authority.context()) as stream:
                stream.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                stream.recv(65536)
                sender = threading.Thread(target=plain.sendall, args=(flood,))
                sender.start()
                longest, last = 0.0, time.monotonic()
                while sender.is_alive():
                    stream.recv(65536)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
                sender.join()
                ended.set()
        assert longest < 0.3, longest
