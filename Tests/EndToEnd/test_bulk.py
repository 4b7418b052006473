"""The bulk lane: lines in, lines out, by clients as people have them."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import HERE, Gateway, Process, eventually, listening_address, request

POLICY = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{to: stderr, access: {{to: stderr}}}}
server: {{drain_timeout: 20s{server}}}
pools:
  embed:
    backends: [{url}]
    limit: {limit}
    priority: {{classes: [people, bulk], default: people}}
    queue: {{max_requests: 1000, max_wait: 60s}}
    timeouts: {{first_byte: 60s}}
{pool}
routes: [{{path: /v1/*, pool: embed}}]
bulk: {{class: bulk{bulk}}}
"""


class BulkServer(Process):
    """`bulk_server.py`."""

    def __init__(self, *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "bulk_server.py"), *options])
        self.url: str = self.wait_for_line(listening_address, "address of the server")

    def stats(self) -> dict[str, int]:
        """What it has counted."""
        return request(self.url, "/stats").json()


@pytest.fixture
def backend() -> Iterator[BulkServer]:
    """Sixteen places, no time."""
    started = BulkServer()
    yield started
    started.stop()


def policy(url: str, limit: int = 16, pool: str = "", bulk: str = "", server: str = "") -> str:
    """A policy with the lane."""
    return POLICY.format(url=url, limit=limit, pool=pool, bulk=bulk, server=server)


def batch_line(index: int, **body: Any) -> bytes:
    """A line of OpenAI's form."""
    wanted = {"model": "m", "input": f"text {index}", **body}
    line = {"custom_id": f"r{index}", "method": "POST", "url": "/v1/embeddings", "body": wanted}
    return json.dumps(line).encode() + b"\n"


def lines_of(body: bytes) -> list[Any]:
    """The lines of an answer, without blank ones."""
    return [json.loads(line) for line in body.split(b"\n") if line.strip()]


