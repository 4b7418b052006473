"""The same requests through Penstock, nginx and HAProxy to origins that record what reaches them.

    differential.py PENSTOCK [--seed N] [--count N] [--lanes N]

Most of the time goes by in waiting for what does not come, so requests are sent in lanes beside one another, each with
proxies and origins of its own. In a lane every request is followed by another one on its connection, the canary, so that
proxies that end it in different places are told apart. What the proxies made of each request is compared; each
difference has to stand, with its reason, in differences.md beside this file. The last line counts kinds of differences:
explained ones have passed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from messages import generated
from processes import Gateway, Process, eventually

HERE = Path(__file__).resolve().parent
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
CANARY = b"GET /canary HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EMPTY_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
SECONDS = 5.0
LANES = 16


@dataclass(frozen=True)
class Seen:
    """A request as an origin read it."""

    method: bytes
    target: bytes
    host: bytes
    body: bytes


class Origin:
    """Reads requests strictly, remembers them, and answers each with 200."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.nonsense: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accepts no more."""
        self._listener.close()

    def settle(self) -> None:
        """Waits until nothing has come for half a second, five seconds at most."""
        for _ in range(10):
            before = len(self.seen)
            time.sleep(0.5)
            if len(self.seen) == before:
                return

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while request := self._read(stream):
                    self.seen.append(request)
                    connection.sendall(EMPTY_ANSWER if request.method == b"HEAD" else ANSWER)
            except OSError:
                pass

    def _read(self, stream: object) -> Seen | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()  # type: ignore[attr-defined]
            if not line:
                return None
            head += line
        start, *lines = head[:-4].split(b"\r\n")
        parts = start.split(b" ")
        fields = [line.split(b":", 1) for line in lines]
        if b"\n" in head.replace(b"\r\n", b"") or len(parts) != 3 or any(len(f) != 2 for f in fields):
            self.nonsense.append(head)
            return None
        values = {name.lower(): value.strip() for name, value in fields}
        try:
            body = self._body(stream, values)
        except (ValueError, OverflowError):
            self.nonsense.append(head)
            return None
        if body is None:
            return None
        return Seen(parts[0], parts[1], values.get(b"host", b""), body)

    @staticmethod
    def _body(stream: object, values: dict[bytes, bytes]) -> bytes | None:
        def read(count: int) -> bytes:
            """So many bytes, or all there are; asked for at once, a length of 2⁶² would be memory."""
            pieces = []
            while count > 0 and (piece := stream.read(min(count, 65_536))):  # type: ignore[attr-defined]
                pieces.append(piece)
                count -= len(piece)
            return b"".join(pieces)

        if b"transfer-encoding" not in values:
            length = int(values.get(b"content-length", b"0"))
            body = read(length)
            return body if len(body) == length else None
        body = b""
        while True:
            line = stream.readline()  # type: ignore[attr-defined]
            if not line:
                return None
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while line not in (b"\r\n", b""):
                    line = stream.readline()  # type: ignore[attr-defined]
                return body
            piece = read(size)
            if len(piece) < size or read(2) != b"\r\n":
                return None
            body += piece


NGINX_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_ignore_client_abort on;
        }}
    }}
}}
"""

HAPROXY_CONFIGURATION = """
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen proxy
    bind 127.0.0.1:{port}
    server origin 127.0.0.1:{origin}
"""

POLICY = """
version: 1
listen: 127.0.0.1:0
admin: off
log: {{access: off}}
server: {{half_close: allow}}
pools:
  main: {{backends: ["http://127.0.0.1:{origin}"], limit: 100}}
