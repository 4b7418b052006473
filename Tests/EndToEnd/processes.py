"""The processes that the end-to-end tests start, and how each is watched and stopped.

Every process is stopped by its own id, listens on loopback only, and lets the kernel choose its port, so that
several runs of the tests can share a machine.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_SECONDS = 20.0


def eventually(condition: Callable[[], Any], what: str, seconds: float = 5.0) -> Any:
    """Waits until `condition` holds and returns its value; fails, saying `what`, when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen {value!r}")
        time.sleep(0.01)


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def request(
    url: str,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 20.0,
) -> Answer:
    """One request on a connection of its own. Header names of the answer are lower case."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


def post_json(url: str, path: str, value: Any, timeout: float = 20.0) -> Answer:
    """Posts `value` as JSON."""
    headers = {"Content-Type": "application/json"}
    return request(url, path, "POST", json.dumps(value).encode(), headers, timeout)


class Process:
    """A child process whose output is read all the time, so that it never blocks on a full pipe."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, descriptors: Sequence[int] = ()
    ) -> None:
        self._child = subprocess.Popen(
            command,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
            errors="replace",
        )
        self.output: list[str] = []
        self.errors: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self._child.stdout, self.output),
                (self._child.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._child.send_signal(number)

    def wait(self, seconds: float = 10.0) -> int:
        """Waits for the end and returns the exit status."""
        status = self._child.wait(seconds)
        for reader in self._readers:
            reader.join(1)
        return status

    def stop(self) -> None:
        """Ends the process, whatever state it is in."""
        if self.returncode is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(3)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
                self.wait()

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait_for_line(self, wanted: Callable[[str], Any], what: str) -> Any:
        """The first true value that `wanted` gives for a line of either stream."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {what} within {START_SECONDS:g} s: {self.written()}") from None
            if line is None:
                # One of the streams has ended; what the other one says may be still on its way.
                for reader in self._readers:
                    reader.join(1)
                raise AssertionError(f"ended without {what}: {self.written()}")
            if value := wanted(line):
                return value

    def written(self) -> str:
        """What the process has written, for the message of a failure."""
        return f"\nstdout: {''.join(self.output)[-4000:]}\nstderr: {''.join(self.errors)[-4000:]}"

    def open_descriptors(self) -> int:
        """How many file descriptors the process holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self) -> int:
        """The process's resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line)
            self._lines.put(line)
        self._lines.put(None)


class Engine(Process):
    """`inference_engine.py`."""

    def __init__(self, *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "inference_engine.py"), *options])
        self.url: str = self.wait_for_line(listening_address, "address of the engine")

    def stats(self) -> dict[str, Any]:
        """What the engine has counted."""
        return request(self.url, "/stats").json()


class EmbeddingServer(Process):
    """`embedding_server.py`, and what it says about itself."""

    def __init__(self, *options: str) -> None:
        # One thread for the linear algebra: one thing at a time, and the same sums in the same order.
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        super().__init__([sys.executable, str(HERE / "embedding_server.py"), *options], environment)
        self.url: str = self.wait_for_line(listening_address, "address of the embedding server")

    def stats(self) -> dict[str, Any]:
        """The server's counters; only for one that listens on TCP."""
        return request(self.url, "/stats").json()

    def reset(self) -> None:
        """Forgets what was counted before."""
        request(self.url, "/stats/reset", "POST")


def listening_address(line: str) -> str | None:
    """The address in the embedding server's first line."""
    return json.loads(line).get("listening") if line.startswith("{") else None


@dataclass(frozen=True)
class Sample:
    """One line of `/metrics`."""

    name: str
    labels: Mapping[str, str]
    value: float


SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text: str) -> list[Sample]:
    """The samples of Prometheus' text format."""
    samples = []
    for line in text.splitlines():
        if match := SAMPLE.match(line):
            labels = dict(LABEL.findall(match[2] or ""))
            samples.append(Sample(match[1], labels, float(match[3])))
    return samples