class Duplex:
    """A client that reads while it sends."""

    def __init__(self, url: str, path: str = "/bulk", fields: str = "") -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: gw\r\n{fields}Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        self.response = http.client.HTTPResponse(self.socket, method="POST")
        self.response.begin()

    def send(self, data: bytes) -> None:
        """Sends a chunk."""
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Sends the last chunk."""
        self.socket.sendall(b"0\r\n\r\n")

    def answer(self) -> Any:
        """The next line that is not blank."""
        while True:
            line = self.response.readline()
            assert line, "the answer has ended"
            if line.strip():
                return json.loads(line)

    def close(self) -> None:
        """Leaves."""
        self.response.close()
        self.socket.close()


def exchange(url: str, lines: Iterable[bytes], path: str = "/bulk", fields: str = "") -> list[Any]:
    """Sends lines and reads what comes meanwhile."""
    client = Duplex(url, path, fields)

    def send() -> None:
        for line in lines:
            client.send(line)
        client.end()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    body = client.response.read()
    thread.join(10)
    client.close()
    return lines_of(body)


def check_whole(answers: list[Any], count: int, first: int = 0) -> None:
    """Every line has one answer, and the numbers agree."""
    *results, end = answers
    assert sorted(result["index"] for result in results) == list(range(first, first + count))
    assert end["object"] == "bulk.end" and end["total"] == count
    assert end["completed"] + end["failed"] == count
    assert end["done_below"] == first + count and "code" not in end
    done: set[int] = set()
    seen = first
    for result in results:
        done.add(result["index"])
        assert all(index in done for index in range(seen, result["done_below"]))
        seen = max(seen, result["done_below"])


def test_lines_are_answered(backend: BulkServer, gateway: StartGateway) -> None:
    """Each line by a line, whatever it is, and a last one that counts them."""
    through = gateway(policy(backend.url))
    lines = [batch_line(index) for index in range(500)]
    lines[7] = b"no JSON\r\n"
    lines[8] = b"\n \r\n" + batch_line(8, stream=True)
    lines[9] = batch_line(9, fail={"status": 400})
    answers = exchange(through.url, lines)
    check_whole(answers, 500)
    by_index = {answer["index"]: answer for answer in answers[:-1]}
    assert by_index[3]["custom_id"] == "r3" and by_index[3]["error"] is None
    assert by_index[3]["response"]["status_code"] == 200
    assert by_index[3]["response"]["body"]["echo"] == "text 3"
    assert by_index[3]["response"]["request_id"] and by_index[3]["id"].startswith("batch_req_")
    assert by_index[7]["error"]["code"] == "invalid_json" and by_index[7]["response"] is None
    assert by_index[8]["error"]["code"] == "stream_not_supported"
    assert by_index[9]["response"]["status_code"] == 400
    assert (answers[-1]["completed"], answers[-1]["failed"]) == (497, 3)
    assert backend.stats()["most"] <= 16
    assert through.metric("penstock_bulk_lines_total", result="completed") == 497
    assert through.metric("penstock_bulk_lines_total", result="failed") == 3


def test_head_comes_before_any_line(backend: BulkServer, gateway: StartGateway) -> None:
    """Nothing was sent, and the client knows already that it is served; the first answer comes before the second line."""
    through = gateway(policy(backend.url))
    client = Duplex(through.url)
    assert client.response.status == 200
    assert client.response.headers["content-type"] == "application/x-ndjson"
    assert client.response.headers["incremental"] == "?1"
    assert client.response.headers["x-accel-buffering"] == "no"
    client.send(batch_line(0))
    assert client.answer()["index"] == 0
    # Cut anywhere.
    line = batch_line(1)
    client.send(line[:20])
    time.sleep(0.1)
    client.send(line[20:])
    assert client.answer()["index"] == 1
    client.end()
    assert client.answer() == {
        "object": "bulk.end",
        "total": 2,
        "completed": 2,
        "failed": 0,
        "done_below": 2,
    }
    client.close()


def test_the_status_names_bulk_requests(
    penstock: Path, backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """Whose they are, and how far they are; once they have ended, nothing."""
    control = tmp_path / "ctl.sock"
    through = gateway(policy(backend.url) + f"control: unix:{control}\n")
    assert through.status()["bulk"] == []
    client = Duplex(through.url, fields="X-Request-ID: tonight\r\n")
    client.send(b"".join([batch_line(0), b"nonsense\n", batch_line(2)]))
    for _ in range(3):
        client.answer()
    (shown,) = through.status()["bulk"]
    assert shown["client"] == "127.0.0.1" and shown["request_id"] == "tonight"
    assert shown["since"].startswith("20")
    assert shown["lines"] == {"read": 3, "completed": 2, "failed": 1}
    words = [str(penstock), "ctl", "status", "--socket", str(control)]
    table = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    row = next(line.split() for line in table.splitlines() if line.startswith("127.0.0.1"))
    assert row[:2] == ["127.0.0.1", "tonight"] and row[3:] == ["3", "2", "1"]
    client.end()
    client.response.read()
    assert through.status()["bulk"] == []
    client.close()


def test_paths_without_a_route(backend: BulkServer, gateway: StartGateway) -> None:
    """What holds for all lines is said once, before any; what a line says itself, in its answer."""
    through = gateway(policy(backend.url))
    assert request(through.url, "/bulk/v2/embeddings", "POST", b"{}\n").status == 404
    elsewhere = json.dumps({"url": "/v2/embeddings", "body": {}}).encode() + b"\n"
    answers = exchange(through.url, [elsewhere, batch_line(1)])
    check_whole(answers, 2)
    statuses = {answer["index"]: answer["response"]["status_code"] for answer in answers[:-1]}
    assert statuses == {0: 404, 1: 200}


def test_bodies_alone_and_resume(backend: BulkServer, gateway: StartGateway) -> None:
    """A path says what lines are for, and `from` which index the first has."""
    through = gateway(policy(backend.url))
    lines = [json.dumps({"model": "m", "input": f"t{index}"}).encode() + b"\n" for index in range(20)]
    answers = exchange(through.url, lines, "/bulk/v1/embeddings?from=1000&order=input")
    check_whole(answers, 20, first=1000)
    assert [answer["index"] for answer in answers[:-1]] == list(range(1000, 1020))
    assert [answer["response"]["body"]["echo"] for answer in answers[:-1]] == [f"t{n}" for n in range(20)]
    assert answers[0]["custom_id"] == "1000"


def test_no_lines_are_answered_by_an_end(backend: BulkServer, gateway: StartGateway) -> None:
    """Nothing was asked, and that is what the answer says."""
    through = gateway(policy(backend.url))
    assert exchange(through.url, []) == [
        {"object": "bulk.end", "total": 0, "completed": 0, "failed": 0, "done_below": 0}
    ]


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("GET", "/bulk", {}, 404),
        ("POST", "/bulky", {}, 404),
        ("POST", "/bulk?from=x", {}, 400),
        ("POST", "/bulk?sort=input", {}, 400),
        ("POST", "/bulk/a%2Fb", {}, 400),
        ("POST", "/bulk", {"Content-Encoding": "gzip"}, 415),
    ],
)
def test_others_are_refused_before_any_line(
    backend: BulkServer,
    gateway: StartGateway,
    method: str,
    path: str,
    fields: dict[str, str],
    status: int,
) -> None:
    """With a status, as any request."""
    through = gateway(policy(backend.url))
    assert request(through.url, path, method, b"", fields).status == status


def test_order_is_that_of_the_lines(backend: BulkServer, gateway: StartGateway) -> None:
    """A slow first line holds the others back, and no more of them are begun than may wait."""
    through = gateway(policy(backend.url))
    lines = [batch_line(0, seconds=1), *(batch_line(index) for index in range(1, 2000))]
    answers = exchange(through.url, lines, "/bulk?order=input")
    check_whole(answers, 2000)
    assert [answer["index"] for answer in answers[:-1]] == list(range(2000))


def test_lines_that_end_at_once_are_whole(gateway: StartGateway) -> None:
    """Five hundred requests of two bulk requests end together; every line is one JSON text."""
    crowd = BulkServer("--slots", "500", "--milliseconds", "700")
    try:
        through = gateway(policy(crowd.url, limit=600))
        answers: dict[int, list[Any]] = {}

        def run(number: int) -> None:
            lines = (batch_line(index, bytes=3000) for index in range(2000))
            answers[number] = exchange(through.url, lines)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        for number in range(2):
            check_whole(answers[number], 2000)
        assert crowd.stats()["most"] > 400
    finally:
        crowd.stop()


def test_lines_are_tried_again(backend: BulkServer, gateway: StartGateway) -> None:
    """What fails for a while is tried three times; what would fail again is not."""
    through = gateway(policy(backend.url))
    twice = {"status": 503, "times": 2, "fields": "Retry-After: 0\r\n"}
    always = {"status": 429, "fields": "Retry-After: 0\r\n"}
    answers = exchange(
        through.url, [batch_line(0, fail=twice), batch_line(1, fail=always), batch_line(2, fail={"status": 404})]
    )
    check_whole(answers, 3)
    statuses = {answer["index"]: answer["response"]["status_code"] for answer in answers[:-1]}
    assert statuses == {0: 200, 1: 429, 2: 404}


def test_lines_are_the_clients_own(
    backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """Keys, tenants and fields are those of the bulk request; without a key nothing is read."""
    keys = tmp_path / "who.keys"
    made = subprocess.run(
        [shutil.which("sha256sum") or "sha256sum"], input=b"penstock-secret", capture_output=True, check=True
    )
    keys.write_text(f"acme sha256:{made.stdout.split()[0].decode()}\n")
    keys.chmod(0o600)
    through = gateway(policy(backend.url, pool=f"    tenant: {{keys: {{file: {keys}, pass_on: true}}}}"))
    assert request(through.url, "/bulk", "POST", batch_line(0)).status == 401
    fields = "Authorization: Bearer penstock-secret\r\nX-Trace: 7\r\n"
    answers = exchange(through.url, [batch_line(0, tell=True)], fields=fields)
    head = answers[0]["response"]["body"]["head"]
    assert head.startswith("POST /v1/embeddings HTTP/1.1\r\n")
    assert "X-Trace: 7" in head and "Transfer-Encoding" not in head
    assert through.metric("penstock_tenant_requests_total", tenant="acme") in (0, 1)


def test_a_bulk_request_asks_for_none(backend: BulkServer, gateway: StartGateway) -> None:
    """Lines cannot be for the lane itself."""
    through = gateway(policy(backend.url))
    lines = [
        json.dumps({"url": url, "body": {}}).encode() + b"\n" for url in ("/bulk", "/bulk/v1/embeddings", "/bulk?x")
    ]
    answers = exchange(through.url, [*lines, b'{"url":"/elsewhere","body":{}}'])
    check_whole(answers, 4)
    by_index = {answer["index"]: answer for answer in answers[:-1]}
    assert [by_index[index]["error"]["code"] for index in range(3)] == ["invalid_url"] * 3
    assert by_index[3]["response"]["status_code"] == 404


def test_long_lines_and_long_answers_fail_alone(backend: BulkServer, gateway: StartGateway) -> None:
    """Each has a bound, and what comes behind is served."""
    through = gateway(policy(backend.url, bulk=", max_line: 4KiB, max_answer: 8KiB"))
    lines = [batch_line(0), batch_line(1, filling="y" * 5000), batch_line(2, bytes=9000), batch_line(3)]
    answers = exchange(through.url, lines)
    check_whole(answers, 4)
    by_index = {answer["index"]: answer for answer in answers[:-1]}
    assert by_index[1]["error"]["code"] == "line_too_large"
    assert by_index[2]["error"]["code"] == "answer_too_large"
    assert by_index[3]["response"]["status_code"] == 200


def test_nothing_is_read_that_cannot_be_asked(gateway: StartGateway) -> None:
    """The gateway reads a few lines more than are worked on; the producer's own window stops it."""
    slow = BulkServer("--slots", "2", "--milliseconds", "200")
    try:
        through = gateway(policy(slow.url, limit=2))
        before = through.resident_bytes()
        client = Duplex(through.url)
        client.socket.settimeout(1.0)
        sent = 0
        line = batch_line(0, filling="z" * 8000)
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                client.send(line * 16)
                sent += len(line) * 16
        assert sent < 32 << 20
        assert through.resident_bytes() - before < 16 << 20
        # Its lines go with it.
        client.close()
        eventually(lambda: through.metric("penstock_inflight") == 0, "nothing in flight")
        through.wait_until_idle()
    finally:
        slow.stop()


