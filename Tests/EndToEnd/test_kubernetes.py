"""Backends that are the endpoints of a Service, as an API server of Kubernetes tells them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from conftest import StartGateway
from fleet import STORM_LIMIT, Backend, answers, free_port, long_storm, refuses, settles, shown, storm
from kubernetes_api import SERVICE, API, account, endpoint
from processes import Gateway, eventually, request
from sockets import RawClient, read_head, scripted_backend, secure_backend
from test_tls import make_certificates

pytestmark = [
    pytest.mark.timed,
    pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and the certificate of the API server."""
    directory = tmp_path_factory.mktemp("cluster")
    make_certificates(directory, service="DNS:model.ml.svc")
    return directory


@pytest.fixture
def api(certificates: Path) -> Iterator[API]:
    """An API server."""
    server = API(certificates)
    yield server
    server.stop()


def host(pod: Backend) -> str:
    """Its address without the port."""
    return pod.address.removeprefix("http://").rsplit(":", 1)[0]


def of(pod: Backend, uid: str | None = None, **conditions: bool) -> dict[str, Any]:
    """A pod as an endpoint."""
    return endpoint(host(pod), pod.name if uid is None else uid, **(conditions or {"ready": True}))


def has(api: API, pods: list[Backend], name: str = "model-a") -> None:
    """The Service has these pods, all ready."""
    api.put([of(pod) for pod in pods], name, port=port_of(pods[0]))


def port_of(pod: Backend) -> int:
    """Its port."""
    return int(pod.address.rsplit(":", 1)[1])


def policy(api: API, folder: Path, extra: str = "", more: str = "") -> str:
    """One pool of the Service's endpoints."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  all:
    backends: {{kubernetes: {{service: {SERVICE}, port: http, api: "{api.url}", account: {folder}{more}}}}}
{extra}
routes: [{{path: /*, pool: all}}]
"""


@pytest.fixture
def start(api: API, gateway: StartGateway, tmp_path: Path, certificates: Path) -> Callable[..., Gateway]:
    """Starts gateways that ask the API server with the token `first`."""

    def begin(extra: str = "", more: str = "") -> Gateway:
        folder = account(tmp_path / "account", "first", certificates)
        return gateway(policy(api, folder, extra, more))

    return begin


def errors(through: Gateway) -> float:
    """How often nothing was learnt."""
    return through.metric("penstock_discovery_errors_total", pool="all", source="kubernetes")