routes:
  - {{path: /*, pool: main}}
"""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    """Whether something listens at `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@dataclass
class Proxy:
    """A proxy with an origin of its own."""

    name: str
    port: int
    origin: Origin

    def verdict(self, data: bytes, quiet: float = 0.5) -> Verdict:
        """What becomes of `data` and the canary behind it.

        When nothing has come for `quiet` seconds the client ends its side: what waits for more is over then.
        """
        seen, nonsense = len(self.origin.seen), len(self.origin.nonsense)
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as connection:
            connection.settimeout(quiet)
            has_ended = False
            try:
                connection.sendall(data + CANARY)
                while True:
                    try:
                        more = connection.recv(65536)
                    except TimeoutError:
                        if has_ended:
                            break
                        has_ended = True
                        connection.shutdown(socket.SHUT_WR)
                        continue
                    if not more:
                        break
                    received += more
            except OSError:
                pass
        return Verdict(self.origin.seen[seen:], self.origin.nonsense[nonsense:], received)


@dataclass
class Verdict:
    """What a proxy made of a request: what reached its origin, and what the client got."""

    seen: list[Seen]
    nonsense: list[bytes]
    received: bytes

    @property
    def accepted(self) -> bool:
        """Whether anything but the canary reached the origin."""
        return any(one.target != b"/canary" for one in self.seen)

    def differs_in_number(self, other: Verdict) -> bool:
        """Whether both were forwarded, and not the same number of requests came of them."""
        return self.accepted and other.accepted and len(self.seen) != len(other.seen)

    @property
    def why(self) -> str:
        """What Penstock gives as its reason."""
        if match := re.search(rb'"detail":"([^"]*)"', self.received):
            return match[1].decode()
        return "closed without an answer"


@contextmanager
def proxies(penstock: Path, directory: Path) -> Iterator[dict[str, Proxy]]:
    """All three, running."""
    with ExitStack() as stack:
        origins = [Origin() for _ in range(3)]
        for origin in origins:
            stack.callback(origin.close)
        policy = POLICY.format(origin=origins[0].port)
        gateway = Gateway(penstock, policy, directory)
        stack.callback(gateway.stop)
        started = {"Penstock": Proxy("Penstock", int(gateway.url.rsplit(":", 1)[1]), origins[0])}
        for name, origin in zip(("nginx", "HAProxy"), origins[1:]):
            port = free_port()
            folder = directory / name
            folder.mkdir()
            file = folder / "configuration"
            if name == "nginx":
                user = "user root;" if os.geteuid() == 0 else ""
                file.write_text(
                    NGINX_CONFIGURATION.format(directory=folder, user=user, port=port, origin=origin.port))
                command = [str(NGINX), "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")]
            else:
                file.write_text(HAPROXY_CONFIGURATION.format(port=port, origin=origin.port))
                command = [str(HAPROXY), "-db", "-q", "-f", str(file)]
            process = Process(command)
            stack.callback(process.stop)
            eventually(lambda port=port: answers(port), f"{name} listens", 60)
            started[name] = Proxy(name, port, origin)
        yield started


@dataclass
class Comparison:
    """Differences by kind, rule and proxy, with an example of each."""

    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def compare(self, name: str, data: bytes, ours: Verdict, theirs: Verdict, proxy: str) -> None:
        """Notes how Penstock and `proxy` differ about `data`, which was generated as `name`."""
        name = self._cause(name, data)
        if ours.accepted and theirs.accepted:
            if ours.seen == theirs.seen:
                return
            more = ours.seen[len(theirs.seen) :]
            if more and re.search(rb"[^A-Z_-]", more[0].method):
                # A byte that was changed made the next request begin earlier.
                self._note("laxer", "method of lower case", proxy, data, ours, theirs)
                return
            if b'"detail":' in ours.received and theirs.seen[: len(ours.seen)] == ours.seen:
                # What followed the request was refused.
                self._note("stricter", ours.why, proxy, data, ours, theirs)
                return
            for aspect in self._aspects(ours, theirs):
                self._note("other", f"{name}: {aspect}", proxy, data, ours, theirs)
        elif theirs.accepted:
            self._note("stricter", ours.why, proxy, data, ours, theirs)
        elif ours.accepted:
            self._note("laxer", self._refused_for(name, data, proxy), proxy, data, ours, theirs)

    @staticmethod
    def _cause(name: str, data: bytes) -> str:
        """The fault's name, or what a changed byte has made of it."""
        named = re.match(rb"[A-Z]+ http://([^/ ?]*)[^\r]*\r\nHost: ([^\r]*)\r\n", data)
        if named and named[1] != named[2]:
            return "absolute form with another Host"
        return name

    @staticmethod
    def _refused_for(name: str, data: bytes, proxy: str) -> str:
        """The fault's name, or what else in the request nginx refuses."""
        if proxy != "nginx":
            return name
        if re.search(rb"[^A-Z_-]", data.split(b" ", 1)[0]):
            return "method of lower case"
        if re.search(rb"\r\nhost: *\t", data, re.IGNORECASE):
            return "Host with a tab in front"
        return name

    @staticmethod
    def _aspects(ours: Verdict, theirs: Verdict) -> set[str]:
        if len(ours.seen) != len(theirs.seen):
            return {"number of requests"}
        return {
            aspect
            for one, other in zip(ours.seen, theirs.seen)
            for aspect in ("method", "target", "host", "body")
            if getattr(one, aspect) != getattr(other, aspect)
        }

    def add(self, other: Comparison) -> None:
        """Takes over what another lane found."""
        self.found += other.found
        self.examples = other.examples | self.examples

    def _note(
        self, kind: str, rule: str, proxy: str, data: bytes, ours: Verdict, theirs: Verdict
    ) -> None:
        key = (kind, rule, proxy)
        self.found[key] += 1
        self.examples.setdefault(
            key, f"{data!r}\n  Penstock: {ours.seen} {ours.received[:80]!r}\n"
            f"  {proxy}: {theirs.seen} {theirs.received[:80]!r}")


def explained() -> set[tuple[str, str, str]]:
    """The differences that differences.md explains."""
    rows = set()
    for line in (HERE / "differences.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] in ("stricter", "laxer", "other"):
            rows |= {(cells[0], cells[1], proxy.strip()) for proxy in cells[2].split(",")}
    return rows


def run(
    penstock: Path, directory: Path, seed: int, count: int, lanes: int = LANES
) -> tuple[Comparison, list[bytes]]:
    """Sends `count` requests; the comparison, and what reached an origin as nonsense through Penstock."""
    pick = random.Random(seed)
    requests = [generated(pick) for _ in range(count)]
    comparison = Comparison()
    nonsense = []
    with ExitStack() as stack:
        sets = []
        for lane in range(lanes):
            folder = directory / f"lane-{lane}"
            folder.mkdir()
            # One after the other, so that no two are given the same free port.
            sets.append(stack.enter_context(proxies(penstock, folder)))
        pool = stack.enter_context(ThreadPoolExecutor(lanes))
        shares = [requests[lane::lanes] for lane in range(lanes)]
        for found in pool.map(compared, sets, shares):
            comparison.add(found)
        for running in sets:
            nonsense += running["Penstock"].origin.nonsense
    return comparison, nonsense


def compared(running: dict[str, Proxy], requests: Sequence[tuple[str, bytes]]) -> Comparison:
    """Sends each of `requests` through all of `running`, one after the other."""
    comparison = Comparison()
    for name, data in requests:
        verdicts = {proxy: running[proxy].verdict(data) for proxy in running}
        for proxy in ("nginx", "HAProxy"):
            if verdicts["Penstock"].seen != verdicts[proxy].seen:
                # A busy machine must not make a difference: again, with patience.
                for one in ("Penstock", proxy):
                    verdicts[one] = running[one].verdict(data, quiet=2)
            if verdicts["Penstock"].differs_in_number(verdicts[proxy]):
                # What an earlier request left on its way may have come in between.
                for one in ("Penstock", proxy):
                    running[one].origin.settle()
                    verdicts[one] = running[one].verdict(data, quiet=4)
            comparison.compare(name, data, verdicts["Penstock"], verdicts[proxy], proxy)
    return comparison


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("penstock", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--lanes", type=int, default=LANES)
    options = parser.parse_args()
    if not NGINX or not HAPROXY:
        print("SKIPPED: nginx or HAProxy is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        comparison, nonsense = run(
            options.penstock.resolve(), Path(directory), options.seed, options.count, options.lanes)
    known = explained()
    for key, count in sorted(comparison.found.items()):
        print(f"{'' if key in known else 'UNEXPLAINED '}{' | '.join(key)}: {count}")
        if key not in known:
            print(comparison.examples[key])
    unexplained = [key for key in comparison.found if key not in known]
    print(f"seed {options.seed}: {options.count} requests, {sum(comparison.found.values())} differences of"
          f" {len(comparison.found)} kinds, {len(unexplained)} of them unexplained,"
          f" {len(nonsense)} invalid requests let through")
    failed = len(unexplained) + (1 if nonsense else 0)
    print(f"{len(comparison.found) - len(unexplained)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
