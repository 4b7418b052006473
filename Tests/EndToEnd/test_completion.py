"""Completions, asked for in the shells that they are for: everything that help lists is offered, where it may stand."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from command_help import Command, commands

SHELLS = ["bash", "zsh", "fish"]
FLAGS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--private", "-i"],
}
# The last line of a shell that waits for a command.
PROMPT = "ready> "
SETUP = {
    "bash": f"PS1='{PROMPT}'; bind 'set bell-style none'; bind 'set completion-query-items 0'; source ./completion",
    "zsh": f"PS1='{PROMPT}'; unsetopt beep prompt_cr prompt_sp; LISTMAX=0; autoload -Uz compinit; compinit -D -u; "
    "source ./completion",
    "fish": f"function fish_prompt; echo -n '{PROMPT}'; end; source ./completion",
}
# What a line that was completed and entered comes to.
ECHO = {
    "bash": "penstock() { printf 'got:'; printf '<%s>' \"$@\"; echo .; }",
    "zsh": "penstock() { printf 'got:'; printf '<%s>' \"$@\"; echo . }",
    "fish": "function penstock; printf 'got:'; printf '<%s>' $argv; echo .; end",
}


class Terminal:
    """A shell that believes that somebody types."""

    def __init__(self, shell: str, directory: Path) -> None:
        environment = {**os.environ, "TERM": "xterm", "HOME": str(directory), "LC_ALL": "C.UTF-8"}
        self._child, self._terminal = pty.fork()
        if self._child == 0:
            os.chdir(directory)
            os.execvpe(FLAGS[shell][0], FLAGS[shell], environment)
        # All that is offered fits in.
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 250, 0, 0))
        for line in (SETUP[shell], ECHO[shell]):
            self.type(f"{line}\n")
        # Something that is not in what is typed, which comes back as well.
        self.type("expr 7000 + 999\n")
        self.until(rf"7999[^\d].*{PROMPT}")

    def type(self, keys: str) -> None:
        """Sends keys."""
        os.write(self._terminal, keys.encode())

    def until(self, pattern: str, seconds: float = 10.0) -> str:
        """Everything that is written until there is this."""
        deadline, text = time.monotonic() + seconds, ""
        while not re.search(pattern, text, re.DOTALL):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(0, left))
            assert ready, f"no {pattern!r} in {text!r}"
            text += os.read(self._terminal, 65536).decode(errors="replace")
        return text

    def completed(self, keys: str) -> list[str]:
        """The words of the command that the line comes to, when it is completed where it ends, and entered."""
        self.type(f"{keys}\t\n")
        found = re.search(r"got:((?:<[^>]*>)*)\.", self.until(rf"got:(<[^>]*>)*\..*{PROMPT}"))
        assert found
        # A folder's sign is a matter of taste when nothing follows.
        return [word.rstrip("/") for word in re.findall("<([^>]*)>", found[1])]

    def listed(self, keys: str) -> str:
        """What is shown when a line is completed where it ends."""
        self.type(f"{keys}\t")
        # Ctrl-A and Ctrl-K: nothing is left of the line.
        self.type("\x01\x0bexpr 7000 + 998\n")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.until(rf"7998[^\d].*{PROMPT}"))

    def close(self) -> None:
        """Ends the shell."""
        os.kill(self._child, 9)
        os.close(self._terminal)
        os.waitpid(self._child, 0)


@contextmanager
def terminal(penstock: Path, shell: str, directory: Path) -> Iterator[Terminal]:
    """A shell that has the completions, in a folder with policies."""
    prepare(penstock, shell, directory)
    opened = Terminal(shell, directory)
    try:
        yield opened
    finally:
        opened.close()


def prepare(penstock: Path, shell: str, directory: Path) -> None:
    """The script, and files that can be named."""
    text = subprocess.run([penstock, "completion", shell], capture_output=True, timeout=20, check=True).stdout
    (directory / "completion").write_bytes(text)
    (directory / "policies").mkdir()
    for name in ("one.yaml", "a policy.yaml"):
        (directory / "policies" / name).touch()


def needs(shell: str) -> object:
    """A parameter that is left out where there is no such shell."""
    missing = pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")
    return pytest.param(shell, marks=missing)


@pytest.mark.parametrize("shell", [needs(shell) for shell in SHELLS])
def test_lines_are_completed(penstock: Path, tmp_path: Path, shell: str) -> None:
    """Commands, options, values and files, as somebody types them."""
    with terminal(penstock, shell, tmp_path) as typist:
        for keys, words in (
            ("penstock sch", ["schema"]),
            ("penstock key n", ["key", "new"]),
            ("penstock help key n", ["help", "key", "new"]),
            ("penstock serve --pol", ["serve", "--policy"]),
            ("penstock serve --policy policies/on", ["serve", "--policy", "policies/one.yaml"]),
            ("penstock serve --policy=policies/on", ["serve", "--policy=policies/one.yaml"]),
            ("penstock serve -p policies/a", ["serve", "-p", "policies/a policy.yaml"]),
            ("penstock check --dump policies/on", ["check", "--dump", "policies/one.yaml"]),
            ("penstock check --format gi", ["check", "--format", "github"]),
            ("penstock check --format=j", ["check", "--format=json"]),
            ("penstock adversary --output pol", ["adversary", "--output", "policies"]),
            ("penstock completion z", ["completion", "zsh"]),
            # Nothing is made up: the first is no command, the second takes a number, the third no file.
            ("penstock one", ["one"]),
            ("penstock serve --seed pol", ["serve", "--seed", "pol"]),
            ("penstock schema pol", ["schema", "pol"]),
        ):
            assert typist.completed(keys) == words, keys


def bash_offers(directory: Path, words: list[str], last: str) -> set[str]:
    """What bash's function offers for the last word."""
    script = 'source ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _penstock; printf "%s\\n" "${COMPREPLY[@]}"'
    return shell_words(directory, ["bash", "-c", script, "bash", "penstock", *words, last])


