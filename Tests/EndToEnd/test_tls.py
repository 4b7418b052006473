"""TLS towards backends: verified unless the policy says otherwise, with nginx on the other end."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Process, eventually, one_pool, request
from sockets import RawClient
from test_nginx import NGINX

LARGE_BYTES = 5 << 20

pytestmark = pytest.mark.skipif(
    not NGINX or not shutil.which("openssl"), reason="nginx or openssl is not installed"
)

CONFIGURATION = """
daemon off;
{user}
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    root {directory}/files;
    server {{
        listen 127.0.0.1:{right} ssl;
        ssl_certificate {directory}/right.pem;
        ssl_certificate_key {directory}/right.key;
    }}
    server {{
        listen 127.0.0.1:{wrong} ssl;
        ssl_certificate {directory}/wrong.pem;
        ssl_certificate_key {directory}/wrong.key;
    }}
    server {{
        listen 127.0.0.1:{expired} ssl;
        ssl_certificate {directory}/expired.pem;
        ssl_certificate_key {directory}/expired.key;
    }}
    server {{
        listen 127.0.0.1:{mutual} ssl;
        ssl_certificate {directory}/right.pem;
        ssl_certificate_key {directory}/right.key;
        ssl_client_certificate {directory}/ca.pem;
        ssl_verify_client on;
    }}
}}
"""


@dataclass(frozen=True)
class SecureServer:
    """A running nginx, and the files that belong to it."""

    directory: Path
    # Certificates: for this address; for another name; for this address, until yesterday; for this address, and clients
    # need one too.
    right: str
    wrong: str
    expired: str
    mutual: str


def openssl(directory: Path, *arguments: str) -> None:
    """Runs openssl, which must succeed."""
    command = ["openssl", *arguments]
    subprocess.run(command, cwd=directory, capture_output=True, timeout=30, check=True)


def make_certificates(directory: Path, **further: str) -> None:
    """An authority, and the certificates that it has signed; `further` ones are for the names that they have."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        directory, "req", "-x509", *curve, "-days", "2", "-subj", "/CN=Authority of a test",
        "-keyout", "ca.key", "-out", "ca.pem",
    )
    names = {
        "right": "IP:127.0.0.1", "expired": "IP:127.0.0.1", "wrong": "DNS:other.example",
        "client": "DNS:client.example", **further,
    }
    for name, subject in names.items():
        (directory / f"{name}.ext").write_text(f"subjectAltName={subject}\n")
        openssl(
            directory, "req", *curve, "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )
        openssl(
            directory, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "-1" if name == "expired" else "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on: nginx cannot be told to let the kernel choose."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """nginx with four TLS listeners."""
    directory = tmp_path_factory.mktemp("tls")
    make_certificates(directory)
    (directory / "files").mkdir()
    (directory / "files/large").write_bytes(os.urandom(LARGE_BYTES))
    right, wrong, expired, mutual = free_ports(4)
    configuration = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(
        CONFIGURATION.format(
            directory=directory, user=user, right=right, wrong=wrong, expired=expired,
            mutual=mutual
        )
    )
    assert NGINX
    log = str(directory / "error.log")
    process = Process([NGINX, "-c", str(configuration), "-p", str(directory), "-e", log])
    try:
        eventually(lambda: (directory / "nginx.pid").exists() or process.returncode, "nginx", 10)
        assert process.returncode is None, process.written()
        addresses = (f"https://127.0.0.1:{port}" for port in (right, wrong, expired, mutual))
        yield SecureServer(directory, *addresses)
    finally:
        process.stop()


def tls_pool(backend: str, settings: str) -> str:
    """A policy whose pool has these TLS settings."""
    return one_pool(backend, limit=4).replace("    limit:", f"    tls: {{{settings}}}\n    limit:")


def test_verified_against_a_file(secure: SecureServer, gateway: StartGateway) -> None:
    """With the authority's file bodies come whole, again and again on kept connections."""
    # Each reactor keeps connections of its own.
    through = gateway(tls_pool(secure.right, f"ca_file: {secure.directory}/ca.pem") + "\nthreads: 1\n")
    expected = hashlib.sha256((secure.directory / "files/large").read_bytes()).digest()
    for _ in range(5):
        answer = request(through.url, "/large")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).digest() == expected
    through.wait_until_idle()
    assert through.metric("penstock_upstream_connections_opened_total") == 1


class CuttingServer:
    """A TLS server whose records have the sizes that `chance` wants, and come in pieces that it wants, with rests."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(directory / "right.pem", directory / "right.key")
        self.chance = chance
        self.bodies: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        """Answers the requests of one connection with the bodies, one after the other."""
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(20)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = self.context.wrap_bio(came, goes, server_side=True)
            self.until(connection, came, goes, session.do_handshake)
            for body in self.bodies:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += self.until(connection, came, goes, lambda: session.read(4096))
                answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
                while answer:
                    size = self.chance.choice([1, 30, 1_000, 16_362, 16_363, 16_384])
                    session.write(answer[:size])
                    answer = answer[size:]
                records = goes.read()
                while records:
                    size = self.chance.choice([4, 5, 6, 700, 16_383, 16_384, 16_385, 50_000])
                    connection.sendall(records[:size])
                    records = records[size:]
                    if self.chance.random() < 0.3:
                        time.sleep(0.001)

    @staticmethod
    def until(connection: socket.socket, came: ssl.MemoryBIO, goes: ssl.MemoryBIO, step):  # type: ignore[no-untyped-def]
        """What `step` comes to when it has read enough."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                connection.sendall(goes.read())
                came.write(connection.recv(65536))
            else:
                connection.sendall(goes.read())
                return result


@pytest.mark.parametrize("seed", range(4))
def test_records_of_any_size(secure: SecureServer, gateway: StartGateway, seed: int) -> None:
    """Answers come whole however they are cut into records, and the records into pieces."""
    chance = random.Random(seed)
    server = CuttingServer(secure.directory, chance)
    for size in [0, 1, 16_000, 16_362, 16_384, 40_000, 300_000, 7] + [chance.randrange(60_000) for _ in range(8)]:
        server.bodies.append(chance.randbytes(size))
    try:
        through = gateway(tls_pool(server.url, f"ca_file: {secure.directory}/ca.pem") + "\nthreads: 1\n")
        for body in server.bodies:
            assert request(through.url).body == body
    finally:
        server.socket.close()
        server.thread.join(20)


def test_unknown_authority(secure: SecureServer, gateway: StartGateway) -> None:
    """Without that file the certificate is one like any stranger's."""
    answer = request(gateway(one_pool(secure.right)).url, "/large")
    assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "tls_failed")