@pytest.mark.timed
def test_half_duplex_clients_are_told(backend: BulkServer, gateway: StartGateway) -> None:
    """A client that sends everything before it reads is found out, and its answer says from where to go on."""
    through = gateway(policy(backend.url, bulk=", stall: 2s"))
    address = urlsplit(through.url)
    # More of either than sockets have room for.
    lines = 20_000
    body = b"".join(batch_line(index, bytes=2000, filling="y" * 1500) for index in range(lines))
    client = http.client.HTTPConnection(address.netloc, timeout=50)
    began = time.monotonic()
    client.request("POST", "/bulk", body, {"Content-Type": "application/x-ndjson"})
    assert time.monotonic() - began < 15
    answers = lines_of(client.getresponse().read())
    client.close()
    *results, end = answers
    assert end["object"] == "bulk.end" and end["code"] == "bulk_half_duplex"
    assert 0 < end["done_below"] < lines
    done = {result["index"] for result in results}
    assert all(index in done for index in range(end["done_below"]))
    assert any(line.get("reason") == "bulk_half_duplex" for line in logged(through))
    # It goes on from there, with less at once.
    again = exchange(
        through.url,
        (batch_line(index) for index in range(end["done_below"], lines)),
        f"/bulk?from={end['done_below']}",
    )
    check_whole(again, lines - end["done_below"], first=end["done_below"])


