"""The part of Kubernetes' API server that tells endpoints, with the answers that its documentation has, and its moods."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVICE = "model"
NAMESPACE = "ml"


def endpoint(address: str, uid: str = "", **conditions: bool) -> dict[str, Any]:
    """An endpoint of a slice: `ready`, `serving` and `terminating` are there if they are given."""
    made: dict[str, Any] = {"addresses": [address], "conditions": conditions, "nodeName": "node-1", "zone": "a"}
    if uid:
        made["targetRef"] = {"kind": "Pod", "namespace": NAMESPACE, "name": f"pod-{uid}", "uid": uid}
    return made


class API(ThreadingHTTPServer):
    """Lists and watches of slices, over TLS where `certificates` are."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, certificates: Path | None, port: int = 0) -> None:
        self.context: ssl.SSLContext | None = None
        if certificates:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificates / "right.pem", certificates / "right.key")
        self.condition = threading.Condition()
        self.slices: dict[str, dict[str, Any]] = {}
        self.version = 1000
        self.events: list[tuple[int, dict[str, Any]]] = []
        """The oldest version that a watch may begin at."""
        self.forgotten = 0
        self.tokens = {"first"}
        """What lists and watches are answered with instead: a status, or a way to fail."""
        self.mood = ""
        self.cuts = 0
        """How long a watch lasts at most, whatever was asked for."""
        self.watch_seconds = 600.0
        self.paths: list[str] = []
        """When it has said that it is busy."""
        self.busy_at: list[float] = []
        self.agents: set[str] = set()
        self.port = port
        self.thread: threading.Thread | None = None
        self.certificates = certificates
        super().__init__(("127.0.0.1", port), Handler)
        self.port = self.server_address[1]
        self.serve()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Answers."""
        self.thread = threading.Thread(target=lambda: self.serve_forever(0.05), daemon=True)
        self.thread.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """A connection, in a thread of its own."""
        request.settimeout(600)
        if not self.context:
            return super().finish_request(request, client_address)
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who does not trust it, or leaves, is no news."""

    def stop(self) -> None:
        """Answers nobody any more, and cuts all watches."""
        self.shutdown()
        self.cut()
        self.server_close()

    # What happens in the cluster.

    def put(self, endpoints: Iterable[dict[str, Any]], name: str = "model-a", port: int = 8000, family: str = "IPv4") -> None:
        """A slice is what these endpoints are."""
        with self.condition:
            kind = "MODIFIED" if name in self.slices else "ADDED"
            self.version += 1
            self.slices[name] = {
                "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
                "metadata": {
                    "name": name, "namespace": NAMESPACE, "uid": f"slice-{name}", "generation": self.version,
                    "resourceVersion": str(self.version), "creationTimestamp": "2026-11-28T08:00:00Z",
                    "labels": {"kubernetes.io/service-name": SERVICE},
                    "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:endpoints": {}}}],
                },
                "addressType": family, "endpoints": list(endpoints) or None,
                "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            }  # fmt: skip
            self._tell(kind, self.slices[name])

    def remove(self, name: str) -> None:
        """A slice is gone."""
        with self.condition:
            self.version += 1
            gone = self.slices.pop(name)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._tell("DELETED", gone)

    def bookmark(self) -> int:
        """Much happens elsewhere: only the version moves."""
        with self.condition:
            self.version += 100
            empty = {"creationTimestamp": None, "resourceVersion": str(self.version)}
            self._tell(
                "BOOKMARK",
                {
                    "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": empty,
                    "addressType": "", "endpoints": None, "ports": None,
                },
            )  # fmt: skip
            return self.version

    def _tell(self, kind: str, value: dict[str, Any]) -> None:
        self.events.append((self.version, {"type": kind, "object": json.loads(json.dumps(value))}))
        del self.events[:-2000]
        self.condition.notify_all()

    def forget(self) -> None:
        """The history is compacted: no watch can begin where it was."""
        with self.condition:
            self.version += 1
            self.forgotten = self.version

    def cut(self) -> None:
        """All watches end in the middle of a line."""
        with self.condition:
            self.cuts += 1
            self.condition.notify_all()

    def change(self, mood: str) -> None:
        """Answers otherwise from now on, and cuts all watches."""
        self.mood = mood
        self.cut()


