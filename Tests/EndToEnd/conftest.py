"""Fixtures: the gateway's binary, gateways and backends that end with the test, and a time limit for each test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import worker_scene
from fleet import Backend, free_port, running_backends
from processes import ROOT, EmbeddingServer, Engine, Gateway

DEFAULT_LIMIT_SECONDS = 60.0

StartGateway = Callable[..., Gateway]
StartServer = Callable[..., EmbeddingServer]
StartEngine = Callable[..., Engine]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--part 1/2`."""
    parser.addoption("--part", default="1/1", help="runs every Nth test, beginning with the Ith: I/N")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the part of the chosen tests that is asked for."""
    number, count = map(int, config.getoption("part").split("/"))
    if not 1 <= number <= count:
        raise pytest.UsageError(f"--part {number}/{count}: the first number is 1 to the second")
    left_out = [item for index, item in enumerate(items) if index % count != number - 1]
    items[:] = items[number - 1 :: count]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that takes longer than its `limit` mark, or a minute, wherever it hangs."""
    mark = request.node.get_closest_marker("limit")
    seconds = mark.args[0] if mark else DEFAULT_LIMIT_SECONDS

    def expired(*_: Any) -> None:
        raise TimeoutError(f"the test took longer than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def penstock() -> Path:
    """The binary under test: $PENSTOCK or the release build."""
    binary = Path(os.environ.get("PENSTOCK") or ROOT / ".build/release/penstock")
    if not os.access(binary, os.X_OK):
        pytest.exit(f"{binary} is missing or cannot be run", returncode=1)
    return binary


@pytest.fixture
def gateway(penstock: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Starts gateways; `gateway(policy_text)` returns one that listens already."""
    with ExitStack() as stack:

        def start(policy: str, *options: str, **more: Any) -> Gateway:
            directory = tmp_path_factory.mktemp("gateway")
            started = Gateway(penstock, policy, directory, *options, **more)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def server() -> Iterator[StartServer]:
    """Starts backends of a test's own; `server("--no-model", "--concurrency", "8")`."""
    with ExitStack() as stack:

        def start(*options: str) -> EmbeddingServer:
            started = EmbeddingServer(*options)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def engine() -> Iterator[StartEngine]:
    """Starts simulated engines of a test's own."""
    with ExitStack() as stack:

        def start(*options: str) -> Engine:
            started = Engine(*options)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture(scope="session")
def shared_model_server() -> Iterator[EmbeddingServer]:
    """One server with the model for all tests that neither kill nor reconfigure it."""
    started = EmbeddingServer()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def model_server(shared_model_server: EmbeddingServer) -> EmbeddingServer:
    """The shared server, which computes one thing at a time, with its counters at nought."""
    shared_model_server.reset()
    return shared_model_server


@pytest.fixture
def pods() -> Iterator[list[Backend]]:
    """Four, at addresses of their own and one port."""
    with running_backends("abcd", free_port()) as made:
        yield made


@pytest.fixture
def counting_engine() -> Iterator[worker_scene.StartEngine]:
    """Starts engines that end with the test."""
    with ExitStack() as stack:

        def start(*options: str) -> worker_scene.CountingEngine:
            started = worker_scene.CountingEngine(*options)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def penstock_worker(penstock: Path, tmp_path: Path) -> Iterator[worker_scene.StartWorker]:
    """Starts workers that end with the test."""
    key = tmp_path / "worker.key"
    key.write_text(worker_scene.KEY + "\n")
    key.chmod(0o600)
    with ExitStack() as stack:

        def start(
            ports: int | list[int], engine: str, *options: str, host: str = "127.0.0.1", scheme: str = "http"
        ) -> worker_scene.PenstockWorker:
            places = [ports] if isinstance(ports, int) else ports
            gateways = [word for port in places for word in ("--gateway", f"{scheme}://{host}:{port}")]
            command = [str(penstock), "worker", *gateways, "--pool", "chat", "--engine", engine, "--key-file", str(key)]
            started = worker_scene.PenstockWorker([*command, *options])
            stack.callback(started.stop)
            return started

        yield start