def logged(through: Gateway) -> list[dict[str, Any]]:
    """The access log."""
    found = []
    for line in through.errors:
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


@pytest.mark.timed
def test_a_slow_reader_gets_everything(backend: BulkServer, gateway: StartGateway) -> None:
    """Who reads slowly, but reads, is waited for."""
    through = gateway(policy(backend.url, bulk=", stall: 1s"))
    client = Duplex(through.url)

    def send() -> None:
        for index in range(3000):
            client.send(batch_line(index, bytes=4000))
        client.end()

    threading.Thread(target=send, daemon=True).start()
    body = b""
    while piece := client.response.read(400_000):
        body += piece
        time.sleep(0.1)
    check_whole(lines_of(body), 3000)
    client.close()


def test_a_gateway_that_ends_says_so(gateway: StartGateway) -> None:
    """It reads no more, answers what it has, and says from where to go on."""
    slow = BulkServer("--slots", "4", "--milliseconds", "300")
    try:
        through = gateway(policy(slow.url, limit=4))
        client = Duplex(through.url)
        for index in range(40):
            client.send(batch_line(index))
        first = client.answer()
        assert first["response"]["status_code"] == 200
        through.signal(signal.SIGTERM)
        answers = lines_of(client.response.read())
        end = answers[-1]
        assert end["object"] == "bulk.end" and end["code"] == "draining"
        assert end["total"] == len(answers) < 40
        assert end["completed"] == end["total"] == end["done_below"]
        client.close()
        assert through.wait(15) == 0
    finally:
        slow.stop()


