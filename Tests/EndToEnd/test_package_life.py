"""A package's life on real systems: installed as README says, served, upgraded, removed, purged; and the image served.

The systems are debootstrap's, without anything of this machine's. One runs nothing but commands, as while an image is
built; the other has systemd as its first process.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from debian_system import StartedSystem, System, bootstrap, why_not
from packages import ELSEWHERE, begin_build, build, end_build, only
from processes import ROOT, Process, eventually, listening_line, one_pool, request
from sockets import read_head, scripted_backend

pytestmark = [pytest.mark.long, pytest.mark.limit(240)]
on_a_system = pytest.mark.skipif(bool(why_not()), reason=why_not())

POLICY = "etc/penstock/policy.yaml"
GATEWAY = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def debs(penstock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A package and its next revision."""
    made = [
        build(penstock, tmp_path_factory.mktemp("deb"), "deb", REVISION=revision) for revision in ("1", "2")
    ]
    return only(made[0], ".deb"), only(made[1], ".deb")


@pytest.fixture(scope="module")
def base(debs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that has seen nothing of the package, but has what apt will want for it in its cache."""
    root = tmp_path_factory.mktemp("base") / "root"
    bootstrap(root)
    shutil.copy(debs[0], root / "tmp/penstock.deb")
    System(root).run("apt-get", "install", "--download-only", "/tmp/penstock.deb")
    (root / "tmp/penstock.deb").unlink()
    return root


def copy(base: Path, name: str) -> Path:
    """Another system like it."""
    root = base.parent / name
    subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
    return root


@pytest.fixture
def system(base: Path) -> Iterator[System]:
    """A system that runs nothing."""
    root = copy(base, "still")
    yield System(root)
    shutil.rmtree(root)


@pytest.fixture
def started(base: Path) -> Iterator[StartedSystem]:
    """A system with systemd."""
    root = copy(base, "started")
    system = StartedSystem(root)
    try:
        system.wait()
        yield system
    finally:
        system.end()
        shutil.rmtree(root)


@on_a_system
def test_installed_upgraded_removed_purged(system: System, debs: tuple[Path, Path]) -> None:
    """Nothing is enabled, an edited policy is kept without a question, and in the end nothing is left."""
    assert system.named("penstock") == set()
    system.install(debs[0])
    assert len(system.named("penstock")) > 20
    system.run("id", "penstock")
    policy = system.root / POLICY
    assert system.run("runuser", "-u", "nobody", "--", "penstock", "check", f"/{POLICY}") == f"/{POLICY}: valid\n"
    assert system.attempt("systemctl", "is-enabled", "penstock").stdout.strip() == "disabled"
    assert system.run("dpkg", "--verify", "penstock") == ""

    policy.write_text(policy.read_text().replace("127.0.0.1:8080", "127.0.0.1:8081"))
    edited = policy.read_text()
    said = system.install(debs[1])
    assert policy.read_text() == edited and "Configuration file" not in said
    assert not policy.with_suffix(".yaml.dpkg-dist").exists()
    assert system.run("dpkg-query", "--show", "--showformat", "${Version}", "penstock").endswith("-2")
    (changed,) = system.run("dpkg", "--verify", "penstock").splitlines()
    assert changed.split() == ["??5??????", "c", f"/{POLICY}"]

    system.run("apt-get", "remove", "penstock")
    assert not (system.root / "usr/bin/penstock").exists() and policy.read_text() == edited
    # What the service would have kept, where systemd has it.
    for folder in ("var/lib", "var/log"):
        (system.root / folder / "private/penstock").mkdir(parents=True)
        (system.root / folder / "penstock").symlink_to("private/penstock")
    system.run("apt-get", "purge", "penstock")
    assert system.named("penstock") == set()
    # Files of others' may be its own.
    system.run("id", "penstock")


@on_a_system
def test_a_policy_of_somebody_elses_stays(system: System, debs: tuple[Path, Path]) -> None:
    """What an administrator laid beside the policy survives a purge."""
    system.install(debs[0])
    key = system.root / "etc/penstock/penstock.keys"
    key.write_text("")
    system.run("apt-get", "purge", "penstock")
    assert key.exists() and not (system.root / POLICY).exists()


def readme_commands() -> list[str]:
    """What README says that somebody types who has the package."""
    match = re.search(r"^<!-- installation -->\n+```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert match
    return [line.split("#")[0].strip() for line in match[1].splitlines()]


def newcomer(system: StartedSystem, package: Path) -> list[str]:
    """Does what README says in the folder that has the package; returns the commands."""
    shutil.copy(package, system.root / "root")
    commands = readme_commands()
    for command in commands:
        system.run("sh", "-ec", f"cd /root; {command}")
    return commands


def main_process(system: StartedSystem) -> int:
    """The gateway's process id; 0 where none runs."""
    return int(system.run("systemctl", "show", "--property", "MainPID", "--value", "penstock"))


def status(system: StartedSystem, path: str = "/", *fields: str) -> int:
    """The status that the gateway answers with."""
    return int(system.attempt("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *fields, GATEWAY + path).stdout)


@contextmanager
def statuses(system: StartedSystem) -> Iterator[list[int]]:
    """Asks without a pause meanwhile; in the end the list has what the answers were, 0 where nobody listened."""
    found: list[int] = []
    system.run("rm", "-f", "/root/stop")
    script = f"while [ ! -e /root/stop ]; do curl -s -o /dev/null -w '%{{http_code}}\\n' {GATEWAY}; done"
    client = subprocess.Popen(
        [*system.entrance(), "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        yield found
    finally:
        (system.root / "root/stop").touch()
        said, _ = client.communicate(timeout=20)
        found += [int(line) for line in said.split()]


@on_a_system
def test_two_commands_serve(started: StartedSystem, debs: tuple[Path, Path]) -> None:
    """A newcomer serves with two commands: as the package's user, with its key files, its logs and their rotation."""
    commands = newcomer(started, debs[0])
    assert len(commands) == 2 and "apt install" in commands[0] and "systemctl" in commands[1]
    started.run("penstock", "check", f"/{POLICY}")
    assert started.run("systemctl", "is-active", "penstock").strip() == "active"
    eventually(lambda: status(started) == 502 or status(started) == 503, "a refusal: there is no backend yet", 10)
    user = started.run("id", "--user", "penstock").strip()
    process = Path(f"proc/{main_process(started)}/status")
    assert f"\nUid:\t{user}\t{user}\t" in started.run("cat", f"/{process}")

    backend = started.network(sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1", "--directory", "/etc/apt")
    try:
        eventually(lambda: status(started) == 200, "an answer of the backend", 10)
        policy = started.root / POLICY
        text = policy.read_text().replace("#log:", "log:").replace("#state:", "state:")
        text += "tenant: {keys: {file: penstock.keys, unnamed: allow}}\n"
        keys = started.root / "etc/penstock/penstock.keys"
        started.run("sh", "-ec", "penstock key new acme 2>/root/key >/etc/penstock/penstock.keys")
        secret = (started.root / "root/key").read_text().split()[-1]
        started.run("chown", "root:penstock", "/etc/penstock/penstock.keys")
        keys.chmod(0o640)
        policy.write_text(text)
        started.run("systemctl", "reload", "penstock")
        eventually(lambda: status(started) == 401, "a refusal for want of a key", 10)
        assert status(started, "/", "-H", f"Authorization: Bearer {secret}") == 200

        log = started.root / "var/log/private/penstock/access.log"
        eventually(lambda: '"status":200' in log.read_text(), "a line in the log", 10)
        started.run("logrotate", "--force", "/etc/logrotate.d/penstock")
        eventually(log.exists, "a new log", 10)
        assert status(started, "/after", "-H", f"Authorization: Bearer {secret}") == 404
        eventually(lambda: "/after" in log.read_text(), "a line in the new log", 10)
        before = log.with_suffix(".log.1").read_text()
        assert '"status":200' in before and "/after" not in before
    finally:
        backend.kill()
        backend.wait()


@on_a_system
def test_upgraded_while_it_serves(started: StartedSystem, debs: tuple[Path, Path]) -> None:
    """The new version takes over, unless it would not serve with the policy: nobody is refused. A stopped one stays so."""
    newcomer(started, debs[0])
    eventually(lambda: status(started) in (502, 503), "an answer", 10)
    first = main_process(started)
    with statuses(started) as seen:
        said = started.install(debs[1])
    second = main_process(started)
    assert second not in (0, first) and "penstock:" not in said
    assert len(seen) > 20 and set(seen) <= {502, 503}

    policy = started.root / POLICY
    good = policy.read_text()
    policy.write_text(good + "no_such_key: 1\n")
    said = started.run("apt-get", "install", "--allow-downgrades", f"/root/{debs[0].name}")
    assert f"/{POLICY} is not valid for this version" in said and "no_such_key" in said
    assert main_process(started) == second and status(started) in (502, 503)
    policy.write_text(good)
    started.run("systemctl", "kill", "--kill-who=main", "--signal=USR2", "penstock")
    eventually(lambda: main_process(started) not in (0, second), "another process", 20)

    # A request every few milliseconds does see a restart.
    with statuses(started) as seen:
        started.run("systemctl", "restart", "penstock")
    assert 0 in seen
    started.run("systemctl", "stop", "penstock")
    started.install(debs[1])
    assert main_process(started) == 0
    started.run("systemctl", "start", "penstock")
    started.run("apt-get", "remove", "penstock")
    assert started.attempt("systemctl", "is-active", "penstock").stdout.strip() in ("inactive", "failed")
    assert "penstock" not in started.run("sh", "-c", "cat /proc/[0-9]*/comm").split()
    started.run("apt-get", "purge", "penstock")
    assert {path for path in started.named("penstock") if not path.startswith(("/run", "/tmp"))} == set()


@on_a_system
def test_sockets_outlive_a_restart(started: StartedSystem, debs: tuple[Path, Path]) -> None:
    """With the socket unit, which is disabled at first, a restart and an upgrade refuse nobody; a purge leaves nothing of it."""
    newcomer(started, debs[0])
    assert started.attempt("systemctl", "is-enabled", "penstock.socket").stdout.strip() == "disabled"
    page = (ROOT / "docs/operating.md").read_text()
    (block,) = re.findall(r"^```sh\n(systemctl edit penstock.socket.*?)^```$", page, re.M | re.S)
    # The first command opens an editor.
    for command in block.splitlines()[1:]:
        started.run("sh", "-ec", command)
    eventually(lambda: status(started) in (502, 503), "an answer", 10)
    first = main_process(started)
    with statuses(started) as seen:
        started.run("systemctl", "restart", "penstock")
        started.run("systemctl", "restart", "penstock")
        second = main_process(started)
        started.install(debs[1])
    assert len({0, first, second, main_process(started)}) == 4
    assert len(seen) > 20 and set(seen) <= {502, 503}
    # Who comes while it is stopped has it started.
    started.run("systemctl", "stop", "penstock")
    assert status(started) in (502, 503) and main_process(started) != 0
    started.run("systemctl", "stop", "penstock.socket", "penstock")
    assert status(started) == 0
    started.run("systemctl", "start", "penstock.socket")
    started.run("apt-get", "purge", "penstock")
    assert status(started) == 0
    assert {path for path in started.named("penstock") if not path.startswith(("/run", "/tmp"))} == set()


@pytest.fixture(scope="module")
def images(penstock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The image, made twice by users who have little in common."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    builds = [
        (begin_build(penstock, first, "image"), first),
        (begin_build(penstock, second, "image", ELSEWHERE), second),
    ]
    one, other = [only(end_build(*each), ".oci.tar") for each in builds]
    return one, other


needs_umoci = pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")


@needs_umoci
def test_images_are_equal(images: tuple[Path, Path]) -> None:
    """Byte for byte."""
    one, other = images
    assert one.stat().st_size > 10_000_000 and one.read_bytes() == other.read_bytes()


def dockerfile(word: str) -> str:
    """The last line of the Dockerfile that begins with this word, without it."""
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")][-1]


@needs_umoci
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_image_says_what_the_dockerfile_says(images: tuple[Path, Path], penstock: Path) -> None:
    """Who starts the one starts the other: the same user, command, port and signal."""
    shown = subprocess.run(
        ["skopeo", "inspect", "--config", f"oci-archive:{images[0]}"], capture_output=True, text=True, check=True
    )
    image = json.loads(shown.stdout)
    config = image["config"]
    assert config["User"] == dockerfile("USER") and list(config["ExposedPorts"]) == [dockerfile("EXPOSE")]
    assert config["StopSignal"] == dockerfile("STOPSIGNAL")
    assert config["Entrypoint"] == json.loads(dockerfile("ENTRYPOINT")) and config["Cmd"] == json.loads(dockerfile("CMD"))
    assert image["created"] == "2023-11-14T22:13:20Z" and image["os"] == "linux"
    version = subprocess.run([penstock, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert config["Labels"]["org.opencontainers.image.version"] == version


# A namespace of mounts in which the folder $1 is the root, with its own /proc; as the user $2 runs what follows.
CONTAINER = ["unshare", "--mount", "sh", "-ec", '''
root=$1 user=$2; shift 2
mount -t proc proc "$root/proc"
exec chroot --userspec="$user" "$root" "$@"
''', "sh"]


@needs_umoci
@on_a_system
def test_the_image_serves(images: tuple[Path, Path], tmp_path: Path) -> None:
    """Its files are enough to serve with, and each of its libraries is needed."""
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    layout.mkdir()
    subprocess.run(["tar", "--extract", "--file", images[0], "--directory", layout], check=True)
    (tag,) = [
        each["annotations"]["org.opencontainers.image.ref.name"]
        for each in json.loads((layout / "index.json").read_text())["manifests"]
    ]
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:{tag}", bundle], check=True, capture_output=True)
    process = json.loads((bundle / "config.json").read_text())["process"]
    user = f"{process['user']['uid']}:{process['user']['gid']}"
    assert user == "65532:65532"
    rootfs = bundle / "rootfs"

    def script(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(script) as backend:
        (rootfs / POLICY).write_text(one_pool(backend))
        gateway = Process([*CONTAINER, str(rootfs), user, *process["args"]])
        try:
            address = gateway.wait_for_line(listening_line, "line `listening`")["addresses"][0]
            assert request(f"http://{address}", "/").body == b"ok"
            status = Path(f"/proc/{gateway.pid}/status").read_text()
            assert "\nUid:\t65532\t65532\t" in status and "\nGid:\t65532\t65532\t" in status
        finally:
            gateway.stop()

    # Whatever else is on this machine, a scanner finds each library's package, with its licence, in the image.
    packages = {path.name for path in (rootfs / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libcurl4", "libssl3", "libyaml-0-2", "ca-certificates"} <= packages
    assert all((rootfs / "usr/share/doc" / name / "copyright").is_file() for name in packages)
    # Without one of them it does not start: it was the image's own that it had.
    (library,) = rootfs.glob("usr/lib/*/libyaml-0.so.2")
    library.unlink()
    ended = subprocess.run([*CONTAINER, rootfs, user, *process["args"]], capture_output=True, text=True, check=False)
    assert ended.returncode == 127 and "libyaml-0.so.2" in ended.stderr