def test_wrong_name(secure: SecureServer, gateway: StartGateway) -> None:
    """A certificate for another name does not do, even from the right authority."""
    through = gateway(tls_pool(secure.wrong, f"ca_file: {secure.directory}/ca.pem"))
    answer = request(through.url, "/large")
    assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "tls_failed")
    (line, *_) = eventually(lambda: through.logged("dial failed"), "why the dial failed")
    assert line["cause"] == "certificate"
    through.wait_until_idle()


def test_expired(secure: SecureServer, gateway: StartGateway) -> None:
    """Nor does one that was good until yesterday; both are counted as what they are."""
    through = gateway(tls_pool(secure.expired, f"ca_file: {secure.directory}/ca.pem"))
    answer = request(through.url, "/large")
    assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "tls_failed")
    assert through.metric("penstock_upstream_connections_failed_total", reason="tls_failed") == 1
    through.wait_until_idle()


def test_verification_can_be_turned_off(secure: SecureServer, gateway: StartGateway) -> None:
    """Who says so gets encryption without knowing with whom."""
    assert request(gateway(tls_pool(secure.wrong, "verify: false")).url, "/large").status == 200


def test_client_certificate(secure: SecureServer, gateway: StartGateway) -> None:
    """The gateway shows its own certificate where the policy names one."""
    files = secure.directory
    without = gateway(tls_pool(secure.mutual, f"ca_file: {files}/ca.pem"))
    assert request(without.url, "/large").status == 400
    certificate = f"certificate_file: {files}/client.pem, key_file: {files}/client.key"
    shown = gateway(tls_pool(secure.mutual, f"ca_file: {files}/ca.pem, {certificate}"))
    assert request(shown.url, "/large").status == 200


