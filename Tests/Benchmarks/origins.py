"""What the proxies stand before: nginx, and origin.c for streams, uploads and chat requests. And the certificates of both sides."""

from __future__ import annotations

import subprocess
from pathlib import Path
from string import Template

import configurations
from processes import Process, free_port
from subjects import nginx_command

FILES = {"64k": 64 * 1024, "10m": 10 * 1024 * 1024}


def start_origin(directory: Path, core: int) -> tuple[Process, int, int]:
    """Starts nginx as the server behind the proxies; the ports, plain and TLS, are its own."""
    files = directory / "files" / "bytes"
    files.mkdir(parents=True)
    for name, size in FILES.items():
        (files / name).write_bytes(b"x" * size)
    make_certificate(directory)
    port, tls = free_port(), free_port()
    http = Template(configurations.ORIGIN).substitute(port=port, tls=tls, directory=directory)
    origin = Process(nginx_command(directory, "origin", http), core, directory / "origin.log")
    origin.wait_for_port(port)
    return origin, port, tls


def start_streams(directory: Path, core: int) -> tuple[Process, int]:
    """Starts the origin of streams and uploads."""
    port = free_port()
    origin = Process([str(directory / "origin"), str(port)], core, directory / "streams.log")
    origin.wait_for_port(port)
    return origin, port


def make_certificate(directory: Path) -> None:
    """Certificates for 127.0.0.1 that are their own authorities: P-256, which all subjects' TLS libraries do fastest, and
    RSA with 2048 bits. HAProxy wants certificate and key in one file."""
    for name, key in (("origin", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", ["rsa:2048"])):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *key, "-nodes",
             "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.pem")],
            check=True, capture_output=True)
        both = (directory / f"{name}.pem").read_text() + (directory / f"{name}.key").read_text()
        (directory / f"{name}.both").write_text(both)