def with_threads(policy: str) -> str:
    """The policy with as many threads as $PENSTOCK_TEST_THREADS says, unless it says itself."""
    threads = os.environ.get("PENSTOCK_TEST_THREADS")
    if not threads or re.search(r"^threads:", policy, re.MULTILINE):
        return policy
    return policy.rstrip("\n") + f"\nthreads: {threads}\n"


class Gateway(Process):
    """`penstock serve` under a policy that the test wrote, with both listeners on ports of the kernel's.

    `before` is a command that runs the gateway's, such as `unshare --mount`, and `descriptors` are what it has beside.
    """

    def __init__(
        self,
        binary: Path,
        policy: str,
        directory: Path,
        *options: str,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.policy_file = directory / "policy.yaml"
        self.policy_file.write_text(with_threads(policy))
        command = [*before, str(binary), "serve", "--policy", str(self.policy_file), *options]
        super().__init__(command, environment, descriptors)
        try:
            self._addresses: dict[str, Any] = self.wait_for_line(listening_line, "line `listening`")
        except AssertionError:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where clients connect to: the first TCP address of `listen`."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """All TCP addresses of `listen`, in the policy's order."""
        addresses = self._addresses["addresses"]
        return [f"http://{address}" for address in addresses if not address.startswith("unix:")]

    @property
    def admin_url(self) -> str:
        """Where `/metrics` is."""
        return f"http://{self._addresses['admin']}"

    @property
    def threads(self) -> int:
        """Its reactors."""
        return int(self._addresses["threads"])

    def metrics(self) -> list[Sample]:
        """Everything in `/metrics`."""
        return parse_metrics(request(self.admin_url, "/metrics").body.decode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples called `name` that have these labels."""
        return sum(
            sample.value
            for sample in self.metrics()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def status(self) -> dict[str, Any]:
        """The JSON of `/status`."""
        return request(self.admin_url, "/status").json()

    def wait_until_idle(self, seconds: float = 5.0) -> None:
        """Waits until no request is in flight or queued: what must hold when all clients have ended."""
        for name in ("penstock_inflight", "penstock_queue_requests"):
            eventually(lambda: self.metric(name) == 0, f"{name} back to 0", seconds)

    def reload(self, policy: str) -> None:
        """Writes another policy and asks for it with SIGHUP."""
        self.policy_file.write_text(with_threads(policy))
        self.signal(signal.SIGHUP)

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The operational log's lines with this message."""
        return [line for line in map(parse_log_line, self.errors) if line.get("message") == message]

    def told(self, message: str, count: int = 1) -> list[dict[str, Any]]:
        """The same, when there are `count` at least: the log is behind what else can be seen."""
        eventually(lambda: len(self.logged(message)) >= count, f"{message}, {count} times")
        return self.logged(message)


def parse_log_line(line: str) -> dict[str, Any]:
    """A line of the operational log; empty for anything that is not JSON."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def listening_line(line: str) -> dict[str, Any] | None:
    """The log line that names the gateway's real addresses."""
    value = parse_log_line(line)
    return value if value.get("message") == "listening" else None


def one_pool(
    *backends: str,
    limit: int = 1,
    max_requests: int = 8,
    max_wait: str = "2s",
    listen: str = "127.0.0.1:0",
    cancel: str = "auto",
    extra: str = "",
) -> str:
    """A policy with one pool, whose engines do what `cancel` says when a client leaves.

    `extra` is further YAML at the top level.
    """
    return f"""\
version: 1
listen: {listen}
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  chat:
    backends: [{", ".join(backends)}]
    limit: {{algorithm: fixed, limit: {limit}}}
    queue: {{max_requests: {max_requests}, max_wait: {max_wait}}}
    cancel: {cancel}
routes: [{{path: /*, pool: chat}}]
{extra}"""
