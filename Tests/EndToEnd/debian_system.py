"""Debian systems below a folder, to install packages in: as a chroot, and started, with systemd as their first process.

Both take root's privileges. Nothing of this machine is changed: mounts, processes, the network of a started system and its
control groups are in namespaces and groups of their own, and end with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What a system has beside what Debian calls minimal: the first process, and what README's commands are written with.
INCLUDED = "systemd,sudo,logrotate,curl"
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root",
}

# A namespace of mounts and processes in which the folder $1 is the root; the command's words follow.
CHROOT = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", '''
root=$1; shift
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
''', "sh"]

# What a container's engine would lay out for systemd below $1.
BOOT = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "sh", "-ec", '''
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do : >"dev/$node"; mount --bind "/dev/$node" "dev/$node"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
exec chroot . /lib/systemd/systemd
''', "sh"]


@cache
def why_not() -> str:
    """Why no system can be made here; empty where it can."""
    if os.geteuid() != 0:
        return "systems are made by root"
    for tool in ("debootstrap", "unshare", "nsenter"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    ended = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "true"], capture_output=True, text=True, check=False
    )
    return f"no namespaces can be made: {ended.stderr.strip()}" if ended.returncode else ""


def bootstrap(root: Path) -> None:
    """Makes a system below `root`, with what it needs to find packages by their names."""
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(root), MIRROR],
        capture_output=True, text=True, check=False,
    )
    assert made.returncode == 0, made.stdout[-3000:]
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # Nobody answers questions here; a test says itself where there must be none.
    (root / "etc/apt/apt.conf.d/90-tests").write_text('APT::Get::Assume-Yes "true";\n')


class System:
    """A system that runs nothing but the commands that it is given."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, however that is."""
        return subprocess.run(
            [*self.entrance(), *command], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=120, check=False,
        )

    def run(self, *command: str) -> str:
        """Runs a command, which must succeed, and returns what it says."""
        ended = self.attempt(*command)
        assert ended.returncode == 0, f"{command}: status {ended.returncode}\n{ended.stdout}"
        return ended.stdout

    def entrance(self) -> Sequence[str]:
        """The command that runs another one within."""
        return [*CHROOT, str(self.root)]

    def install(self, package: Path) -> str:
        """Has apt install a package's file."""
        shutil.copy(package, self.root / "root")
        return self.run("apt-get", "install", f"/root/{package.name}")

    def named(self, word: str) -> set[str]:
        """The paths that have this in their last part."""
        found = self.run("find", "/", "-xdev", "-name", f"*{word}*", "-not", "-path", "/root/*")
        return set(found.split())


class StartedSystem(System):
    """A system with systemd as its first process and a network of its own, which leads nowhere."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._group = control_groups() / f"penstock-test-{os.getpid()}-{root.name}"
        self._group.mkdir()
        enter = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
        self._outer = subprocess.Popen(
            ["sh", "-ec", enter, "sh", str(self._group), *BOOT, str(root)],
            env={**ENVIRONMENT, "container": "test"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self._first = 0

    def wait(self) -> None:
        """Waits until everything is started that starts with the system."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        deadline = time.monotonic() + 30
        state = "no first process"
        while state not in ("running", "degraded"):
            assert time.monotonic() < deadline and self._outer.poll() is None, f"the system does not start: {state}"
            time.sleep(0.1)
            if pids := children.read_text().split():
                self._first = int(pids[0])
                state = self.attempt("systemctl", "is-system-running").stdout.strip()

    def entrance(self) -> Sequence[str]:
        return ["nsenter", "--target", str(self._first), "--all", "--root", "--wd"]

    def network(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts a command of this machine in the system's network."""
        return subprocess.Popen(
            ["nsenter", "--target", str(self._first), "--net", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        """Ends every process of the system."""
        if self._first:
            os.kill(self._first, signal.SIGKILL)
        self._outer.kill()
        self._outer.wait(10)
        deadline = time.monotonic() + 5
        groups = sorted(self._group.rglob("cgroup.procs"), key=lambda path: -len(path.parts))
        for group in groups:
            while True:
                try:
                    group.parent.rmdir()
                    break
                except OSError:
                    # The last processes are on their way.
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)


def control_groups() -> Path:
    """Where this machine's second version of control groups is mounted."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(place)
    raise AssertionError("no control groups are mounted")
