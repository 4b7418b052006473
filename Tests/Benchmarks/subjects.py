"""What is measured: Penstock, nginx, HAProxy, Envoy, the routers of SGLang and vLLM and the relay in C, each as a proxy to
the same origins.

configurations.py has how they are set up.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from string import Template

import configurations
from configurations import CONNECTIONS_MAX
from processes import BenchError, Process, free_port

HERE = Path(__file__).resolve().parent

# Works in which clients are spoken to over TLS, and the certificate that is shown.
SECURED = {"https": "origin", "handshake": "origin", "handshake-rsa": "rsa", "memory-tls": "origin"}


# The work in which subjects are reloaded, scraped and have their logs opened again.
UPKEEP = "upkeep"

# The work in which as many streams are open as descriptors allow.
MANY_STREAMS = "memory-streams"
# The work in which bodies wait in subjects.
HELD_BODIES = "memory-bodies"

# Works in which Penstock routes by model, as the routers can: who routes by path alone does not pay for it.
ROUTED_BY_MODEL = {"chat", "chat-200k", "chat-stream"}

# TLS 1.3, which this nginx does not speak by default, and no sessions that go on: wrk would use them.
NGINX_TLS = "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; ssl_session_cache off;"


@dataclass(frozen=True)
class Setting:
    """What the subjects of a run share."""

    directory: Path
    penstock: Path
    envoy: Path | None
    # The Python that has the routers.
    routers: Path | None
    proxy_core: int
    load_core: int
    origin_port: int
    tls_port: int
    stream_port: int
    # Another binary of Penstock, to be measured beside the first.
    before: Path | None = None
    # All cores that may be used, for what is not bound to one.
    cores: frozenset[int] = frozenset()


class Subject:
    """A running proxy. `pid` is the process that does its work."""

    name = ""
    pid = 0
    # Whether it answers nothing but what engines are asked.
    is_router = False

    def __init__(
        self, setting: Setting, work: str = "proxied", environment: dict[str, str] | None = None
    ) -> None:
        self.setting = setting
        self.work = work
        self.port = free_port()
        # What is worth saying beside a figure, by its title.
        self.details: dict[str, list[str]] = {}
        # Where requests are told, in the work in which they are.
        self.access_log = self.file("access") if work == UPKEEP else None
        # Whether bodies wait in it, in the work that is about them.
        self.is_holding = work == HELD_BODIES
        # Where its pages of figures are, if it has a port of its own for them.
        self.admin = free_port()
        # The certificate's files without their endings, where clients are spoken to over TLS.
        self.certificate = str(setting.directory / SECURED[work]) if work in SECURED else None
        self.process = Process(
            self.command(), self.cores(), self.file("log"), environment)
        try:
            self.process.wait_for_port(self.port)
            self.started()
        except BaseException:
            self.stop()
            raise

    def command(self) -> list[str]:
        """Writes what configures the proxy and returns the command that starts it."""
        raise NotImplementedError

    def cores(self) -> int | frozenset[int]:
        """Where the proxy may run."""
        return self.setting.proxy_core

    def started(self) -> None:
        """Called when the proxy listens."""
        self.pid = self.process.pid

    def stop(self) -> None:
        """Ends the proxy."""
        self.process.stop()

    def url(self, path: str) -> str:
        """The address of a path at this proxy."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}{path}"

    def file(self, ending: str) -> Path:
        """A file of this proxy's own."""
        return self.setting.directory / f"{self.name}-{self.port}.{ending}"

    def ports(self) -> dict[str, int]:
        """The ports that configurations name."""
        return {
            "port": self.port,
            "origin": self.setting.origin_port,
            "tls": self.setting.tls_port,
            "stream": self.setting.stream_port,
            "admin": self.admin,
        }


