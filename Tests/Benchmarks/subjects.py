"""What is measured: Penstock, nginx, HAProxy and the relay in C, each as a proxy to the same origin and as one that sheds.

They are configured alike: one worker, no access log, connections kept on both sides, the fields that say where a request
came from. /shed is refused by all of them; /stream passes an event stream on as it comes.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template

from processes import BenchError, Process, free_port, first_line

HERE = Path(__file__).resolve().parent

NGINX = Template("""\
$user
worker_processes 1; pid $directory/$name.pid; error_log stderr error; daemon off;
events { worker_connections 8000; }
http {
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
    client_body_temp_path $directory/body; proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi; uwsgi_temp_path $directory/uwsgi; scgi_temp_path $directory/scgi;
    $http
}
""")

ORIGIN = """\
server {
    listen 127.0.0.1:$port backlog=4096;
    location / {
        default_type application/json;
        return 200 '{"object":"list","data":[],"model":"x","usage":{"total_tokens":0}}\\n';
    }
}
"""

NGINX_PROXY = """\
upstream origin { server 127.0.0.1:$origin; keepalive 256; keepalive_requests 1000000000; }
upstream stream { server 127.0.0.1:$stream; keepalive 256; }
server {
    listen 127.0.0.1:$port backlog=4096;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $$host;
    proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
    location / { proxy_pass http://origin; }
    location /stream { proxy_buffering off; proxy_pass http://stream; }
    location /shed { return 503; }
}
"""

HAPROXY = Template("""\
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
frontend front
    bind 127.0.0.1:$port backlog 4096
    http-request deny deny_status 503 if { path /shed }
    use_backend stream if { path /stream }
    default_backend origin
backend origin
    server origin 127.0.0.1:$origin pool-max-conn 256
backend stream
    server stream 127.0.0.1:$stream pool-max-conn 256
""")

# The limit is learnt, as it is by default, but not below what the clients do at once: nothing of `proxied` is refused.
# The only slot of `held` is taken by a request that is never answered, and nothing may wait there.
PENSTOCK = Template("""\
version: 1
listen: 127.0.0.1:$port
admin: 127.0.0.1:$admin
log: {access: {to: off}}
server: {max_connections: 4000, timeouts: {keep_alive: 1h}}
pools:
  origin:
    backends: [http://127.0.0.1:$origin]
    limit: {algorithm: gradient, min: 100, max: 200}
    keep_alive: {idle: 1h}
  stream:
    backends: [http://127.0.0.1:$stream]
    limit: {algorithm: fixed, limit: 100000}
    keep_alive: {idle: 1h}
  held:
    backends: [http://127.0.0.1:$hole]
    limit: {algorithm: fixed, limit: 1}
    queue: {max_requests: 0}
    timeouts: {first_byte: 24h}
routes:
  - {path: /shed, pool: held}
  - {path: /stream, pool: stream}
  - {path: /*, pool: origin}
""")


@dataclass(frozen=True)
class Setting:
    """What the subjects of a run share."""

    directory: Path
    penstock: Path
    proxy_core: int
    load_core: int
    origin_port: int
    stream_port: int
    # Another binary of Penstock, to be measured beside the first.
    before: Path | None = None


class Subject:
    """A running proxy. `pid` is the process that does its work."""

    name = ""
    pid = 0

    def __init__(self, setting: Setting, environment: dict[str, str] | None = None) -> None:
        self.setting = setting
        self.port = free_port()
        self.process = Process(
            self.command(), setting.proxy_core, self.file("log"), environment)
        try:
            self.process.wait_for_port(self.port)
            self.started()
        except BaseException:
            self.stop()
            raise

    def command(self) -> list[str]:
        """Writes what configures the proxy and returns the command that starts it."""
        raise NotImplementedError

    def started(self) -> None:
        """Called when the proxy listens."""
        self.pid = self.process.pid

    def stop(self) -> None:
        """Ends the proxy."""
        self.process.stop()

    def url(self, path: str) -> str:
        """The address of a path at this proxy."""
        return f"http://127.0.0.1:{self.port}{path}"

    def file(self, ending: str) -> Path:
        """A file of this proxy's own."""
        return self.setting.directory / f"{self.name}-{self.port}.{ending}"

    def ports(self) -> dict[str, int]:
        """The ports that configurations name."""
        return {
            "port": self.port,
            "origin": self.setting.origin_port,
            "stream": self.setting.stream_port,
        }


class Penstock(Subject):
    """`penstock serve`; one request holds the only slot of the pool behind /shed."""

    name = "Penstock"

    def command(self) -> list[str]:
        self._hole = socket.create_server(("127.0.0.1", free_port()))
        self._holder: socket.socket | None = None
        policy = self.file("yaml")
        hole = self._hole.getsockname()[1]
        policy.write_text(PENSTOCK.substitute(self.ports(), hole=hole, admin=free_port()))
        return [str(self.binary()), "serve", "--policy", str(policy)]

    def binary(self) -> Path:
        """Which build of Penstock it is."""
        return self.setting.penstock

    def started(self) -> None:
        super().started()
        self._holder = socket.create_connection(("127.0.0.1", self.port))
        self._holder.sendall(b"GET /shed HTTP/1.1\r\nHost: x\r\n\r\n")
        self._hole.settimeout(5)
        # Kept open and never answered.
        self._held, _ = self._hole.accept()

    def stop(self) -> None:
        for held in (self._holder, self._hole):
            if held:
                held.close()
        super().stop()


class PenstockBefore(Penstock):
    """The other build of Penstock, where one was named: what a change has bought."""

    name = "Penstock before"

    def binary(self) -> Path:
        return self.setting.before or self.setting.penstock


class CountedPenstock(Penstock):
    """Penstock in callgrind, which counts the instructions of its own code, not of the kernel's."""

    def command(self) -> list[str]:
        # This callgrind does not know all of DWARF 5; names are enough for its profile.
        stripped = self.file("binary")
        subprocess.run(["objcopy", "--strip-debug", str(self.binary()), str(stripped)], check=True)
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.file('callgrind')}"]
        return ["valgrind", *options, str(stripped), *super().command()[1:]]

    def count(self, is_on: bool) -> None:
        """Turns counting on or off."""
        self._control("-i", "on" if is_on else "off")

    def counted(self, work: str) -> int:
        """The instructions counted so far; the profile is copied to the directory that KEEP names."""
        self._control("--dump")
        profile = Path(f"{self.file('callgrind')}.1")
        if kept := os.environ.get("KEEP"):
            shutil.copy(profile, Path(kept) / work)
        match = re.search(r"^totals: (\d+)", profile.read_text(), re.MULTILINE)
        if not match:
            raise BenchError(f"no totals in callgrind's profile {profile}")
        return int(match[1])

    def _control(self, *options: str) -> None:
        subprocess.run(
            ["callgrind_control", *options, str(self.pid)], check=True, stdout=subprocess.DEVNULL)


class CountedPenstockBefore(CountedPenstock):
    """The same for the other build of Penstock."""

    name = PenstockBefore.name
    binary = PenstockBefore.binary


class Nginx(Subject):
    """nginx with one worker, which is what is measured: its master only waits."""

    name = "nginx"

    def command(self) -> list[str]:
        http = Template(NGINX_PROXY).substitute(self.ports())
        return nginx_command(self.setting.directory, f"{self.name}-{self.port}", http)

    def started(self) -> None:
        self.pid = self.process.only_child()


class HAProxy(Subject):
    """HAProxy with one thread and no master."""

    name = "HAProxy"

    def command(self) -> list[str]:
        configuration = self.file("cfg")
        configuration.write_text(HAPROXY.substitute(self.ports()))
        return ["haproxy", "-db", "-f", str(configuration)]


class Relay(Subject):
    """The relay in C: the practical limit of a proxy with one write and one read a message."""

    name = "relay in C"

    def command(self) -> list[str]:
        return [str(self.setting.directory / "relay"), str(self.port), str(self.setting.origin_port)]


class StreamRelay(Relay):
    """The same relay, to the origin that streams."""

    def command(self) -> list[str]:
        return [str(self.setting.directory / "relay"), str(self.port), str(self.setting.stream_port)]


class RefusingRelay(Relay):
    """The same relay, as one that refuses whatever comes."""

    def command(self) -> list[str]:
        return [str(self.setting.directory / "relay"), str(self.port), "0"]


def nginx_command(directory: Path, name: str, http: str) -> list[str]:
    """Writes a configuration and returns the command that runs nginx with it."""
    configuration = directory / f"{name}.conf"
    # A worker of root's master would be `nobody`, who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(NGINX.substitute(directory=directory, name=name, user=user, http=http))
    return ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(configuration)]


def start_origin(directory: Path, core: int) -> tuple[Process, int]:
    """Starts nginx as the server behind the proxies; the port is its own."""
    port = free_port()
    http = Template(ORIGIN).substitute(port=port)
    origin = Process(nginx_command(directory, "origin", http), core, directory / "origin.log")
    origin.wait_for_port(port)
    return origin, port


def versions(penstock: Path) -> dict[str, str]:
    """What was measured, and with what."""
    return {
        "Penstock": first_line(str(penstock), "--version"),
        "nginx": first_line("nginx", "-v").removeprefix("nginx version: nginx/"),
        "HAProxy": first_line("haproxy", "-v").split()[2],
        "gcc": first_line("gcc", "-dumpfullversion"),
        "wrk": first_line("wrk", "-v").split()[1],
        "libcurl": curl_version(penstock),
    }


def curl_version(penstock: Path) -> str:
    """The file name of the libcurl that Penstock is linked with."""
    listing = subprocess.run(["ldd", str(penstock)], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        words = line.split()
        if words and words[0].startswith("libcurl") and len(words) > 2:
            return Path(words[2]).resolve().name
    return "?"
