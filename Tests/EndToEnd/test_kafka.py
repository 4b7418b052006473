"""Topics of Kafka: messages in, results out, on a broker of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import StartGateway
from kafka_broker import Broker, Results, library_folder
from processes import Gateway, eventually, request
from test_bulk import BulkServer

POLICY = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{to: stderr, access: {{to: off}}}}
server: {{drain_timeout: 10s}}
pools:
  embed:
    backends: [{url}]
    limit: {limit}
    priority: {{classes: [people, {{name: bulk, slack: true}}], default: people}}
    queue: {{max_requests: 1000, max_wait: 60s}}
routes: [{{path: /v1/*, pool: embed}}]
topics:
  - name: questions
    brokers: ["{broker}"]
    topic: asked
    group: gateways
    results: answered
    class: bulk
    properties: {{session.timeout.ms: "{session}", heartbeat.interval.ms: "500"{properties}}}
{topic}
"""


@pytest.fixture
def backend() -> Iterator[BulkServer]:
    """Sixteen places, 20 ms."""
    started = BulkServer("--milliseconds", "20")
    yield started
    started.stop()


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker with the topics."""
    started = Broker()
    started.make("asked", "answered", "asked.dead")
    yield started
    started.stop()


@pytest.fixture
def begin(
    gateway: StartGateway, backend: BulkServer, broker: Broker, tmp_path: Path
) -> Any:
    """Starts gateways that read the topic."""
    folder = library_folder(tmp_path)

    def start(
        topic: str = "", limit: int = 16, session: int = 3000, properties: str = "", without_topics: bool = False
    ) -> Gateway:
        policy = POLICY.format(
            url=backend.url, broker=broker.address, limit=limit, topic=topic, session=session,
            properties=properties,
        )
        setattr(start, "policy", policy)
        if without_topics:
            policy = policy[: policy.index("topics:")]
        return gateway(policy, environment={"LD_LIBRARY_PATH": str(folder)})

    return start


def line(index: int, **body: Any) -> bytes:
    """A message's value."""
    wanted = {"model": "m", "input": f"text {index}", **body}
    return json.dumps(
        {"custom_id": f"r{index}", "method": "POST", "url": "/v1/embeddings", "body": wanted}
    ).encode()


def messages(first: int, count: int, **body: Any) -> list[tuple[int, bytes | None, bytes]]:
    """Messages in four partitions."""
    return [(index % 4, b"k%d" % (index % 7), line(index, **body)) for index in range(first, first + count)]


def names(results: list[Any]) -> Counter[str]:
    """How many results there are of each message."""
    return Counter(result["custom_id"] for result in results)


