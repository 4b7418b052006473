"""Random requests for the differential test: valid ones, and ones with a fault that has a name."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

CRLF = b"\r\n"


@dataclass
class Message:
    """A request in pieces, so that each piece can be damaged."""

    method: bytes = b"GET"
    target: bytes = b"/a"
    version: bytes = b"HTTP/1.1"
    lines: list[bytes] = field(default_factory=lambda: [b"Host: example.org"])
    body: bytes = b""
    end: bytes = CRLF
    start: bytes | None = None

    def bytes(self) -> bytes:
        """The request as it is sent."""
        start = self.start if self.start is not None else b" ".join((self.method, self.target, self.version))
        return start + self.end + b"".join(line + self.end for line in self.lines) + self.end + self.body


def chunked(body: bytes, pick: random.Random) -> bytes:
    """`body` in chunks of random sizes."""
    pieces = b""
    while body:
        size = pick.randint(1, len(body))
        pieces += b"%x\r\n%s\r\n" % (size, body[:size])
        body = body[size:]
    return pieces + b"0\r\n\r\n"


def valid(pick: random.Random) -> Message:
    """A request that nobody should refuse."""
    message = Message()
    message.method = pick.choice([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD"])
    message.target = pick.choice(
        [b"/", b"/a", b"/a/b?c=d", b"/%41?x=%20", b"/a;b=c,d", b"//a", b"/?", b"/~user/(x)"]
    )
    message.lines[0] = pick.choice([b"Host: example.org", b"host:example.org", b"HOST:  example.org:80  "])
    for _ in range(pick.randint(0, 3)):
        name = pick.choice([b"X-One", b"x-two", b"Accept", b"User-Agent", b"Cookie"])
        message.lines.append(name + b": " + pick.choice([b"1", b"a, b", b"", b"x=\t y", b'"q"']))
    body = bytes(pick.randrange(256) for _ in range(pick.randint(0, 40)))
    if message.method in (b"POST", b"PUT", b"PATCH"):
        if pick.random() < 0.5:
            message.lines.append(b"Content-Length: %d" % len(body))
            message.body = body
        else:
            message.lines.append(b"Transfer-Encoding: chunked")
            message.body = chunked(body, pick)
    return message


def with_body(pick: random.Random, *lines: bytes, body: bytes = b"hello") -> Message:
    """A POST with these framing lines."""
    message = Message(b"POST", b"/b")
    message.lines += lines
    pick.shuffle(message.lines)
    message.body = body
    return message


def with_chunks(body: bytes) -> Message:
    """A POST whose body is sent as chunks that were written by hand."""
    return Message(b"POST", b"/c", lines=[b"Host: example.org", b"Transfer-Encoding: chunked"], body=body)


def with_line(line: bytes) -> Message:
    """A GET with one more line."""
    return Message(lines=[b"Host: example.org", line, b"X-Last: 1"])


def with_end(end: bytes) -> Message:
    """A GET whose lines end in a way of their own."""
    return Message(lines=[b"Host: example.org", b"X-Last: 1"], end=end)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: example.org\r\n\r\n"

Maker = Callable[[random.Random], Message]

FAULTS: dict[str, Maker] = {
    "CL.TE": lambda p: with_body(
        p, b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nX"),
    "TE.CL": lambda p: with_body(
        p, b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n"),
    "TE with a space before the colon": lambda p: with_body(
        p, b"Content-Length: 5", b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "TE in obsolete folding": lambda p: with_body(
        p, b"Content-Length: 5", b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
    "TE of another coding": lambda p: with_body(
        p, p.choice([b"Transfer-Encoding: xchunked", b"Transfer-Encoding: gzip, chunked",
                     b"Transfer-Encoding: identity"]), body=b"0\r\n\r\n"),
    "TE chunked twice": lambda p: with_body(
        p, b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "two TE": lambda p: with_body(
        p, b"Transfer-Encoding: chunked", b"Transfer-Encoding: " + p.choice([b"chunked", b"identity"]),
        body=b"0\r\n\r\n"),
    "TE with a control byte": lambda p: with_body(
        p, b"Transfer-Encoding: " + p.choice([b"\x0bchunked", b"chunked\x0c", b"chu\0nked"]),
        body=b"0\r\n\r\n"),
    "TE in HTTP/1.0": lambda p: Message(
        b"POST", b"/b", b"HTTP/1.0", [b"Host: example.org", b"Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "two equal CL": lambda p: with_body(p, b"Content-Length: 5", b"Content-Length: 5"),
    "two different CL": lambda p: with_body(p, b"Content-Length: 5", b"Content-Length: 6"),
    "CL as a list": lambda p: with_body(p, b"Content-Length: 5, 5"),
    "CL with a sign": lambda p: with_body(p, b"Content-Length: " + p.choice([b"+5", b"-5"])),
    "CL in hexadecimal": lambda p: with_body(p, b"Content-Length: 0x5"),
    "CL with zeros in front": lambda p: with_body(p, b"Content-Length: 005"),
    "CL with blanks around it": lambda p: with_body(p, b"Content-Length: \t5 \t"),
    "CL that overflows": lambda p: with_body(
        p, b"Content-Length: " + p.choice([b"18446744073709551621", b"9223372036854775813"])),
    "CL that is no number": lambda p: with_body(
        p, b"Content-Length: " + p.choice([b"5x", b"5.0", b"5 5", b"", b"five"])),
    "CL.0": lambda p: with_body(p, b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "body with GET": lambda p: Message(
        b"GET", b"/g", lines=[b"Host: example.org", b"Content-Length: %d" % len(SMUGGLED)], body=SMUGGLED),
    "chunk size that overflows": lambda p: with_chunks(b"1%s5\r\nhello\r\n0\r\n\r\n" % (b"0" * 15)),
    "chunk size with zeros in front": lambda p: with_chunks(b"0005\r\nhello\r\n0\r\n\r\n"),
    "chunk size with junk": lambda p: with_chunks(
        p.choice([b"5x", b"0x5", b"+5", b"-5", b"5 5", b" 5", b"5\0", b"5\x0b"]) + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk size with blanks behind it": lambda p: with_chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
    "chunk size that is missing": lambda p: with_chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "chunk extension": lambda p: with_chunks(
        p.choice([b"5;a", b"5;a=b", b'5;a="b;c"', b"5;a;b"]) + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with junk": lambda p: with_chunks(
        p.choice([b"5;", b"5;\0", b"5;a\r", b'5;a="b']) + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with a bare line feed": lambda p: with_chunks(b"5;a\nhello\r\n0\r\n\r\n"),
    "chunk that ends in a bare line feed": lambda p: with_chunks(b"5\nhello\n0\n\n"),
    "chunk that is longer than its size": lambda p: with_chunks(b"3\r\nhello\r\n0\r\n\r\n"),
    "trailers": lambda p: with_chunks(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "trailers that frame": lambda p: with_chunks(
        b"5\r\nhello\r\n0\r\n" + p.choice([b"Content-Length: 1", b"Transfer-Encoding: x", b"Host: b"])
        + b"\r\n\r\n"),
    "bare line feeds": lambda p: with_end(b"\n"),
    "bare carriage returns": lambda p: with_end(b"\r"),
    "line feed in a line": lambda p: with_line(b"X-A: 1\nX-B: 2"),
    "carriage return in a value": lambda p: with_line(b"X-A: 1\rX-B: 2"),
    "NUL in a value": lambda p: with_line(b"X-A: 1\x002"),
    "control byte in a value": lambda p: with_line(b"X-A: 1" + bytes([p.choice([1, 7, 11, 27, 127])])),
    "byte above 127 in a value": lambda p: with_line(b"X-A: " + bytes([p.randint(128, 255)])),
    "obsolete folding": lambda p: with_line(b"X-A: 1\r\n\t2"),
    "space before the colon": lambda p: with_line(b"X-A : 1"),
    "name that is empty": lambda p: with_line(b": 1"),
    "name that is no token": lambda p: with_line(
        p.choice([b"X A", b"X(A)", b"X/A", b"X\xe9", b"X\0A", b'"X"']) + b": 1"),
    "line without a colon": lambda p: with_line(b"X-A"),
    "folding of the first line": lambda p: Message(lines=[b" X: 1", b"Host: example.org"]),
    "no Host": lambda p: Message(lines=[b"X-A: 1"]),
    "two Host": lambda p: Message(lines=[b"Host: example.org", b"Host: example.org"]),
    "Host that is bad": lambda p: Message(
        lines=[b"Host: " + p.choice([b"a b", b"a/b", b"a@b", b"[::1", b"a:b:c", b"", b"a:99999", b"\xe9"])]),
    "absolute form": lambda p: Message(target=b"http://example.org/abs?q"),
    "absolute form with another Host": lambda p: Message(target=b"http://other.example/abs"),
    "absolute form without a path": lambda p: Message(target=b"http://example.org"),
    "absolute form of another scheme": lambda p: Message(target=b"ftp://example.org/"),
    "absolute form with a user": lambda p: Message(target=b"http://user@example.org/"),
    "target with a fragment": lambda p: Message(target=b"/a#b"),
    "target with a bad byte": lambda p: Message(
        target=b"/a" + bytes([p.choice([0, 1, 9, 11, 127, 128, 233, 255])])),
    "target with visible bytes outside the grammar": lambda p: Message(
        target=b"/a" + p.choice([b'"', b"<", b"\\", b"^", b"`", b"{", b"|", b"%zz"])),
    "target without a slash": lambda p: Message(target=b"a"),
    "OPTIONS *": lambda p: Message(b"OPTIONS", b"*"),
    "GET *": lambda p: Message(b"GET", b"*"),
    "CONNECT": lambda p: Message(b"CONNECT", b"example.org:80"),
    "TRACE": lambda p: Message(b"TRACE", b"/"),
    "method of lower case": lambda p: Message(b"get"),
    "method of one's own": lambda p: Message(b"BREW"),
    "method that is no token": lambda p: Message(p.choice([b"G(T", b"G\xe9T", b"G\0T", b"G/T"])),
    "method that is very long": lambda p: Message(b"M" * 40),
    "HTTP/0.9": lambda p: Message(start=b"GET /a"),
    "HTTP/1.2": lambda p: Message(version=b"HTTP/1.2"),
    "HTTP/2.0": lambda p: Message(version=b"HTTP/2.0"),
    "HTTP/2 preface": lambda p: Message(start=b"PRI * HTTP/2.0", lines=[], body=b"SM\r\n\r\n"),
    "version that is bad": lambda p: Message(
        version=p.choice([b"HTTP/1.10", b"http/1.1", b"HTTP/1", b"HTTP/01.1", b"HTTP/1.1x", b"HTTP /1.1"])),
    "two spaces in the request line": lambda p: Message(start=b"GET  /a HTTP/1.1"),
    "tab in the request line": lambda p: Message(start=b"GET\t/a HTTP/1.1"),
    "space behind the request line": lambda p: Message(start=b"GET /a HTTP/1.1 "),
    "space before the request line": lambda p: Message(start=b" GET /a HTTP/1.1"),
    "empty line before the request line": lambda p: Message(start=b"\r\nGET /a HTTP/1.1"),
    "Expect of something else": lambda p: with_line(b"Expect: 200-ok"),
    "Connection that names Host": lambda p: with_line(b"Connection: Host"),
    "Connection that is no list of tokens": lambda p: with_line(b"Connection: a b"),
    "Upgrade to h2c": lambda p: Message(
        lines=[b"Host: example.org", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
               b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]),
    "Upgrade to WebSocket": lambda p: Message(
        lines=[b"Host: example.org", b"Connection: Upgrade", b"Upgrade: websocket",
               b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]),
}


def generated(pick: random.Random) -> tuple[str, bytes]:
    """A name and a request: one in five is valid, one in ten has a byte changed beside its fault."""
    chance = pick.random()
    if chance < 0.2:
        return "valid", valid(pick).bytes()
    name = pick.choice(list(FAULTS))
    data = FAULTS[name](pick).bytes()
    if chance < 0.9:
        return name, data
    place = pick.randrange(len(data))
    byte = pick.choice([b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"x", b"\x7f", b"\xff"])
    change = pick.choice([data[:place] + byte + data[place:], data[:place] + data[place + 1:],
                          data[:place] + byte + data[place + 1:]])
    return name, change
