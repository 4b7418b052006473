"""What must not be seen: secrets in logs and pages, and backends' addresses in answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import StartGateway
from processes import ROOT, eventually, one_pool, request
from sockets import RawClient, closed_address, read_head, scripted_backend

SECRETS = {
    "Authorization": "Bearer s3cret-token-in-authorization",
    "Proxy-Authorization": "Basic s3cret-in-proxy-authorization",
    "Cookie": "session=s3cret-in-cookie",
    "X-API-Key": "s3cret-in-x-api-key",
    "Api-Key": "s3cret-in-api-key",
    "X-Goog-Api-Key": "s3cret-in-goog",
}


def noisy(policy: str) -> str:
    """The same policy with everything logged that can be."""
    return policy.replace("log: {access: {to: off}}", "log: {level: trace, access: stdout}")


def test_no_secret_is_logged(gateway: StartGateway) -> None:
    """Whatever becomes of a request, no log line and no admin page has its credentials."""

    def answer(connection: object) -> None:
        read_head(connection)  # type: ignore[arg-type]
        connection.sendall(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\nSet-Cookie: id=s3cret-in-set-cookie\r\nContent-Length: 2\r\n\r\nok"
        )

    with scripted_backend(answer) as good:
        for backend in (good, closed_address()):
            through = gateway(noisy(one_pool(backend)))
            request(through.url, "/v1/a?api_key=s3cret-in-query", headers=SECRETS)
            request(through.url, "/b", "POST", b"s3cret-in-body", headers=SECRETS)
            fields = "".join(f"{name}: {value}\r\n" for name, value in SECRETS.items())
            for bad in ("X Y: 1\r\n", "Content-Length: s3cret-in-length\r\n", "Host: s3cret/host\r\n"):
                with RawClient(through.url) as client:
                    client.send(f"GET /c?s3cret HTTP/1.1\r\nHost: h\r\n{fields}{bad}\r\n".encode())
                    received, _ = client.read_to_end()
                    assert received.startswith(b"HTTP/1.1 400 ") and b"s3cret" not in received
            pages = "".join(
                request(through.admin_url, page).body.decode() for page in ("/metrics", "/status")
            )
            through.stop()
            logged = "".join([*through.output, *through.errors])
            assert '"path":"/v1/a"' in logged, "nothing was logged"
            for place, text in (("log", logged), ("admin page", pages)):
                assert "s3cret" not in text, f"a secret is in the {place}"


def test_answers_do_not_name_the_backend(gateway: StartGateway) -> None:
    """Answers of the gateway's own say nothing of where a backend is."""
    scripts = {
        "nonsense": b"SSH-2.0-nonsense\r\n",
        "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "nothing": b"",
    }
    for name, script in scripts.items():

        def answer(connection: object, script: bytes = script) -> None:
            read_head(connection)  # type: ignore[arg-type]
            connection.sendall(script)  # type: ignore[attr-defined]

        with scripted_backend(answer) as backend:
            check_answer(gateway, backend, 502, name)
    check_answer(gateway, closed_address(), 502, "refuses")
    with scripted_backend(lambda connection: connection.recv(1 << 20) and connection.recv(1)) as silent:
        more = "    timeouts: {first_byte: 200ms}\n    limit: {algorithm"
        check_answer(gateway, silent, 504, "silent", ("    limit: {algorithm", more))


def check_answer(
    gateway: StartGateway, backend: str, status: int, name: str, change: tuple[str, str] = ("", "")
) -> None:
    """Asks once in each dialect; the answer has the status, and no part of the backend's address."""
    through = gateway(one_pool(backend).replace(*change) if change[0] else one_pool(backend))
    for path in ("/v1/x", "/x"):
        answer = request(through.url, path)
        assert answer.status == status, name
        text = json.dumps(dict(answer.headers)) + answer.body.decode()
        port = backend.rsplit(":", 1)[1]
        assert port not in text.replace(answer.headers["x-request-id"], ""), name
        assert "127.0.0.1" not in text, name


def test_admin_is_local_by_default(penstock: Path, tmp_path: Path) -> None:
    """Without a word about it the admin listener is on loopback; elsewhere only when told twice."""
    text = "version: 1\nlisten: 127.0.0.1:8080\n{}pools: {{a: {{backends: [\"http://h:1\"]}}}}\n"
    text += "routes: [{{path: /*, pool: a}}]\n"
    policy = tmp_path / "policy.yaml"
    for admin, accepted in (
        ("", True),
        ("admin: 0.0.0.0:9090\n", False),
        ("admin: {address: 0.0.0.0:9090}\n", False),
        ("admin: {address: 0.0.0.0:9090, allow_remote: true}\n", True),
    ):
        policy.write_text(text.format(admin))
        ended = subprocess.run(
            [penstock, "check", str(policy)], capture_output=True, text=True, timeout=20, check=False
        )
        assert (ended.returncode == 0) == accepted, ended.stdout + ended.stderr