def fish_offers(directory: Path, words: list[str], last: str) -> set[str]:
    """What fish itself offers for the last word."""
    line = " ".join(["penstock", *words, last])
    script = f"source ./completion; complete -C '{line}'"
    # A description follows behind a tab.
    return {
        text.split("\t")[0] for text in shell_words(directory, ["fish", "--no-config", "--private", "-c", script])
    }


def zsh_offers(typist: Terminal, words: list[str], last: str) -> set[str]:
    """What zsh itself lists for the last word, or completes where there is but one."""
    line = " ".join(["penstock", *words, last])
    text = typist.listed(line)
    found = set(re.findall(rf"{re.escape(line)}([\w-]+)", text))
    for row in text.splitlines():
        names, is_row, _ = row.partition(" -- ")
        found |= set(names.split()) if is_row else set()
    return found


def shell_words(directory: Path, command: list[str]) -> set[str]:
    """The lines that a command prints."""
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=20, check=True)
    return set(ended.stdout.splitlines()) - {""}


@contextmanager
def offers(shell: str, directory: Path) -> Iterator[Callable[[list[str], str], set[str]]]:
    """What a shell offers for a line's last word, which is its second argument."""
    if shell == "zsh":
        typist = Terminal(shell, directory)
        try:
            yield partial(zsh_offers, typist)
        finally:
            typist.close()
    else:
        yield partial(bash_offers if shell == "bash" else fish_offers, directory)


@pytest.mark.parametrize("shell", [needs(shell) for shell in SHELLS])
def test_everything_is_offered(penstock: Path, tmp_path: Path, shell: str) -> None:
    """After each command, exactly the options that its help lists, and after each group its commands."""
    prepare(penstock, shell, tmp_path)
    listed = commands(penstock)
    assert len(listed) > 8 and any(command.words == ("key", "new") for command in listed)
    with offers(shell, tmp_path) as offered:
        for command in listed:
            words = list(command.words)
            options = {name for name in offered(words, "-") if name.startswith("-")} - {"-"}
            assert options == command.options, words
            if command.subcommands:
                assert {name for name in offered(words, "") if not name.startswith("-")} == wanted(command)


def wanted(command: Command) -> set[str]:
    """The words that may follow a group."""
    return {*command.subcommands, *(() if command.words else ("help",))}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_bash_script_is_sound(penstock: Path, tmp_path: Path) -> None:
    """A judge of scripts has nothing to say."""
    prepare(penstock, "bash", tmp_path)
    subprocess.run(["shellcheck", "--shell", "bash", tmp_path / "completion"], timeout=20, check=True)
