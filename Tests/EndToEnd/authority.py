"""An authority of certificates for tests, and clients that trust it."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from sockets import TIMEOUT_SECONDS


class Authority:
    """Signs certificates, whose files are `NAME.pem` and `NAME.key` in its folder."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self.name = name
        self.file = directory / f"{name}.pem"
        self._run(
            "req", "-x509", *self._curve, "-days", "30", "-subj", f"/CN=Authority {name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip

    _curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, timeout=30, check=True)

    def issue(self, name: str, subject: str, days: int = 30, key: tuple[str, ...] = _curve) -> None:
        """A certificate for `subject`, such as `DNS:a.example,DNS:*.b.example`."""
        draft = f"{name}-draft"
        (self.directory / f"{draft}.ext").write_text(f"subjectAltName={subject}\n")
        self._run("req", *key, "-subj", f"/CN={name}", "-keyout", f"{draft}.key", "-out", f"{draft}.csr")
        self._run(
            "x509", "-req", "-in", f"{draft}.csr", "-CA", self.file.name, "-CAkey", f"{self.name}.key",
            "-CAcreateserial", "-days", str(days), "-extfile", f"{draft}.ext", "-out", f"{draft}.pem",
        )  # fmt: skip
        for kind in ("key", "pem"):
            (self.directory / f"{draft}.{kind}").rename(self.directory / f"{name}.{kind}")

    def context(self, certificate: str | None = None, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
        """A client's context that trusts this authority, and shows a certificate where one is named."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate:
            context.load_cert_chain(self.directory / f"{certificate}.pem", self.directory / f"{certificate}.key")
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def dial(
    url: str, context: ssl.SSLContext, name: str = "a.example", session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """A connection to `url`, whose port is all that counts, that asks for `name`."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    plain = socket.create_connection((parts.hostname, parts.port), TIMEOUT_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=name, session=session)
    except BaseException:
        plain.close()
        raise


def ask(connection: ssl.SSLSocket, path: str = "/", fields: str = "", host: str = "a.example") -> tuple[int, bytes]:
    """A request, and the status and the body of its response."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
    return response(connection)


def response(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    """The status and the body of a response with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        assert more, data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    fields = head.lower().split(b"\r\n")
    length = next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length:"))
    while len(body) < length:
        more = connection.recv(65536)
        assert more, "cut short"
        body += more
    return int(head.split(b" ")[1]), body
