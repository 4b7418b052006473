"""nginx behind the gateway: large bodies, ranges, compression and load from a server that many people run."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import Process, eventually, one_pool, request

# Debian keeps nginx where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
LARGE_BYTES = 50 << 20
TEXT = b"the gate lets through what the turbine can take\n" * 20_000

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type application/octet-stream;
    types {{ text/plain txt; }}
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    gzip on;
    gzip_types text/plain;
    # By default nginx does not compress what a proxy asks for, which it knows by Via.
    gzip_proxied any;
    server {{ listen unix:{socket}; root {directory}/files; }}
}}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nginx serves: 50 MB of noise, a text, and a small file."""
    directory = tmp_path_factory.mktemp("nginx")
    served = directory / "files"
    served.mkdir()
    (served / "large").write_bytes(os.urandom(LARGE_BYTES))
    (served / "text.txt").write_bytes(TEXT)
    (served / "small").write_bytes(b"x" * 65)
    return served


@pytest.fixture(scope="module")
def nginx(files: Path) -> Iterator[str]:
    """A running nginx; gives its address as a backend."""
    directory = files.parent
    listening = directory / "n.sock"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, user=user, socket=listening)
    )
    assert NGINX
    log = str(directory / "error.log")
    process = Process([NGINX, "-c", str(configuration), "-p", str(directory), "-e", log])
    try:
        eventually(lambda: listening.exists() or process.returncode, "nginx's socket", 10)
        assert process.returncode is None, process.written()
        yield f"http+unix://{listening}"
    finally:
        process.stop()


def digest(data: bytes) -> str:
    """The SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def test_large_file_twice_on_one_connection(
    nginx: str, files: Path, gateway: StartGateway
) -> None:
    """50 MB arrive whole, and the same connection brings them again."""
    through = gateway(one_pool(nginx))
    expected = digest((files / "large").read_bytes())
    connection = http.client.HTTPConnection(urlsplit(through.url).netloc, timeout=30)
    connection.connect()
    used = connection.sock
    for _ in range(2):
        connection.request("GET", "/large")
        assert digest(connection.getresponse().read()) == expected
        assert connection.sock is used, "the gateway closed the connection"
    connection.close()
    assert through.metric("penstock_upstream_connections_opened_total") <= 1


def test_ranges(nginx: str, files: Path, gateway: StartGateway) -> None:
    """The file put together from ranges is the file."""
    through = gateway(one_pool(nginx, limit=4, max_requests=32))
    size = LARGE_BYTES // 8

    def part(index: int) -> bytes:
        field = {"Range": f"bytes={index * size}-{(index + 1) * size - 1}"}
        answer = request(through.url, "/large", headers=field)
        assert answer.status == 206
        assert answer.headers["content-range"].endswith(f"/{LARGE_BYTES}")
        return answer.body

    with ThreadPoolExecutor(4) as threads:
        whole = b"".join(threads.map(part, range(8)))
    assert digest(whole) == digest((files / "large").read_bytes())


def test_compressed_text(nginx: str, gateway: StartGateway) -> None:
    """A compressed, chunked answer passes as it is; without the field it comes plain."""
    through = gateway(one_pool(nginx))
    packed = request(through.url, "/text.txt", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == TEXT
    plain = request(through.url, "/text.txt")
    assert "content-encoding" not in plain.headers
    assert plain.body == TEXT


def test_not_modified_and_missing(nginx: str, gateway: StartGateway) -> None:
    """Answers without a body, and the backend's own errors, keep their status."""
    through = gateway(one_pool(nginx))
    tag = request(through.url, "/small").headers["etag"]
    fresh = request(through.url, "/small", headers={"If-None-Match": tag})
    assert (fresh.status, fresh.body) == (304, b"")
    assert request(through.url, "/missing").status == 404


def test_slow_reader_costs_no_memory(nginx: str, gateway: StartGateway) -> None:
    """A client that takes 50 MB slowly slows the backend down instead of filling the gateway."""
    through = gateway(one_pool(nginx, limit=4))
    request(through.url, "/small")
    before = through.resident_bytes()
    connections = []
    for _ in range(4):
        connection = http.client.HTTPConnection(urlsplit(through.url).netloc, timeout=30)
        connection.request("GET", "/large")
        connections.append(connection)
    answers = [connection.getresponse() for connection in connections]
    for _ in range(20):
        for answer in answers:
            assert len(answer.read(50_000)) == 50_000
        time.sleep(0.02)
    # Each may have `buffer.response` taken ahead, 1 MiB, and as much again in storage that growing to it left.
    assert through.resident_bytes() - before < 4 * (2 << 20) + (4 << 20)
    for connection in connections:
        connection.close()
    through.wait_until_idle()


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk(nginx: str, gateway: StartGateway) -> None:
    """Sixty-four busy connections for two seconds: no error of any kind."""
    through = gateway(one_pool(nginx, limit=64, max_requests=256))
    command = ["wrk", "-t1", "-c64", "-d2s", f"{through.url}/small"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert "Socket errors" not in ended.stdout, ended.stdout
    assert "Non-2xx" not in ended.stdout, ended.stdout
    completed = re.search(r"(\d+) requests in", ended.stdout)
    assert completed and int(completed[1]) > 100
    through.wait_until_idle()