def expired() -> dict[str, Any]:
    """What is said of a version that is forgotten."""
    return status(410, "Expired", "too old resource version: 1 (1000)")


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A `Status`."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code,
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One connection to it."""

    protocol_version = "HTTP/1.1"
    server: API

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        """A list, or a watch."""
        api = self.server
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        api.paths.append(self.path)
        api.agents.add(self.headers.get("User-Agent", ""))
        if parts.path != f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices":
            return self.answer(404, status(404, "NotFound", "the server could not find the requested resource"))
        if api.context and self.headers.get("Authorization", "").removeprefix("Bearer ") not in api.tokens:
            return self.answer(401, status(401, "Unauthorized", "Unauthorized"))
        if not api.context and self.headers.get("Authorization"):
            return self.answer(400, status(400, "BadRequest", "a token came in the clear"))
        if api.mood == "busy":
            # What priority and fairness says to who comes too often.
            api.busy_at.append(time.monotonic())
            return self.answer(429, status(429, "TooManyRequests", "too many requests, please try again later"), "3")
        if api.mood.isdigit():
            message = f'endpointslices.discovery.k8s.io is forbidden: User "x" cannot list in "{NAMESPACE}"'
            return self.answer(int(api.mood), status(int(api.mood), "Forbidden", message))
        assert query["labelSelector"] == f"kubernetes.io/service-name={SERVICE}"
        if "watch" in query:
            return self.watch(query)
        with api.condition:
            value = {
                "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
                "metadata": {"resourceVersion": str(api.version)}, "items": list(api.slices.values()),
            }  # fmt: skip
            body = json.dumps(value).encode() + b"\n"
        if api.mood == "empty":
            body = json.dumps(value | {"items": []}).encode()
        elif api.mood == "truncated":
            body = body[: len(body) // 2]
        elif api.mood == "page":
            body = b"<html><body>Sign in</body></html>"
        self.send(200, body)

    def answer(self, code: int, value: dict[str, Any], retry_after: str = "") -> None:
        """A status."""
        self.send(code, json.dumps(value).encode(), retry_after)

    def send(self, code: int, body: bytes, retry_after: str = "") -> None:
        """A whole answer."""
        self.send_response(code)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data: bytes) -> None:
        """A part of a watch."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def watch(self, query: dict[str, str]) -> None:
        """Tells what happens, until its time is over."""
        api = self.server
        assert query["allowWatchBookmarks"] and 240 <= int(query["timeoutSeconds"]) <= 360
        seen = int(query["resourceVersion"])
        if seen < api.forgotten and api.mood != "event":
            return self.answer(410, expired())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if seen < api.forgotten:
            self.chunk(json.dumps({"type": "ERROR", "object": expired()}).encode() + b"\n")
            return self.chunk(b"")
        end = time.monotonic() + api.watch_seconds
        cuts = api.cuts
        while time.monotonic() < end:
            with api.condition:
                news = [event for event in api.events if event[0] > seen]
                if not news and cuts == api.cuts:
                    api.condition.wait(min(0.1, max(0.001, end - time.monotonic())))
            if cuts != api.cuts:
                # Half a line, and nothing that says that it is the end.
                self.chunk(b'{"type":"MODIFIED","object":{"kind":"EndpointSlice","metadata":{"name":"model-a"')
                self.wfile.flush()
                self.close_connection = True
                return
            for version, event in news:
                self.chunk(json.dumps(event).encode() + b"\n")
                seen = version
        self.chunk(b"")


def account(folder: Path, token: str, certificates: Path | None) -> Path:
    """A service account's folder, as the kubelet mounts it: links that lead through one that is swapped."""
    folder.mkdir(exist_ok=True)
    version = f"..{time.monotonic_ns()}"
    (folder / version).mkdir()
    (folder / version / "token").write_text(token)
    (folder / version / "namespace").write_text(NAMESPACE)
    if certificates:
        (folder / version / "ca.crt").write_bytes((certificates / "ca.pem").read_bytes())
    draft = folder / "..data_tmp"
    draft.symlink_to(version)
    draft.rename(folder / "..data")
    for name in ("token", "namespace", "ca.crt"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return folder