def cpu_seconds(gateway: Gateway) -> float:
    """What the process has used of the processor."""
    fields = Path(f"/proc/{gateway.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def all_committed(broker: Broker) -> None:
    """The group goes on behind the last message."""
    ends = broker.ends("asked")
    eventually(lambda: broker.committed("asked", "gateways") == ends, "everything committed", 20)


def test_every_message_has_one_result(begin: Any, broker: Broker) -> None:
    gateway = begin()
    broker.write("asked", messages(0, 400))
    results = Results(broker, "answered")
    found = results.wait(400)
    results.read(1)
    assert names(results.values()) == {f"r{index}": 1 for index in range(400)}
    for result in found:
        number = result["custom_id"][1:]
        assert result["error"] is None and result["response"]["status_code"] == 200
        assert result["response"]["body"]["echo"] == f"text {number}"
    for message in results.messages:
        fields = dict(message.headers())
        number = int(json.loads(message.value())["custom_id"][1:])
        assert int(fields["penstock-partition"]) == number % 4
        assert message.key() == b"k%d" % (number % 7)
    all_committed(broker)
    # They are written in their messages' order.
    last: dict[tuple[bytes, int], int] = {}
    for message in results.messages:
        fields = dict(message.headers())
        place = (fields["penstock-partition"], message.partition())
        assert int(fields["penstock-offset"]) > last.get(place, -1)
        last[place] = int(fields["penstock-offset"])
    results.close()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(15) == 0


def test_faults_are_results_and_failures_are_dead_letters(begin: Any, broker: Broker) -> None:
    gateway = begin()
    poison = [
        (0, b"a", b"no JSON"),
        (0, None, line(1, stream=True)),
        (1, b"b", line(2).replace(b"/v1/", b"/v2/")),
        (2, b"c", line(3, fail={"status": 400})),
        (3, b"d", line(4, fail={"status": 500, "times": 1})),
        (3, b"e", line(5, fail={"status": 503})),
    ]
    broker.write("asked", poison)
    broker.write("asked", messages(10, 40))
    results = Results(broker, "answered")
    found = {result["custom_id"]: result for result in results.wait(45)}
    assert found["0"]["error"]["code"] == "invalid_json" and found["0"]["response"] is None
    assert found["r1"]["error"]["code"] == "stream_not_supported"
    assert found["r2"]["response"]["status_code"] == 404
    assert found["r3"]["response"]["status_code"] == 400
    # What failed once may end better, what failed three times goes to where somebody looks at it.
    assert found["r4"]["response"]["status_code"] == 500
    dead = Results(broker, "asked.dead")
    dead.wait(1)
    [message] = dead.messages
    assert (message.key(), message.value()) == (b"e", line(5, fail={"status": 503}))
    fields = dict(message.headers())
    assert fields["penstock-reason"] == b"status_503" and fields["penstock-partition"] == b"3"
    all_committed(broker)
    assert gateway.metric("penstock_source_messages_total", result="completed") == 40
    assert gateway.metric("penstock_source_messages_total", result="failed") == 5
    assert gateway.metric("penstock_source_messages_total", result="dead") == 1
    results.close()
    dead.close()


def test_lag_is_the_brokers(begin: Any, broker: Broker, backend: BulkServer) -> None:
    gateway = begin(limit=1)
    broker.write("asked", messages(0, 8))
    results = Results(broker, "answered")
    results.wait(8)
    broker.write("asked", messages(100, 60, seconds=0.2))

    def lag() -> list[int]:
        return [int(gateway.metric("penstock_source_lag", partition=str(number))) for number in range(4)]

    def agrees() -> bool:
        shown = lag()
        committed, ends = broker.committed("asked", "gateways"), broker.ends("asked")
        real = [end - place for end, place in zip(ends, committed, strict=True)]
        return sum(real) > 20 and shown == real

    eventually(agrees, "the lag that the broker has", 20)
    results.wait(68)
    eventually(lambda: lag() == [0, 0, 0, 0], "no lag", 20)
    results.close()


@pytest.mark.timed
def test_a_long_pause_keeps_the_group(begin: Any, broker: Broker, backend: BulkServer) -> None:
    gateway = begin(limit=2, properties=', max.poll.interval.ms: "4000"')
    broker.write("asked", messages(0, 4))
    results = Results(broker, "answered")
    results.wait(4)
    joined = gateway.metric("penstock_source_rebalances_total")
    body = json.dumps({"model": "m", "input": "people", "seconds": 14}).encode()
    people = [
        threading.Thread(target=request, args=(gateway.url, "/v1/embeddings", "POST", body), daemon=True)
        for _ in range(2)
    ]
    for person in people:
        person.start()
    eventually(lambda: gateway.metric("penstock_inflight") == 2, "people have all places")
    broker.write("asked", messages(4, 100))
    eventually(lambda: gateway.metric("penstock_source_paused") == 1, "a pause", 10)
    for person in people:
        person.join()
    results.wait(104)
    results.read(1)
    assert names(results.values()) == {f"r{index}": 1 for index in range(104)}
    assert gateway.metric("penstock_source_rebalances_total") == joined
    results.close()


@pytest.mark.timed
def test_what_is_under_way_is_finished_before_the_end(begin: Any, broker: Broker) -> None:
    first = begin(limit=4)
    broker.write("asked", messages(0, 60, seconds=0.2))
    results = Results(broker, "answered")
    results.wait(8)
    first.signal(signal.SIGTERM)
    assert first.wait(20) == 0
    committed = broker.committed("asked", "gateways")
    results.read(1)
    done = len(results.messages)
    assert done < 60 and sum(committed) == done
    begin(limit=16)
    results.wait(60)
    results.read(1)
    assert names(results.values()) == {f"r{index}": 1 for index in range(60)}
    all_committed(broker)
    results.close()


@pytest.mark.timed
@pytest.mark.limit(120)
def test_another_gateway_takes_over(begin: Any, broker: Broker) -> None:
    first = begin(limit=4)
    broker.write("asked", messages(0, 200, seconds=0.05))
    results = Results(broker, "answered")
    results.wait(40)
    begin(limit=4)
    first.kill()
    results.wait(200, 60)
    all_committed(broker)
    results.read(1)
    counts = names(results.values())
    assert set(counts) == {f"r{index}" for index in range(200)}
    # Between a result and where the group goes on there is a moment.
    assert sum(counts.values()) <= 200 + 64
    results.close()


@pytest.mark.timed
@pytest.mark.limit(180)
def test_one_of_three_gateways_is_killed(begin: Any, broker: Broker) -> None:
    gateways = [begin(limit=4) for _ in range(3)]

    def all_have_some() -> bool:
        counts = [gateway.metric("penstock_source_partitions") for gateway in gateways]
        return sum(counts) == 4 and min(counts) > 0

    eventually(all_have_some, "partitions for all", 60)
    broker.write("asked", messages(0, 600, seconds=0.05))
    results = Results(broker, "answered")
    results.wait(100)
    gateways[1].kill()
    results.wait(600, 90)
    all_committed(broker)
    results.read(1)
    counts = names(results.values())
    assert set(counts) == {f"r{index}" for index in range(600)}
    assert sum(counts.values()) <= 600 + 64
    results.close()


@pytest.mark.timed
@pytest.mark.limit(120)
def test_brokers_that_are_away_are_waited_for(begin: Any, broker: Broker) -> None:
    gateway = begin()
    broker.write("asked", messages(0, 40))
    results = Results(broker, "answered")
    results.wait(40)
    results.close()
    eventually(lambda: gateway.metric("penstock_source_up") == 1, "brokers that answer")
    broker.process.kill()
    eventually(lambda: gateway.metric("penstock_source_up") == 0, "brokers that are away", 20)
    before = cpu_seconds(gateway)
    time.sleep(3)
    assert cpu_seconds(gateway) - before < 0.6
    # Everybody else is served all the while.
    body = json.dumps({"model": "m", "input": "a"}).encode()
    assert request(gateway.url, "/v1/embeddings", "POST", body).status == 200
    assert len(gateway.logged("topic fault")) <= 2
    # It comes again with nothing in it, not even the group.
    broker.begin()
    broker.make("asked", "answered", "asked.dead")
    broker.write("asked", messages(100, 40))
    results = Results(broker, "answered")
    results.wait(40, 60)
    results.read(1)
    assert names(results.values()) == {f"r{index}": 1 for index in range(100, 140)}
    assert gateway.metric("penstock_source_up") == 1
    results.close()


def test_reloads_begin_and_end_topics(begin: Any, broker: Broker) -> None:
    broker.make("elsewhere")
    gateway = begin()
    policy = gateway.policy_file.read_text()
    broker.write("asked", messages(0, 20))
    results = Results(broker, "answered")
    results.wait(20)
    gateway.reload(policy.replace("results: answered", "results: elsewhere"))
    gateway.told("policy reloaded")
    broker.write("asked", messages(20, 20))
    others = Results(broker, "elsewhere")
    others.wait(20)
    gateway.reload(policy[: policy.index("topics:")])
    gateway.told("policy reloaded", 2)
    assert "penstock_source" not in request(gateway.admin_url, "/metrics").body.decode()
    broker.write("asked", messages(40, 20))
    others.read(4)
    results.read(1)
    assert names(results.values()) == {f"r{index}": 1 for index in range(20)}
    assert names(others.values()) == {f"r{index}": 1 for index in range(20, 40)}
    results.close()
    others.close()


def test_without_the_library_it_says_what_to_install(penstock: Path, tmp_path: Path) -> None:
    (tmp_path / "librdkafka.so.1").write_bytes(b"none")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        POLICY.format(
            url="http://127.0.0.1:9", broker="127.0.0.1:9", limit=1, topic="", session=3000, properties=""
        )
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    for command in (["check"], ["serve", "--policy"]):
        ended = subprocess.run(
            [penstock, *command, policy], env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert ended.returncode == 1
        assert "error: topics: librdkafka.so.1 cannot be opened: " in ended.stderr
        assert "apt-get install librdkafka1" in ended.stderr
    subprocess.run([penstock, "check", "--policy-only", policy], env=environment, timeout=20, check=True)


def test_the_library_may_be_installed_later(begin: Any, broker: Broker, tmp_path: Path) -> None:
    library = tmp_path / "lib" / "librdkafka.so.1"
    real = library.readlink()
    library.unlink()
    library.write_bytes(b"none")
    gateway = begin(without_topics=True)
    gateway.reload(begin.policy)
    eventually(
        lambda: any("librdkafka.so.1 cannot be opened" in line for line in gateway.errors), "what is missing"
    )
    library.unlink()
    library.symlink_to(real)
    gateway.reload(begin.policy)
    gateway.told("policy reloaded")
    broker.write("asked", messages(0, 4))
    results = Results(broker, "answered")
    results.wait(4)
    results.close()


@pytest.mark.timed
def test_long_messages_are_fetched_as_fast_as_they_are_worked_on(begin: Any, broker: Broker) -> None:
    gateway = begin(limit=64)
    broker.write("asked", messages(0, 400, padding="x" * 100_000))
    results = Results(broker, "answered")
    begun = time.monotonic()
    results.wait(400, 60)
    # Ten a second and partition come where each fetch waits for a second.
    assert time.monotonic() - begun < 20
    assert gateway.metric("penstock_source_errors_total") == 0
    results.close()


@pytest.mark.timed
def test_the_end_waits_for_no_silent_brokers(begin: Any, broker: Broker) -> None:
    gateway = begin()
    broker.write("asked", messages(0, 40))
    results = Results(broker, "answered")
    results.wait(40)
    results.close()
    broker.write("asked", messages(40, 8, seconds=2))
    eventually(lambda: gateway.metric("penstock_inflight") == 8, "some under way")
    broker.process.signal(signal.SIGSTOP)
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(20) == 0
    # Its time is 10 s.
    assert time.monotonic() - begun < 11
    broker.process.signal(signal.SIGCONT)


@pytest.mark.timed
def test_who_was_taken_for_dead_ends_what_it_runs(begin: Any, broker: Broker) -> None:
    first = begin()
    broker.write("asked", messages(0, 8, seconds=15))
    eventually(lambda: first.metric("penstock_inflight") == 8, "all under way", 20)
    begun = time.monotonic()
    second = begin()
    first.signal(signal.SIGSTOP)
    eventually(lambda: second.metric("penstock_inflight") == 8, "all under way at the other", 30)
    first.signal(signal.SIGCONT)
    eventually(lambda: first.metric("penstock_source_messages_total", result="late") > 0, "the loss", 10)
    eventually(lambda: first.metric("penstock_inflight") == 0, "nothing under way", 2)
    assert time.monotonic() - begun < 14
    results = Results(broker, "answered")
    results.wait(8, 40)
    results.read(2)
    assert names(results.values()) == {f"r{index}": 1 for index in range(8)}
    results.close()


@pytest.mark.timed
def test_a_slow_message_holds_up_its_partition_only(begin: Any, broker: Broker) -> None:
    gateway = begin("    max_open: 8")
    broker.write("asked", messages(0, 1, seconds=15))
    broker.write("asked", messages(1, 399))
    results = Results(broker, "answered")
    results.wait(300, 12)
    done = names(results.values())
    assert not any(int(name[1:]) % 4 == 0 for name in done)
    results.wait(400)
    all_committed(broker)
    assert gateway.metric("penstock_source_errors_total") == 0
    results.close()


@pytest.mark.timed
@pytest.mark.limit(120)
def test_with_transactions_each_message_has_one_committed_result(begin: Any, broker: Broker) -> None:
    """Kafka ends a dead writer's open transaction after ten seconds; this broker never does, so nothing is killed in one."""
    first = begin("    transactions: true")
    broker.write("asked", messages(0, 400))
    results = Results(broker, "answered")
    results.wait(400)
    all_committed(broker)
    broker.write("asked", messages(400, 16, seconds=4))
    eventually(lambda: first.metric("penstock_inflight") > 8, "some under way")
    first.kill()
    second = begin("    transactions: true")
    results.wait(416, 60)
    all_committed(broker)
    results.read(2)
    assert names(results.values()) == {f"r{index}": 1 for index in range(416)}
    assert second.metric("penstock_source_errors_total") == 0
    second.signal(signal.SIGTERM)
    assert second.wait(15) == 0
    results.close()