def test_curl_does_both_at_once(
    backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """`curl -N -T -`, which reads while it sends."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    through = gateway(policy(backend.url))
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(batch_line(index, bytes=2000) for index in range(5000)))
    with lines.open("rb") as source:
        done = subprocess.run(
            [curl, "-sN", "-T", "-", "-X", "POST", f"{through.url}/bulk"],
            stdin=source,
            capture_output=True,
            timeout=50,
            check=True,
        )
    check_whole(lines_of(done.stdout), 5000)


class Command:
    """`penstock bulk` with its files."""

    def __init__(self, penstock: Path, folder: Path, url: str, count: int, *options: str, **body: Any) -> None:
        self.count = count
        self.output = folder / "out.jsonl"
        self.words = [str(penstock), "bulk", "--in", str(folder / "in.jsonl"), "--out", str(self.output)]
        self.words += [*options, url]
        with (folder / "in.jsonl").open("wb") as file:
            for index in range(count):
                file.write(batch_line(index, **body))

    def run(self) -> subprocess.CompletedProcess[str]:
        """Runs it to its end."""
        return subprocess.run(self.words, capture_output=True, text=True, timeout=55, check=False)

    def results(self) -> list[Any]:
        """What stands in the file of answers."""
        return lines_of(self.output.read_bytes())

    def check(self) -> None:
        """Every line has one answer."""
        assert sorted(result["index"] for result in self.results()) == list(range(self.count))


def test_command_answers_a_file(
    penstock: Path, backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """And a second run finds nothing to do."""
    through = gateway(policy(backend.url))
    command = Command(penstock, tmp_path, f"{through.url}/bulk", 3000)
    done = command.run()
    assert done.returncode == 0, done.stderr
    assert "3000 completed, 0 failed" in done.stdout
    command.check()
    before = backend.stats()["requests"]
    again = command.run()
    assert again.returncode == 0 and backend.stats()["requests"] == before
    command.check()


def test_command_keeps_the_order(
    penstock: Path, backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """Where it is asked to."""
    through = gateway(policy(backend.url))
    command = Command(penstock, tmp_path, f"{through.url}/bulk", 1000, "--order", "input")
    assert command.run().returncode == 0
    assert [result["index"] for result in command.results()] == list(range(1000))


@pytest.mark.timed
def test_command_goes_on_after_a_kill(
    penstock: Path, gateway: StartGateway, tmp_path: Path
) -> None:
    """Killed again and again, it answers every line once; few are asked twice."""
    slow = BulkServer("--slots", "16", "--milliseconds", "5")
    try:
        through = gateway(policy(slow.url))
        command = Command(penstock, tmp_path, f"{through.url}/bulk", 10_000)
        kills = 0
        while True:
            child = subprocess.Popen(command.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                child.communicate(timeout=0.7 if kills < 5 else 40)
                break
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.communicate()
                kills += 1
        assert child.returncode == 0 and kills >= 2
        command.check()
        assert slow.stats()["requests"] <= 10_000 + kills * 600
    finally:
        slow.stop()


@pytest.mark.timed
def test_command_outlives_its_gateway(
    penstock: Path, gateway: StartGateway, tmp_path: Path
) -> None:
    """The gateway is killed, and another one at its address goes on."""
    slow = BulkServer("--slots", "16", "--milliseconds", "5")
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        text = policy(slow.url).replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{port}")
        first = gateway(text)
        command = Command(penstock, tmp_path, f"http://127.0.0.1:{port}/bulk", 5000)
        child = subprocess.Popen(command.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        eventually(lambda: command.output.exists() and command.output.stat().st_size > 100_000, "answers")
        first.kill()
        time.sleep(0.5)
        gateway(text)
        _, errors = child.communicate(timeout=45)
        assert child.returncode == 0, errors
        assert b"trying again" in errors
        command.check()
    finally:
        slow.stop()


def test_command_says_what_is_wrong(
    penstock: Path, backend: BulkServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """A URL without a lane, a file that has other things, lines that failed."""
    through = gateway(policy(backend.url))
    wrong = Command(penstock, tmp_path, f"{through.url}/elsewhere", 3)
    done = wrong.run()
    assert done.returncode == 1 and "404" in done.stderr
    wrong.output.write_text("something else\n")
    done = wrong.run()
    assert done.returncode == 1 and "name another file" in done.stderr
    assert wrong.output.read_text() == "something else\n"
    wrong.output.unlink()
    failing = Command(penstock, tmp_path, f"{through.url}/bulk", 3, fail={"status": 400})
    done = failing.run()
    assert done.returncode == 1 and "3 failed" in done.stdout


def resident_bytes(pid: int) -> int:
    """What a process has in memory; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    sizes = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) * 1024 if sizes else 0