def test_follows_a_service(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """Pods come, end and go: who ends finishes what it has, and who is not ready gets nothing new."""
    first, second, third, _ = pods
    has(api, [first, second])
    through = start()
    settles(through, [first, second])
    assert answers(through) == {b"a", b"b"}
    assert api.agents == {"penstock"}
    streams = [RawClient(through.url) for _ in range(4)]
    for stream in streams:
        stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.read_until(b".")
    # One that is not ready beside others is there, and left alone.
    third_waits = [of(first), of(second), of(third, ready=False, serving=False)]
    api.put(third_waits, port=port_of(first))
    settles(through, [first, second, third])
    signal = {"pool": "all", "backend": third.address, "state": "drain", "source": "discovery"}
    eventually(lambda: through.metric("penstock_backend_signal", **signal) == 1, "it is drained")
    assert answers(through) == {b"a", b"b"} and third.requests == 0
    assert through.metric("penstock_discovery_unready_backends", pool="all") == 1
    assert through.status()["pools"][0]["discovery"]["unready"] == 1
    # It becomes ready, and the first one ends.
    ends = of(first, ready=False, serving=True, terminating=True)
    api.put([ends, of(second), of(third)], port=port_of(first))
    settles(through, [second, third])
    # Streams are its part already, so that most others go to the third.
    assert b"c" in answers(through) <= {b"b", b"c"}
    for backend in pods:
        backend.ended.set()
    for stream in streams:
        stream.read_until(b"end.\r\n0\r\n\r\n")
        stream.close()
    line = through.told("backends changed", 3)[-1]
    assert line["added"] == [] and line["removed"] == [first.address]
    assert line["source"] == f"service {SERVICE} of Kubernetes"
    assert through.metric("penstock_discovery_backends", pool="all", source="kubernetes") == 2
    assert errors(through) == 0
    good = through.metric("penstock_discovery_good_timestamp_seconds", pool="all")
    assert abs(good - time.time()) < 60
    # One list, one watch.
    assert len(api.paths) == 2 and "watch=1" in api.paths[1]


def test_slices_and_bookmarks(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """A Service of several slices; the next watch begins where the last bookmark was."""
    api.watch_seconds = 1.5
    has(api, pods[:1])
    has(api, pods[1:3], "model-b")
    # The same pod in two slices, and at a second address.
    api.put([of(pods[0])], "model-c", port=port_of(pods[0]))
    api.put([endpoint("::1", "a", ready=True)], "model-6", port=port_of(pods[0]), family="IPv6")
    through = start()
    settles(through, pods[:3])
    version = api.bookmark()
    eventually(lambda: f"resourceVersion={version}" in api.paths[-1], "the next watch", 10)
    api.remove("model-b")
    settles(through, pods[:1])
    assert errors(through) == 0
    # A watch that ends in its time is nothing that is listed after.
    assert [path for path in api.paths if "watch" not in path] == api.paths[:1]


@pytest.mark.parametrize("how", ["status", "event"])
def test_lists_again_what_is_forgotten(
    start: Callable[..., Gateway], api: API, pods: list[Backend], how: str
) -> None:
    """410, as the answer or within it: what is known holds until the list has come."""
    has(api, pods[:2])
    through = start()
    settles(through, pods[:2])
    api.mood = "event" if how == "event" else ""
    with api.condition:
        api.forget()
        # What happened meanwhile nobody tells.
        api.slices["model-a"]["endpoints"] = [of(pods[1]), of(pods[2])]
    api.cut()
    settles(through, pods[1:3])
    assert answers(through) == {b"b", b"c"}
    assert sum("watch" not in path for path in api.paths) == 2


@pytest.mark.parametrize("mood", ["truncated", "empty", "page", "403", "500", "down"])
def test_keeps_what_it_knows(
    start: Callable[..., Gateway], api: API, pods: list[Backend], mood: str
) -> None:
    """Whatever the API server says that is no list, or says nothing: what is known stays, and the log says why."""
    has(api, pods[:1])
    through = start()
    settles(through, pods[:1])
    if mood == "down":
        api.stop()
    else:
        api.forget()
        api.change(mood)
    # An empty list is followed by a watch.
    least = 1 if mood == "empty" else 2
    eventually(lambda: errors(through) >= least, "it is counted, and asked again", 15)
    assert answers(through) == {b"a"} and shown(through) == [pods[0].address]
    said = {
        "truncated": "ends", "empty": "lists no backend", "page": "is no JSON",
        "403": "answers 403: endpointslices.discovery.k8s.io is forbidden", "500": "answers 500",
        "down": "no connection: refused",
    }[mood]  # fmt: skip
    kept = "backends not learnt, those that are known stay: "
    eventually(lambda: any(kept in line and said in line for line in through.errors), "the log says why")
    # A reload takes nothing away either.
    before = through.policy_file.read_text()
    through.reload(before.replace("routes:", "    limit: 7\nroutes:"))
    eventually(lambda: through.logged("policy reloaded"), "the reload")
    assert answers(through) == {b"a"}
    if mood == "down":
        back = API(api.certificates, api.port)
        back.version = 5000
        has(back, pods[1:2])
        settles(through, pods[1:2])
        back.stop()
    else:
        has(api, pods[1:2])
        api.change("")
        eventually(lambda: set(shown(through)) == {pods[1].address}, "it is followed again", 15)
    eventually(lambda: through.logged("backends are learnt again"), "the log says so")
    assert answers(through) == {b"b"}


def test_leaves_a_busy_server_alone(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """A server that says when to come again is not asked before, and then at once."""
    has(api, pods[:1])
    through = start()
    settles(through, pods[:1])
    api.change("busy")
    eventually(lambda: len(api.busy_at) >= 3, "it is asked again and again", 20)
    pauses = [later - earlier for earlier, later in zip(api.busy_at, api.busy_at[1:])]
    assert all(2.9 <= pause < 5 for pause in pauses[:2]), pauses
    assert answers(through) == {b"a"}
    has(api, pods[1:2])
    api.change("")
    eventually(lambda: set(shown(through)) == {pods[1].address}, "it is followed again", 15)


def test_tokens_are_replaced(
    start: Callable[..., Gateway], api: API, pods: list[Backend], tmp_path: Path, certificates: Path
) -> None:
    """The token that is there when it asks is the one that it asks with; one that is refused is read anew."""
    has(api, pods[:1])
    through = start()
    settles(through, pods[:1])
    # A watch that says nothing, or ends within a second, has failed; this one does neither.
    eventually(lambda: any("watch" in path for path in api.paths), "it watches")
    api.bookmark()
    time.sleep(1.1)
    account(tmp_path / "account", "second\n", certificates)
    api.tokens = {"second"}
    api.cut()
    has(api, pods[1:2])
    settles(through, pods[1:2])
    assert errors(through) == 0, through.written()
    # Replaced on the way: nobody is told of it.
    api.tokens = {"third"}
    api.cut()
    eventually(lambda: len(api.paths) >= 4, "it is refused once")
    account(tmp_path / "account", "third", certificates)
    has(api, pods[2:3])
    settles(through, pods[2:3])
    # The negative control: one that nobody replaces.
    api.tokens = {"fourth"}
    api.cut()
    told = "the token in "
    eventually(lambda: any(told in line and "401" in line for line in through.errors), "the log says so")
    assert answers(through) == {b"c"}


def test_a_stranger_tells_nothing(
    gateway: StartGateway, api: API, pods: list[Backend], tmp_path: Path
) -> None:
    """An API server of another authority is not believed, and hears no token."""
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    has(api, pods[:1])
    through = gateway(policy(api, account(tmp_path / "account", "first", other)))
    eventually(lambda: errors(through) >= 1, "it is counted")
    eventually(lambda: any("no connection: certificate" in line for line in through.errors), "the log's line")
    assert not api.paths and request(through.url).status == 503


@pytest.mark.parametrize("name", ["service", "right"])
def test_pods_over_tls(
    api: API, gateway: StartGateway, tmp_path: Path, certificates: Path, name: str
) -> None:
    """A pod is trusted that has the Service's certificate, whatever its address, and no other one."""
    with secure_backend(certificates, name) as (url, asked):
        port = int(url.rsplit(":", 1)[1])
        api.put([endpoint("127.0.0.1", "u", ready=True)], port=port)
        folder = account(tmp_path / "account", "first", certificates)
        extra = f"    tls: {{ca_file: {certificates}/ca.pem}}\n    host: backend"
        through = gateway(policy(api, folder, extra, ", scheme: https"))
        eventually(lambda: shown(through) == [url], "it is found")
        answer = request(through.url)
        if name == "service":
            assert (answer.status, answer.body) == (200, f"model.ml.svc:{port}".encode())
        else:
            assert answer.status == 502
        assert set(asked) == {"model.ml.svc"}


def test_a_proxy_beside_it(gateway: StartGateway, pods: list[Backend], tmp_path: Path) -> None:
    """In the clear, as `kubectl proxy` answers, no token is sent; the namespace is the account's."""
    plain = API(None)
    try:
        has(plain, pods[:2])
        through = gateway(policy(plain, account(tmp_path / "account", "first", None)))
        settles(through, pods[:2])
    finally:
        plain.stop()


def test_in_a_pod(
    api: API, gateway: StartGateway, pods: list[Backend], tmp_path: Path, certificates: Path
) -> None:
    """Where the API server is, the environment says; and where it does not, that is a fault."""
    has(api, pods[:1])
    folder = account(tmp_path / "account", "first", certificates)
    text = policy(api, folder, more=", namespace: ml").replace(f'api: "{api.url}", ', "")
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
    through = gateway(text, environment=environment)
    settles(through, pods[:1])
    lost = gateway(text)
    eventually(lambda: any("KUBERNETES_SERVICE_HOST" in line for line in lost.errors), "the log says so")


def test_another_pod_is_another_backend(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """A pod with the address of one that is gone has learnt nothing of it."""
    api.put([of(pods[0], "one")], port=port_of(pods[0]))
    through = start("    limit: {algorithm: aimd, initial: 9, max: 9, timeout: 1ms}")
    settles(through, pods[:1])
    stream = RawClient(through.url)
    stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    # An event, and not the head, which has a full stop too.
    stream.read_until(b"\n.\r\n")
    pods[0].ended.set()
    stream.read_until(b"end.")
    stream.close()

    def limit() -> int:
        return int(through.status()["pools"][0]["backends"][0]["limit"])

    eventually(lambda: limit() < 9, "the limit falls")
    api.put([of(pods[0], "two")], port=port_of(pods[0]))
    eventually(lambda: limit() == 9, "another one begins anew")


def whirl(api: API, pods: list[Backend]) -> Callable[[int], None]:
    """Other pods each time, in two slices; now and then the API server loses its memory, cuts, or errs."""
    # The second one stays.
    sets = [pods[:2], pods[1:], [pods[1]], pods]

    def change(step: int) -> None:
        chosen = sets[step % 4]
        listed = [
            of(pod, f"{pod.name}{step // 50 if pod is not pods[1] else ''}", ready=(step + number) % 3 > 0 or pod is pods[1])
            for number, pod in enumerate(chosen)
        ]
        api.put(listed[:2], "model-a", port=port_of(pods[0]))
        api.put(listed[2:], "model-b", port=port_of(pods[0]))
        if step % 40 == 0:
            api.forget()
        if step % 60 == 0:
            api.mood = ["", "truncated", "event", "500", "empty"][step // 60 % 5]
            api.cut()

    return change


def test_loses_nothing_in_a_storm(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """A hundred changes a second."""
    has(api, pods)
    through = start(STORM_LIMIT)
    settles(through, pods)
    asked, failed = storm(through, pods, whirl(api, pods), 3, 60)
    assert failed == 0 and asked > 100
    assert through.metric("penstock_discovery_changes_total", pool="all") > 2
    api.mood = ""
    has(api, pods)
    api.put([], "model-b")
    eventually(lambda: set(shown(through)) == {pod.address for pod in pods}, "it settles", 20)
    through.wait_until_idle()


@pytest.mark.long
@pytest.mark.limit(400)
def test_loses_nothing_in_a_long_storm(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """For minutes, with 500 streams; memory stays flat and no descriptor is left."""
    has(api, pods)
    through = start(STORM_LIMIT)
    settles(through, pods)
    long_storm(through, pods, whirl(api, pods))


class Busy:
    """A server of `slots` places, whose probe fails while they are taken."""

    slots = 4

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.served = 0
        self.is_silent = False

    def serve(self, connection: socket.socket) -> None:
        """Requests of a twentieth of a second."""
        while read_head(connection):
            with self.lock:
                self.inside += 1
            time.sleep(0.05)
            with self.lock:
                self.inside -= 1
                self.served += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")


def test_probes_that_fail_at_saturation(start: Callable[..., Gateway], api: API) -> None:
    """F13: one after the other, and at last all, are said not to be ready because they work; they go on working."""
    servers = [Busy() for _ in range(4)]
    port = free_port()
    with ExitStack() as stack:
        for number, server in enumerate(servers):
            stack.enter_context(scripted_backend(server.serve, f"127.0.0.{2 + number}", port))

        def tell(ready: Callable[[Busy], bool]) -> None:
            endpoints = [
                endpoint(f"127.0.0.{2 + number}", f"u{number}", ready=ready(server))
                for number, server in enumerate(servers)
            ]
            api.put(endpoints, port=port)

        tell(lambda _: True)
        through = start("    limit: 4\n    queue: {max_wait: 5s}")
        eventually(lambda: len(shown(through)) == 4, "all are found")
        ending = threading.Event()
        failed: list[int] = []

        def ask() -> None:
            while not ending.is_set():
                answer = request(through.url)
                if answer.status != 200:
                    failed.append(answer.status)

        clients = [threading.Thread(target=ask) for _ in range(24)]
        for client in clients:
            client.start()

        def work(seconds: float, step: Callable[[], None]) -> int:
            before = sum(server.served for server in servers)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                step()
                time.sleep(0.1)
            return sum(server.served for server in servers) - before

        try:
            work(0.5, lambda: None)
            well = work(2, lambda: tell(lambda _: True))
            # As each fills up; those that are full are most of the time all.
            saturated = work(2, lambda: tell(lambda server: server.inside < Busy.slots))
            none = work(2, lambda: tell(lambda _: False))
            assert through.metric("penstock_discovery_unready_backends", pool="all") == 4
        finally:
            ending.set()
            for client in clients:
                client.join()
        assert not failed
        assert none > 0.9 * well, (well, saturated, none)
        assert saturated > 0.9 * well, (well, saturated, none)


def test_probes_that_fail_in_silence(start: Callable[..., Gateway], api: API, pods: list[Backend]) -> None:
    """The negative control: who is not ready and has never answered gets nothing."""
    api.put([of(pod, ready=False) for pod in pods], port=port_of(pods[0]))
    through = start()
    settles(through, pods)
    answer = request(through.url)
    assert answer.status == 503 and sum(pod.requests for pod in pods) == 0
    has(api, pods[:2])
    settles(through, pods[:2])
    assert answers(through) == {b"a", b"b"}


def test_faults_of_policies(penstock: Path, tmp_path: Path) -> None:
    """What cannot be is told before anything starts."""
    faults = {
        "service: Model": "is no name of Kubernetes'",
        "service: model, port: 0": "is not a port",
        "service: model, port: HTTP": "is no port",
        "service: model, api: 'http+unix:///x'": "is no URL of an API server",
        "service: model, account: here": "is not an absolute path",
        "service: model, name: x": "write service: NAME",
        "namespace: ml": "service: is missing",
    }
    for keys, fault in faults.items():
        refuses(penstock, tmp_path, f"{{kubernetes: {{{keys}}}}}", fault)
    file = tmp_path / "policy.yaml"
    file.write_text(
        "listen: 127.0.0.1:0\npools: {a: {backends: {kubernetes: {service: model, namespace: ml}}}}\n"
        "routes: [{path: /*, pool: a}]\n"
    )
    ended = subprocess.run(
        [penstock, "check", "--explain", "GET /x", file], capture_output=True, text=True, timeout=20, check=False
    )
    assert "from service ml/model of Kubernetes" in ended.stdout, ended.stdout + ended.stderr
