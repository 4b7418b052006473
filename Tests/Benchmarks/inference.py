"""CPU time for what the gateway reads along: user and system time of one process, as the difference of what it does with
and without, in rounds that alternate. `inference` checks what this needs."""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from processes import BenchError, Process, cpu_seconds, free_port

PROMPT_BYTES = 200_000
REQUESTS = 300
EVENTS = (200_000, 1_200_000)
GOALS = {"routing": 60.0, "event": 1.0}

POLICY = """\
listen: 127.0.0.1:{port}
admin: off
threads: 1
log: {{access: off}}
pools:
  chat: {{backends: ["http://127.0.0.1:{origin}"], limit: 64}}
routes:
  - {{path: /*, pool: chat{models}}}
"""

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'


def read_message(connection: socket.socket, view: memoryview) -> bool:
    """Reads a head and the body that it announces; False at the end."""
    filled = 0
    while True:
        count = connection.recv_into(view[filled:])
        if count == 0:
            return False
        filled += count
        end = bytes(view[: min(filled, 4096)]).find(b"\r\n\r\n")
        if end >= 0:
            break
    for line in bytes(view[:end]).split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            left = end + 4 + int(value) - filled
            while left > 0:
                count = connection.recv_into(view[: min(left, len(view))])
                if count == 0:
                    return False
                left -= count
    return True


def serve(listener: socket.socket) -> None:
    """An origin that reads what it is sent and answers with two bytes."""

    def answer(connection: socket.socket) -> None:
        view = memoryview(bytearray(1 << 20))
        while read_message(connection, view):
            connection.sendall(ANSWER)

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def request() -> bytes:
    """Such as the OpenAI library sends: the model comes after the messages."""
    prompt = "Lorem ipsum dolor sit amet, " * (PROMPT_BYTES // 28)
    body = f'{{"messages":[{{"role":"user","content":"{prompt}"}}],"model":"llama"}}'.encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Forwarding:
    """A gateway that forwards prompts, by their model or as they are."""

    def __init__(self, origin: int, models: str, directory: Path) -> None:
        port = free_port()
        policy = directory / f"policy-{port}.yaml"
        policy.write_text(POLICY.format(port=port, origin=origin, models=models))
        core = min(os.sched_getaffinity(0))
        command = [os.environ["PENSTOCK"], "serve", "--policy", str(policy)]
        self.process = Process(command, core, directory / f"log-{port}")
        self.process.wait_for_port(port)
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.view = memoryview(bytearray(1 << 16))
        self.sent = request()

    def microseconds(self) -> float:
        """CPU time of the gateway for a request."""
        before = cpu_seconds(self.process.pid)
        for _ in range(REQUESTS):
            self.connection.sendall(self.sent)
            if not read_message(self.connection, self.view):
                raise BenchError("the gateway closed the connection")
        return (cpu_seconds(self.process.pid) - before) / REQUESTS * 1e6

    def stop(self) -> None:
        """Ends the gateway."""
        self.connection.close()
        self.process.stop()


def routing(rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds for a prompt that is forwarded, and what routing it by its model adds, round by round."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0)), min(os.sched_getaffinity(0))})
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="penstock-inference-") as name:
        origin = listener.getsockname()[1]
        started: list[Forwarding] = []
        try:
            for models in ("", ', models: ["*"]'):
                started.append(Forwarding(origin, models, Path(name)))
            for each in started:
                each.microseconds()
            pairs = [(started[0].microseconds(), started[1].microseconds()) for _ in range(rounds)]
        finally:
            for each in started:
                each.stop()
            listener.close()
    return [plain for plain, _ in pairs], [routed - plain for plain, routed in pairs]


def probe_seconds(step: str, count: int) -> float:
    """CPU time of a run of cost-probe."""
    child = subprocess.Popen([os.environ["COST_PROBE"], step, str(count)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise BenchError(f"cost-probe {step} failed")
    return usage.ru_utime + usage.ru_stime


def events(rounds: int) -> list[float]:
    """Microseconds for an event of vLLM's, round by round."""
    few, many = EVENTS
    return [
        (probe_seconds("read-event", many) - probe_seconds("read-event", few)) / (many - few) * 1e6
        for _ in range(rounds)
    ]


def told(what: str, values: list[float], goal: float | None = None) -> bool:
    """Prints a row, and answers whether its goal is reached."""
    median = statistics.median(values)
    row = f"{what:52} {median:8.2f} µs   {min(values):8.2f} to {max(values):8.2f}"
    print(row if goal is None else f"{row}   goal {goal:g}", flush=True)
    return goal is None or median <= goal


def main() -> int:
    """Measures and prints both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    try:
        plain, added = routing(rounds)
        read = events(rounds)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    told(f"a request of {PROMPT_BYTES // 1000} kB, forwarded", plain)
    reached = told("routing it by its model adds", added, GOALS["routing"])
    return 0 if told("reading an event of a stream, with its usage", read, GOALS["event"]) and reached else 1


if __name__ == "__main__":
    sys.exit(main())