class Penstock(Subject):
    """`penstock serve`; one request holds the only slot of the pool behind /shed."""

    name = "Penstock"
    threads = 1

    def command(self) -> list[str]:
        self._hole = socket.create_server(("127.0.0.1", free_port()))
        self._holder: socket.socket | None = None
        self.write_policy()
        return [str(self.binary()), "serve", "--policy", str(self.file("yaml"))]

    def write_policy(self, body_gibibytes: int = 1) -> None:
        """Writes the policy, with a bound for bodies that nobody comes near."""
        hole = self._hole.getsockname()[1]
        holding = configurations.PENSTOCK_BODIES
        if not self.is_holding:
            holding = dict.fromkeys(holding, "")
        self.file("yaml").write_text(Template(configurations.PENSTOCK.safe_substitute(holding)).substitute(
            self.ports() | {"admin": self.admin_address()}, hole=hole, threads=self.threads,
            directory=self.setting.directory, secured=self.secured(), access_log=self.access_log or "off",
            body_gibibytes=body_gibibytes, models=", models: [x]" if self.is_by_model() else ""))

    def is_by_model(self) -> bool:
        """Whether the model in a request's body decides where it goes."""
        return self.work in ROUTED_BY_MODEL

    def admin_address(self) -> str:
        """Where its pages are."""
        return f"127.0.0.1:{self.admin}"

    def secured(self) -> str:
        """What makes its listener speak TLS."""
        if not self.certificate:
            return ""
        files = f"{{certificate_file: {self.certificate}.pem, key_file: {self.certificate}.key}}"
        return f", tls: {{certificates: [{files}], ticket_rotation: off}}"

    def binary(self) -> Path:
        """Which build of Penstock it is."""
        return self.setting.penstock

    def started(self) -> None:
        super().started()
        if self.certificate:
            return
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


class OneReactor(Penstock):
    """Penstock with one thread, on all cores."""

    def cores(self) -> int | frozenset[int]:
        return self.setting.cores


class TwoReactors(OneReactor):
    """With two."""

    threads = 2


class FourReactors(OneReactor):
    """With four."""

    threads = 4


class Forwarding(Penstock):
    """Penstock where the path decides: what its routing by model is compared with."""

    def is_by_model(self) -> bool:
        return False


class CountedPenstock(Penstock):
    """Penstock in callgrind, which counts the instructions of its own code, not of the kernel's."""

    def command(self) -> list[str]:
        # This callgrind does not know all of DWARF 5; names are enough for its profile.
        stripped = self.file("binary")
        subprocess.run(["objcopy", "--strip-debug", str(self.binary()), str(stripped)], check=True)
        self._dumps = 0
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.file('callgrind')}"]
        return ["valgrind", *options, str(stripped), *super().command()[1:]]

    def admin_address(self) -> str:
        # What is kept for the page once a second would be counted as often as callgrind takes seconds.
        return super().admin_address() if self.work == "pages" else "off"

    def count(self, is_on: bool) -> None:
        """Turns counting on or off."""
        self._control("-i", "on" if is_on else "off")

    def counted(self, work: str) -> int:
        """The instructions counted since the last call; the profile is copied to the directory that KEEP names."""
        self._control("--dump")
        self._dumps += 1
        profile = Path(f"{self.file('callgrind')}.{self._dumps}")
        if kept := os.environ.get("KEEP"):
            shutil.copy(profile, Path(kept) / work)
        match = re.search(r"^totals: (\d+)", profile.read_text(), re.MULTILINE)
        if not match:
            raise BenchError(f"no totals in callgrind's profile {profile}")
        return int(match[1])

    def _control(self, *options: str) -> None:
        subprocess.run(["callgrind_control", *options, str(self.pid)], check=True, capture_output=True)


class CountedPenstockBefore(CountedPenstock):
    """The same for the other build of Penstock."""

    name = PenstockBefore.name
    binary = PenstockBefore.binary


class Nginx(Subject):
    """nginx with one worker, which is what is measured: its master only waits."""

    name = "nginx"

    def command(self) -> list[str]:
        http = Template(configurations.NGINX_PROXY).substitute(
            self.ports(), directory=self.setting.directory, secured="ssl" if self.certificate else "",
            certificate=f"ssl_certificate {self.certificate}.pem; ssl_certificate_key {self.certificate}.key; {NGINX_TLS}"
            if self.certificate else "",
            upkeep=Template(configurations.NGINX_UPKEEP).substitute(access_log=self.access_log) if self.access_log else "")
        # Of few that are free it takes back those that have not asked yet.
        connections = CONNECTIONS_MAX * 6 // 5 if self.work == MANY_STREAMS else CONNECTIONS_MAX
        return nginx_command(self.setting.directory, f"{self.name}-{self.port}", http, connections)

    def started(self) -> None:
        self.pid = self.process.only_child()


class HAProxy(Subject):
    """HAProxy with one thread; with a master only where it is reloaded, which takes one."""

    name = "HAProxy"

    def command(self) -> list[str]:
        configuration = self.file("cfg")
        upkeep = configurations.HAPROXY_UPKEEP
        if not self.access_log:
            upkeep = dict.fromkeys(upkeep, "")
        text = Template(configurations.HAPROXY.safe_substitute(upkeep)).substitute(
            self.ports(), directory=self.setting.directory, tune=configurations.HAPROXY_BODIES if self.is_holding else "",
            secured=f"ssl crt {self.certificate}.both no-tls-tickets" if self.certificate else "")
        configuration.write_text(text)
        return ["haproxy", "-W" if self.access_log else "-db", "-f", str(configuration)]