@pytest.mark.long
@pytest.mark.limit(1800)
def test_a_million_embeddings(penstock: Path, gateway: StartGateway, tmp_path: Path) -> None:
    """Neither the gateway's memory nor the command's grows with the lines, and every one is answered once."""
    backend = BulkServer("--slots", "64")
    try:
        through = gateway(policy(backend.url, limit=32))
        warm = Command(penstock, tmp_path, f"{through.url}/bulk", 20_000)
        assert warm.run().returncode == 0
        warm.output.unlink()
        before = through.resident_bytes()
        command = Command(penstock, tmp_path, f"{through.url}/bulk", 1_000_000)
        began = time.monotonic()
        child = subprocess.Popen(command.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        most = before
        sizes: list[int] = []
        while child.poll() is None:
            time.sleep(1)
            most = max(most, through.resident_bytes())
            if size := resident_bytes(child.pid):
                sizes.append(size)
        took = time.monotonic() - began
        assert child.returncode == 0, child.stderr.read() if child.stderr else b""
        grown = max(sizes) - sizes[0]
        print(f"{1_000_000 / took:.0f} lines a second, the gateway grew by {most - before} bytes, the command by {grown}")
        assert most - before < 16 << 20
        assert grown < 16 << 20
        seen = bytearray(1_000_000)
        with command.output.open("rb") as file:
            for line in file:
                seen[json.loads(line)["index"]] += 1
        assert set(seen) == {1}
    finally:
        backend.stop()
