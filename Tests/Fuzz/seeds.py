"""Makes seeds for the fuzz targets out of the corpora: seeds.py TARGET FOLDER."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
CORPUS = TESTS / "HTTP1Tests" / "Corpus"
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|\((\d+)\*((?:[^)\\]|\\.)*)\)|(.))")


def unescaped(text: bytes) -> bytes:
    """What an input line of the corpus stands for."""

    def one(match: re.Match[bytes]) -> bytes:
        hexadecimal, count, part, letter = match.groups()
        if hexadecimal is not None:
            return bytes([int(hexadecimal, 16)])
        if count is not None:
            return unescaped(part) * int(count)
        return {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(letter, letter)

    return ESCAPE.sub(one, text)


def cases(prefix: str) -> Iterator[tuple[str, bytes]]:
    """Method and input of every case in the files whose names begin with `prefix`."""
    for path in sorted(CORPUS.glob(f"{prefix}*.txt")):
        for case in re.split(rb"^=== .*\n", path.read_bytes(), flags=re.M)[1:]:
            lines = case.split(b"\n---\n")[0].split(b"\n")
            method = [line[7:].decode() for line in lines if line.startswith(b"method ")]
            message = b"".join(unescaped(line[2:]) for line in lines if line.startswith(b"| "))
            yield (method or ["GET"])[0], message


def requests() -> Iterator[bytes]:
    for _, message in cases("request-"):
        if len(message) < 4000:
            yield b"\x01\x07" + message


def responses() -> Iterator[bytes]:
    for method, message in cases("response-"):
        if len(message) < 4000:
            yield bytes([METHODS.index(method), 1, 7]) + message


def chunks() -> Iterator[bytes]:
    for _, message in [*cases("request-chunk"), *cases("response-framing")]:
        _, _, body = message.partition(b"\r\n\r\n")
        if body and len(body) < 4000:
            yield b"\x01\x07" + body


def policies() -> Iterator[bytes]:
    for path in sorted((TESTS / "PolicyTests" / "Golden").glob("*.golden")):
        yield path.read_bytes().split(b"\n----------\n")[0] + b"\n"
    for path in sorted((TESTS.parent / "policies").glob("*.yaml")):
        yield path.read_bytes()


def schedules() -> Iterator[bytes]:
    """Clients and backends that exchange a message each: see Connections/Schedule.swift."""
    answers = [message for _, message in cases("response-") if len(message) < 250]
    requests = [message for _, message in cases("request-") if len(message) < 250]
    for number, message in enumerate(requests):
        answer = answers[number % len(answers)]
        yield (
            bytes([number % 2, 0, 1, 0, len(message)]) + message + bytes([8])
            + bytes([2, 0, len(answer)]) + answer + bytes([7, 0, 14, 10])
        )
    for request in range(7):
        for answer in range(7):
            yield bytes([answer % 2, 0, 3, 0, request, 8, 5, 0, answer, 3, 0, answer, 8, 5, 0, 0, 5, 1, 0])
            yield bytes([1, 0, 0, 0, 3, 0, request, 3, 1, request, 3, 2, request, 8, 8, 5, 1, answer, 13, 200])
            yield bytes([0, 0, 11, 0, 2, 3, 0, request, 8, 12, 0, 3, 5, 0, answer, 9, 0, 14, 9, 10, 0])
            yield bytes([1, 0, 3, 0, 5, 8, 5, 0, 5, 1, 0, 4, 1, 2, 3, 4, 2, 0, 4, 5, 6, 7, 8, 6 + answer % 2, 0, 15, 0xD0])


MAKERS = {
    "RequestParser": requests,
    "ResponseParser": responses,
    "ChunkedDecoder": chunks,
    "PolicyLoader": policies,
    "Connections": schedules,
}

if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(MAKERS[name]()):
        (folder / f"seed-{number:04}").write_bytes(seed)