def test_client_leaves_during_the_answer(secure: SecureServer, gateway: StartGateway) -> None:
    """A slot at a TLS backend comes back like any other."""
    through = gateway(tls_pool(secure.right, f"ca_file: {secure.directory}/ca.pem"))
    with RawClient(through.url) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: gateway\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        client.reset()
    through.wait_until_idle()
    assert request(through.url, "/large").status == 200


def test_files_are_read_before_anybody_waits(
    secure: SecureServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """Dials need no file: those that were read serve until the next reload, also when they have gone; what cannot be used
    then changes nothing."""
    names = {"ca.pem": tmp_path / "ca.pem", "client.pem": tmp_path / "c.pem", "client.key": tmp_path / "c.key"}
    for name, copy in names.items():
        shutil.copy(secure.directory / name, copy)
    authority, certificate, key = names.values()
    policy = tls_pool(secure.mutual, f"ca_file: {authority}, certificate_file: {certificate}, key_file: {key}")
    # A connection for each request, so that each is a handshake.
    policy = policy.replace("    limit:", "    keep_alive: {idle: 10ms}\n    limit:") + "\nthreads: 1\n"
    through = gateway(policy)
    for copy in names.values():
        copy.unlink()
    for _ in range(3):
        assert request(through.url, "/large").status == 200
        time.sleep(0.1)
    assert through.metric("penstock_upstream_connections_opened_total") >= 3

    through.signal(signal.SIGHUP)
    eventually(lambda: through.metric("penstock_policy_reload_failures_total") == 1, "the refusal", 20)
    eventually(lambda: any(f"cannot read {authority}" in line for line in through.errors), "the reason", 5)
    assert request(through.url, "/large").status == 200

    # Others' authority: from this reload on nobody is trusted.
    for name, copy in names.items():
        shutil.copy(secure.directory / name, copy)
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    shutil.copy(other / "ca.pem", authority)
    through.signal(signal.SIGHUP)
    eventually(lambda: through.logged("policy reloaded"), "the reload", 20)
    eventually(lambda: request(through.url, "/large").status == 502, "a stranger's certificate", 10)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("ca_file: {files}/nowhere.pem", "cannot read {files}/nowhere.pem: No such file or directory"),
        ("ca_file: {files}/ca.key", "cannot use {files}/ca.key: it holds no certificate in PEM"),
        ("ca_file: {files}/damaged.pem", "cannot use {files}/damaged.pem: the certificate after the first 1 is damaged"),
        (
            "certificate_file: {files}/client.pem, key_file: {files}/right.key",
            "cannot use {files}/right.key: it is not the key of the certificate in {files}/client.pem",
        ),
        (
            "certificate_file: {files}/client.pem, key_file: {files}/client.csr",
            "cannot use {files}/client.csr: it holds no private key in PEM, or one with a password; give one without",
        ),
        (
            "certificate_file: {files}/client.pem, key_file: {files}/locked.key",
            "cannot use {files}/locked.key: it holds no private key in PEM, or one with a password; give one without",
        ),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(
    secure: SecureServer, penstock: Path, tmp_path: Path, settings: str, told: str
) -> None:
    """A wrong file is a line at the start, and not a failed handshake at the first request."""
    files = secure.directory
    openssl(files, "ec", "-in", "client.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key")
    good = (files / "ca.pem").read_text()
    middle = len(good) // 2
    (files / "client.csr").chmod(0o600)
    (files / "damaged.pem").write_text(good + good[:middle] + "!!!!" + good[middle + 4:] + good)
    policy = tmp_path / "policy.yaml"
    policy.write_text(tls_pool(secure.mutual, settings.format(files=files)))
    done = subprocess.run(
        [str(penstock), "serve", "--policy", str(policy)], capture_output=True, text=True, timeout=20, check=False,
        stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert told.format(files=files) in done.stderr
