"""TLS towards backends: verified unless the policy says otherwise, with nginx on the other end."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
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


def make_certificates(directory: Path) -> None:
    """An authority, and the certificates that it has signed."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        directory, "req", "-x509", *curve, "-days", "2", "-subj", "/CN=Authority of a test",
        "-keyout", "ca.key", "-out", "ca.pem",
    )
    names = {
        "right": "IP:127.0.0.1", "expired": "IP:127.0.0.1", "wrong": "DNS:other.example",
        "client": "DNS:client.example",
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
        assert process.returncode is None, process.told()
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


def test_unknown_authority(secure: SecureServer, gateway: StartGateway) -> None:
    """Without that file the certificate is one like any stranger's."""
    answer = request(gateway(one_pool(secure.right)).url, "/large")
    assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "tls_failed")


def test_wrong_name(secure: SecureServer, gateway: StartGateway) -> None:
    """A certificate for another name does not do, even from the right authority."""
    through = gateway(tls_pool(secure.wrong, f"ca_file: {secure.directory}/ca.pem"))
    answer = request(through.url, "/large")
    assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "tls_failed")
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