class Envoy(Subject):
    """Envoy with one worker beside its main thread; both count."""

    name = "Envoy"
    is_adaptive = False

    def command(self) -> list[str]:
        if not self.setting.envoy:
            raise BenchError("there is no envoy; leave it out with --subjects")
        configuration = self.file("json")
        configuration.write_text(configurations.envoy(
            self.ports(), str(self.setting.directory), self.is_adaptive, self.certificate,
            str(self.access_log) if self.access_log else None, self.is_holding))
        return [
            str(self.setting.envoy), "--config-path", str(configuration), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "error"]


class AdaptiveEnvoy(Envoy):
    """Envoy with its adaptive concurrency filter."""

    name = "Envoy adaptive"
    is_adaptive = True


class Router(Subject):
    """A router of inference servers, with its default policy: it knows one engine, refuses nothing, and is told of no model."""

    is_router = True
    module: tuple[str, ...] = ()
    policy: str | None = None

    def command(self) -> list[str]:
        if not self.setting.routers:
            raise BenchError("there are no routers; leave them out with --subjects")
        policy = ["--policy", self.policy] if self.policy else []
        return [
            str(self.setting.routers), "-m", *self.module, "--host", "127.0.0.1", "--port", str(self.port),
            "--worker-urls", f"http://127.0.0.1:{self.setting.stream_port}", "--prometheus-port", str(free_port()),
            "--max-concurrent-requests", "20000", *policy]

    def started(self) -> None:
        super().started()
        # It listens before it has looked at its engine.
        deadline = time.monotonic() + 30
        while not clients_answer(self.port):
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} has no engine: {self.process.told()}")
            time.sleep(0.1)


class SGLangRouter(Router):
    """SGLang's."""

    name = "sglang-router"
    module = ("sglang_router.launch_router", "--log-level", "error")


class SGLangRoundRobin(SGLangRouter):
    """The same in turn, which costs least."""

    name = "sglang-router in turn"
    policy = "round_robin"


class VLLMRouter(Router):
    """vLLM's."""

    name = "vllm-router"
    module = ("vllm_router.launch_router", "--log-level", "error")


class VLLMRoundRobin(VLLMRouter):
    """The same in turn."""

    name = "vllm-router in turn"
    policy = "round_robin"


def clients_answer(port: int) -> bool:
    """Whether a chat request is answered with 200 on that port."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", b'{"model":"x","messages":[{"role":"user","content":"x"}]}',
        {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Relay(Subject):
    """The relay in C: the practical limit of a proxy with one write and one read a message.

    It knows one origin, which is the work's; 0 is for refusing everything.
    """

    name = "relay in C"

    def command(self) -> list[str]:
        origins = {"shed": 0, "stream": self.setting.stream_port, MANY_STREAMS: self.setting.stream_port}
        origin = origins.get(self.work, self.setting.origin_port)
        return [str(self.setting.directory / "relay"), str(self.port), str(origin)]


class Direct:
    """No proxy at all: the origin itself, for what a proxy adds."""

    name = "direct"

    def __init__(self, setting: Setting, work: str) -> None:
        self.setting = setting
        self.work = work
        self.details: dict[str, list[str]] = {}
        self.port = setting.origin_port

    def stop(self) -> None:
        """The origin is not stopped with it."""


# In the order in which they are shown, by the names that the command line knows.
SUBJECTS: dict[str, type[Subject]] = {
    "penstock": Penstock,
    "nginx": Nginx,
    "haproxy": HAProxy,
    "envoy": Envoy,
    "envoy-adaptive": AdaptiveEnvoy,
    "sglang-router": SGLangRouter,
    "sglang-router-in-turn": SGLangRoundRobin,
    "vllm-router": VLLMRouter,
    "vllm-router-in-turn": VLLMRoundRobin,
    "relay": Relay,
}


def nginx_command(directory: Path, name: str, http: str, connections: int = CONNECTIONS_MAX) -> list[str]:
    """Writes a configuration and returns the command that runs nginx with it."""
    configuration = directory / f"{name}.conf"
    # A worker of root's master would be `nobody`, who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(configurations.NGINX.substitute(
        directory=directory, name=name, user=user, http=http,
        connections=connections, descriptors=2 * CONNECTIONS_MAX))
    return ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(configuration)]
