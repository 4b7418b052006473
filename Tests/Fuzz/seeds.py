"""Makes seeds for the fuzz targets out of the corpora: seeds.py TARGET FOLDER."""

from __future__ import annotations

import contextlib
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def hello(names: list[str], ciphers: str = "", **settings: Any) -> bytes:
    """The first bytes of a client that is made like this."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    if ciphers:
        context.set_ciphers(ciphers)
    if names[1:]:
        context.set_alpn_protocols(names[1:])
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=names[0] or None)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def handshakes() -> Iterator[bytes]:
    """Clients' first words, whole, cut and twice, to every listener; and real clients: see Handshakes/FuzzHandshakes.swift."""
    old = ssl.TLSVersion.TLSv1_2
    hellos = [
        hello([""]), hello(["a.example"]), hello(["x.wild.example", "http/1.1"]), hello(["nobody.example"]),
        hello(["b.example", "h2"]), hello(["b.example", "h2", "http/1.1"]), hello(["a" * 60 + ".example"]),
        hello(["a.example"], maximum_version=old), hello(["", "http/1.1"], maximum_version=old),
        hello(["b.example"], "ECDHE-RSA-AES128-GCM-SHA256", maximum_version=old),
        hello(["a.example"], "ECDHE-ECDSA-CHACHA20-POLY1305", maximum_version=old),
        hello(["a.example"], "DHE-RSA-AES256-SHA256:AES128-SHA", maximum_version=old),
        hello(["a.example"], minimum_version=ssl.TLSVersion.TLSv1_3),
    ]
    strangers = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"CONNECT a:443 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", b"\x16\x03\x01\x00\x00",
        b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x01" + b"x" * 300, b"\x16\x03\x01\xff\xff" + b"\x01" * 300, b"\0" * 64,
    ]
    for listener in range(12):
        for data in [*hellos, *strangers]:
            yield bytes([listener << 1, 7]) + data
        for data in hellos[:2]:
            half = len(data) // 2
            # In records of their own (RFC 8446 section 5.1), cut, and once more behind it.
            body = data[5:]
            yield bytes([listener << 1, 7]) + b"".join(
                data[:3] + len(part).to_bytes(2, "big") + part for part in (body[:half], body[half:])
            )
            yield bytes([listener << 1, 7]) + data[:half]
            yield bytes([listener << 1, 7]) + data + data
            yield bytes([listener << 1, 7]) + data + b"\x14\x03\x03\x00\x01\x01" + b"\x17\x03\x03\x00\x35" + b"x" * 53
        for manner in range(0, 256, 5):
            yield bytes([listener << 1 | 1, 7, manner, 0]) + b"GET / HTTP/1.1"
            change = bytes([manner % 5, manner % 3, (manner * 7) % 256, manner])
            yield bytes([listener << 1 | 1, 7, manner, 1]) + change + b"GET / HTTP/1.1"


MAKERS = {
    "RequestParser": requests,
    "ResponseParser": responses,
    "ChunkedDecoder": chunks,
    "PolicyLoader": policies,
    "Connections": schedules,
    "Handshakes": handshakes,
}

if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(MAKERS[name]()):
        (folder / f"seed-{number:04}").write_bytes(seed)
