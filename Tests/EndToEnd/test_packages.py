"""What deploy/package.sh makes: the same bytes twice, nothing but what is meant to be in it, and true about itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from command_help import commands
from packages import ELSEWHERE, begin_build, build, end_build, only
from processes import ROOT

DEPLOY = ROOT / "deploy"
KINDS = "deb,tarball,sbom"

Files = dict[str, Path]


def run(*command: object, **more: Any) -> str:
    """What a command prints; it must succeed."""
    words = [str(word) for word in command]
    ended = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50, check=False, **more
    )
    assert ended.returncode == 0, f"{words}: {ended.stdout}"
    return ended.stdout


@pytest.fixture(scope="module")
def twins(penstock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    """Two builds of the same binary by users who have little in common."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    builds = [
        (begin_build(penstock, first, KINDS), first),
        (begin_build(penstock, second, KINDS, ELSEWHERE), second),
    ]
    one, other = [end_build(*each) for each in builds]
    return one, other


@pytest.fixture(scope="module")
def files(twins: tuple[Files, Files]) -> Files:
    """A build."""
    return twins[0]


@pytest.fixture(scope="module")
def deb(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Debian as files."""
    directory = tmp_path_factory.mktemp("deb")
    run("dpkg-deb", "--raw-extract", only(files, ".deb"), directory)
    return directory


@pytest.fixture(scope="module")
def version(penstock: Path) -> str:
    """What the binary says of itself."""
    return run(penstock, "--version").strip()


def digests(files: Files) -> dict[str, str]:
    """What tells files apart."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_two_builds_are_equal(twins: tuple[Files, Files], penstock: Path, tmp_path: Path) -> None:
    """Byte for byte, whoever builds and where; with another time they differ."""
    one, other = map(digests, twins)
    assert len(one) == 4 and one == other
    later = build(penstock, tmp_path, "sbom", SOURCE_DATE_EPOCH="1700000001")
    (name,) = [name for name in later if name.endswith(".json")]
    assert digests(later)[name] != one[name]


def test_the_folder_of_a_build_does_not_tell(penstock: Path, deb: Path, tmp_path: Path) -> None:
    """Digests that paths of the build go into become the same, no other byte does, and nothing else changes."""
    sections = run("readelf", "--wide", "--section-headers", penstock)
    one, other, third = (tmp_path / name for name in ("one", "other", "third"))
    places = {}
    for name in (".swift_modhash", ".note.gnu.build-id", ".rodata"):
        (offset,) = re.findall(rf" {re.escape(name)} +\S+ +[0-9a-f]+ ([0-9a-f]+) ", sections)
        places[name] = int(offset, 16) + 20
    settled = []
    for path, names in ((one, []), (other, [".swift_modhash", ".note.gnu.build-id"]), (third, [".rodata"])):
        contents = bytearray(penstock.read_bytes())
        for name in names:
            contents[places[name]] ^= 0xFF
        path.write_bytes(contents)
        run(sys.executable, "-B", DEPLOY / "package/settle.py", path)
        settled.append(path.read_bytes())
    assert settled[0] == settled[1] != settled[2] and len(settled[0]) == penstock.stat().st_size
    identities = [re.findall("Build ID: (.*)", run("readelf", "--notes", path)) for path in (one, third)]
    assert identities[0] != identities[1] and set(identities[0][0]) != {"0"}
    # What makes tables of calls read-only is still there in the end.
    assert "GNU_RELRO" in run("readelf", "--wide", "--program-headers", deb / "usr/bin/penstock")
    assert "BIND_NOW" in run("readelf", "--dynamic", deb / "usr/bin/penstock")


def test_checksums(files: Files, tmp_path: Path) -> None:
    """SHA256SUMS is of everything beside it, and one changed byte is found."""
    listed = {line.split()[1] for line in files["SHA256SUMS"].read_text().splitlines()}
    assert listed == set(files) - {"SHA256SUMS"}
    for path in files.values():
        shutil.copy(path, tmp_path)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    run(*command, cwd=tmp_path)
    changed = tmp_path / only(files, ".json").name
    changed.write_text(changed.read_text() + " ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_version_is_the_binarys(files: Files, deb: Path, version: str) -> None:
    """One place has the version, and the changelog knows it."""
    assert only(files, ".deb").name.startswith(f"penstock_{version}-1_")
    assert f"\nVersion: {version}-1\n" in (deb / "DEBIAN/control").read_text()
    assert only(files, ".tar.gz").name.startswith(f"penstock-{version}-linux-")
    assert json.loads(only(files, ".json").read_text())["metadata"]["component"]["version"] == version
    assert f'"Penstock {version}"' in gzip.open(deb / "usr/share/man/man1/penstock.1.gz", "rt").read()
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
    assert run(deb / "usr/bin/penstock", "--version").strip() == version


# What the package has beside documents and examples.
INSTALLED = {
    "etc/logrotate.d/penstock",
    "etc/penstock/policy.yaml",
    "lib/systemd/system/penstock.service",
    "lib/systemd/system/penstock.socket",
    "usr/bin/penstock",
    "usr/lib/sysusers.d/penstock.conf",
    "usr/share/bash-completion/completions/penstock",
    "usr/share/fish/vendor_completions.d/penstock.fish",
    "usr/share/lintian/overrides/penstock",
    "usr/share/man/man1/penstock.1.gz",
    "usr/share/man/man5/penstock.yaml.5.gz",
    "usr/share/penstock/grafana-dashboard.json",
    "usr/share/penstock/policy.schema.json",
    "usr/share/penstock/included.schema.json",
    "usr/share/penstock/prometheus-rules.yaml",
    "usr/share/zsh/vendor-completions/_penstock",
}


def test_contents(files: Files, deb: Path) -> None:
    """The files that are meant to be there, root's, and writable for nobody else."""
    documents = Path("usr/share/doc/penstock")
    installed = {
        str(path.relative_to(deb))
        for path in deb.rglob("*")
        if path.is_file() and path.relative_to(deb).parts[0] != "DEBIAN"
    }
    assert {name for name in installed if not Path(name).is_relative_to(documents)} == INSTALLED
    for name in ("copyright", "changelog.gz", "changelog.Debian.gz", "penstock.cdx.json", "docs/operating.md"):
        assert str(documents / name) in installed
    examples = {name for name in installed if "/examples/policies/" in name}
    assert {Path(name).name for name in examples} == {path.name for path in (ROOT / "policies").iterdir()}
    for line in run("dpkg-deb", "--contents", only(files, ".deb")).splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and re.fullmatch(r"[-d]rw[-x]r-[-x]r-[-x]", mode), line
        assert ("x" in mode) == (mode[0] == "d" or line.endswith(" ./usr/bin/penstock")), line
    assert (deb / "DEBIAN/conffiles").read_text().split() == ["/etc/logrotate.d/penstock", "/etc/penstock/policy.yaml"]
    sums = (deb / "DEBIAN/md5sums").read_text().splitlines()
    assert {line.split(maxsplit=1)[1] for line in sums} == {name for name in installed if not name.startswith("etc/")}
    run("md5sum", "--check", "--quiet", "DEBIAN/md5sums", cwd=deb)


def test_the_units_are_the_ones(deb: Path) -> None:
    """The units are deploy/'s as they are, and start what the package has with the policy that it has, where it listens."""
    units = {name: (deb / "lib/systemd/system" / name).read_text() for name in ("penstock.service", "penstock.socket")}
    assert all(text == (DEPLOY / name).read_text() for name, text in units.items())
    (address,) = re.findall(r"^ListenStream=(.*)$", units["penstock.socket"], re.MULTILINE)
    assert f"\nlisten: {address}\n" in (deb / "etc/penstock/policy.yaml").read_text()
    unit = units["penstock.service"]
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, serve, option, policy = command.split()
    assert (serve, option) == ("serve", "--policy")
    assert (deb / program.lstrip("/")).is_file() and (deb / policy.lstrip("/")).is_file()
    for name in ("postinst", "prerm", "postrm"):
        script = (deb / "DEBIAN" / name).read_text()
        assert 'units="penstock.socket penstock.service"\n' in script and "@" not in script
        run("sh", "-n", deb / "DEBIAN" / name)


def test_the_policy_serves_this_machine_alone(penstock: Path, deb: Path) -> None:
    """The policy that is installed is valid as it is, and every line that it has in reserve is, too."""
    policy = deb / "etc/penstock/policy.yaml"
    run(penstock, "check", policy)
    reserve = re.sub(r"^#(?=\w+:)", "", policy.read_text(), flags=re.MULTILINE)
    assert reserve.count("/var/l") == 2
    policy.with_name("reserve.yaml").write_text(reserve)
    dump = run(penstock, "check", "--policy-only", "--dump", policy.with_name("reserve.yaml"))
    policy.with_name("reserve.yaml").unlink()
    assert "/var/lib/penstock/limits.json" in dump and "/var/log/penstock/access.log" in dump
    listeners = re.findall(r"^(?:listen|admin): (\S+)$", policy.read_text(), re.MULTILINE)
    assert listeners == ["127.0.0.1:8080", "127.0.0.1:9090"]


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian(files: Files) -> None:
    """Debian's judge has nothing to say but what is overridden, and each override has its reason and is needed."""
    said = run("lintian", "--allow-root", "--display-info", "--pedantic", "--show-overrides", only(files, ".deb"))
    assert re.findall("^[A-MP-Z]: .*", said, re.MULTILINE) == []
    overrides = (DEPLOY / "package/lintian-overrides").read_text().splitlines()
    wanted = [line for line in overrides if line and not line.startswith("#")]
    assert all(overrides[overrides.index(line) - 1].startswith("#") for line in wanted)
    overridden = re.findall(r"^O: penstock: (\S+)", said, re.MULTILINE)
    assert sorted(set(overridden)) == sorted(line.split()[1] for line in wanted), said


def test_tarball(files: Files, deb: Path, version: str, tmp_path: Path) -> None:
    """It has the package's own files, in one folder, and they work where they are."""
    with tarfile.open(only(files, ".tar.gz")) as archive:
        assert {member.name.split("/")[0] for member in archive} == {f"penstock-{version}"}
        archive.extractall(tmp_path, filter="data")
    top = tmp_path / f"penstock-{version}"
    assert run(top / "bin/penstock", "--version").strip() == version
    run(top / "bin/penstock", "check", top / "share/penstock/policy.yaml")
    for mine, debians in (
        ("bin/penstock", "usr/bin/penstock"),
        ("share/penstock/penstock.service", "lib/systemd/system/penstock.service"),
        ("share/penstock/penstock.socket", "lib/systemd/system/penstock.socket"),
        ("share/penstock/policy.yaml", "etc/penstock/policy.yaml"),
        ("share/zsh/site-functions/_penstock", "usr/share/zsh/vendor-completions/_penstock"),
        ("share/doc/penstock/docs/operating.md", "usr/share/doc/penstock/docs/operating.md"),
    ):
        assert (top / mine).read_bytes() == (deb / debians).read_bytes(), mine
    assert (top / "share/doc/penstock/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    page = gzip.open(deb / "usr/share/man/man5/penstock.yaml.5.gz").read()
    assert (top / "share/man/man5/penstock.yaml.5").read_bytes() == page


def linked_packages(binary: Path) -> set[str]:
    """The Debian packages of the libraries that a binary names, by another way than the script's."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", binary))
    paths = dict(re.findall(r"^\s*(\S+) => (\S+) ", run("ldd", binary), re.MULTILINE))
    found = set()
    for name in needed:
        path = paths.get(name, "")
        if not path:
            continue
        said = subprocess.run(
            ["dpkg", "-S", path, f"/usr{path}"], capture_output=True, text=True, check=False
        ).stdout
        found.add(said.split(":")[0])
    return found


def test_list_of_contents(files: Files, deb: Path) -> None:
    """The SBOM names each Swift package at its commit, and each library's package in the version that is here."""
    document = json.loads(only(files, ".json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    binary = deb / "usr/bin/penstock"
    (digest,) = document["metadata"]["component"]["hashes"]
    assert digest == {"alg": "SHA-256", "content": hashlib.sha256(binary.read_bytes()).hexdigest()}

    parts = {part["name"]: part for part in document["components"]}
    linkage = {name: part["properties"][0]["value"] for name, part in parts.items()}
    pins = {pin["identity"]: pin["state"] for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]}
    assert len(pins) >= 2
    assert {name for name, how in linkage.items() if how == "static"} == {"swift", *pins}
    for name, state in pins.items():
        assert {"name": "penstock:revision", "value": state["revision"]} in parts[name]["properties"]
    libraries = {name for name, how in linkage.items() if how == "dynamic"}
    assert libraries == linked_packages(binary) and {"libc6", "libcurl4", "libssl3"} <= libraries
    for name in libraries:
        installed = run("dpkg-query", "--show", "--showformat", "${Version}", name)
        assert parts[name]["version"] == installed and parts[name]["purl"].startswith("pkg:deb/debian/")

    references = [part["bom-ref"] for part in parts.values()]
    root, *others = document["dependencies"]
    assert root == {"ref": document["metadata"]["component"]["bom-ref"], "dependsOn": references}
    assert [other["ref"] for other in others] == references and len(set(references)) == len(parts)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_manual_pages(penstock: Path, deb: Path) -> None:
    """They are sound, and a reader sees every command, every option and every key."""
    for page, section in (("penstock", 1), ("penstock.yaml", 5)):
        path = deb / f"usr/share/man/man{section}/{page}.{section}.gz"
        judged = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True, timeout=20, check=False
        )
        # Without a date, the same binary makes the same page.
        (fault,) = judged.stdout.splitlines()
        assert "missing date" in fault
        shown = re.sub(r".\x08", "", run("mandoc", "-T", "utf8", "-O", "width=1000", path))
        if section == 1:
            for command in commands(penstock):
                if not command.subcommands:
                    assert " ".join(("penstock", *command.words)) in shown
                assert all(re.search(rf"(?<![\w-]){option}(?![\w-])", shown) for option in command.options)
        else:
            keys = re.findall(r"^\| `([^`]+)` \|", run(penstock, "schema", "--markdown"), re.MULTILINE)
            assert len(keys) > 150
            starts = {line.split()[0] for line in shown.splitlines() if line.strip()}
            assert [key for key in keys if key not in starts] == []


def test_what_is_wrong_is_told(penstock: Path, tmp_path: Path) -> None:
    """A kind, a time, a revision or a binary that cannot be: one line, and nothing is made."""
    script = str(DEPLOY / "package.sh")
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\necho 1.0\n")
    text.chmod(0o755)
    for arguments, variables, fault in (
        (["--only", "rpm"], {}, "`rpm` is not known; kinds are deb tarball sbom image"),
        (["--only"], {}, "--only takes kinds"),
        (["--all"], {}, "usage: deploy/package.sh"),
        ([], {"SOURCE_DATE_EPOCH": "yesterday"}, "not `yesterday`"),
        ([], {"REVISION": "one"}, "not `one`"),
        ([], {"PENSTOCK": "/nonexistent/penstock"}, "/nonexistent/penstock is no binary"),
        (["--only", "sbom"], {"PENSTOCK": str(text)}, f"{text} is no binary"),
    ):
        directory = tmp_path / "made"
        if not arguments or len(arguments) > 1:
            arguments = [*arguments, str(directory)]
        ended = subprocess.run(
            [script, *arguments], env={**os.environ, "PENSTOCK": str(penstock), **variables},
            capture_output=True, text=True, timeout=30, check=False,
        )
        assert ended.returncode != 0 and fault in ended.stderr, (arguments, ended)
        assert not directory.exists() or list(directory.iterdir()) == []