def test_forged_forwarding_fields_are_replaced(gateway: StartGateway) -> None:
    """Who asks is what the gateway saw, unless a trusted proxy says otherwise."""
    heads: list[bytes] = []

    def answer(connection: object) -> None:
        heads.append(read_head(connection))  # type: ignore[arg-type]
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]

    forged = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Forwarded-Host": "evil"}
    with scripted_backend(answer) as backend:
        for networks, believed in (
            ("[]", False), ("[127.0.0.0/8]", True), ("[10.0.0.0/8, unix]", False),
        ):
            through = gateway(one_pool(backend) + f"forwarding: {{trusted_proxies: {networks}}}\n")
            request(through.url, "/", headers=forged)
            eventually(lambda: heads, "the request")
            head = heads.pop().decode()
            assert ("192.0.2.1" in head) == believed
            assert ("evil" in head) == believed
            assert "127.0.0.1" in head


HARDENING = {
    "DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes",
    "PrivateTmp": "yes", "PrivateDevices": "yes", "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "ProtectControlGroups": "yes",
    "ProtectClock": "yes", "ProtectHostname": "yes", "ProtectProc": "invisible",
    "LockPersonality": "yes", "MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "RemoveIPC": "yes",
    "SystemCallArchitectures": "native", "SystemCallFilter": "@system-service",
    "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "LimitCORE": "0",
    "LogsDirectory": "penstock", "LogsDirectoryMode": "0750", "RuntimeDirectory": "penstock",
}


def test_unit_is_hardened() -> None:
    """The systemd unit gives the process no more than it needs."""
    text = (ROOT / "deploy/penstock.service").read_text()
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
    assert {name: lines.get(name) for name in HARDENING} == HARDENING


def test_container_is_not_root() -> None:
    """The image's user is not root, and Kubernetes' pod has a read-only root and no capabilities."""
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and users[-1].split(":")[0] not in ("0", "root")
    for file, count in {"kubernetes.yaml": 1, "kubernetes/gateway.yaml": 1}.items():
        manifests = list(yaml.safe_load_all((ROOT / "deploy" / file).read_text()))
        (pod,) = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment"]
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        assert len(containers) == count
        for container in containers:
            context = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
            assert context["runAsNonRoot"] is True and context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_unit_hands_secrets_over(penstock: Path, tmp_path: Path) -> None:
    """The files that the unit hands over are where the policy may name them, as its remark says."""
    text = (ROOT / "deploy/penstock.service").read_text()
    given = re.findall(r"^#LoadCredential=([\w.]+):/etc/penstock/[\w.]+$", text, re.MULTILINE)
    assert given == ["gateway.key", "penstock.keys"]
    assert "/run/credentials/penstock.service/gateway.key" in text
    enabled = tmp_path / "penstock.service"
    enabled.write_text(
        text.replace("#LoadCredential", "LoadCredential")
        .replace("/usr/bin/penstock", str(penstock))
    )
    if shutil.which("systemd-analyze"):
        ended = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(enabled)],
            capture_output=True, text=True, timeout=30, check=False,
        )
        assert ended.returncode == 0 and "penstock.service" not in ended.stderr, ended.stderr


@pytest.mark.limit(30)
def test_a_read_only_directory_is_enough(penstock: Path, tmp_path: Path) -> None:
    """The gateway starts and serves without writing a file anywhere."""
    policy = one_pool(closed_address())
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    before = sorted(path.name for path in tmp_path.iterdir())
    process = subprocess.Popen(
        [penstock, "serve", "--policy", str(file)], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert process.stderr
        line = next(line for line in process.stderr if "listening" in line)
        address = json.loads(line)["addresses"][0]
        assert request(f"http://{address}", "/").status == 502
        links = Path(f"/proc/{process.pid}/fd").iterdir()
        targets = [str(link.readlink()) for link in links if link.is_symlink()]
        files = [target for target in targets if target.startswith("/") and "/dev/" not in target]
        assert not files, f"open files: {files}"
    finally:
        process.terminate()
        process.wait(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
