"""The works that are timed: what is done with each subject, and the figures that come of it.

A work has cells, one for each subject. The cells of all works are measured in turn, round after round, so that whatever
else the machine does falls on all of them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import clients
from figures import Figure, Say
from origins import FILES
from processes import BenchError, cpu_seconds
from subjects import (
    HERE,
    Direct,
    Forwarding,
    FourReactors,
    OneReactor,
    Penstock,
    PenstockBefore,
    ROUTED_BY_MODEL,
    Relay,
    SECURED,
    Setting,
    Subject,
    TwoReactors,
    UPKEEP,
)
from upkeep import Upkeep

MEGABYTE = 1e6
# How long each cell is done before the first round.
WARM_SECONDS = 0.3
LONG_CHAT = "chat request of 200 kB"
# The same by Penstock where the path decides, and no peer is beside it.
FORWARDED = f"{LONG_CHAT} by its path, CPU of Penstock"
# What a work measures of one subject in one round: values by the figures' names, in the figures' units.
Values = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    rounds: int
    seconds: float
    streams: int
    probes: int
    rate: int


def requests_cpu(
    subject: Subject, path: str, seconds: float, *options: str, shed: bool = False, connections: int = 64
) -> tuple[float, int]:
    """The proxy's CPU time and the requests that were answered."""
    before = cpu_seconds(subject.pid)
    load = clients.run_wrk(subject, path, seconds, connections, *options)
    spent = cpu_seconds(subject.pid) - before
    if load.refused != (load.requests if shed else 0):
        raise BenchError(f"{path} on {subject.name}: {load.refused} of {load.requests} refused")
    return spent, load.requests


def a_request(title: str, path: str, *wrk: str, shed: bool = False) -> Callable[[Subject, Options], Values]:
    """A work that is a request; wrk's further options."""
    def measure(subject: Subject, options: Options) -> Values:
        spent, requests = requests_cpu(subject, path, options.seconds, *wrk, shed=shed)
        return {(f"{title}, CPU", "µs"): spent / requests * 1e6}
    return measure


def a_chat(title: str, prompt_bytes: int) -> Callable[[Subject, Options], Values]:
    """A work that is a chat request, whose prompt has about so many bytes."""
    def measure(subject: Subject, options: Options) -> Values:
        before = cpu_seconds(subject.pid)
        load = clients.run_wrk(
            subject, clients.CHAT, options.seconds, clients.CONNECTIONS, "-s", CHAT, after=(str(prompt_bytes),))
        spent = cpu_seconds(subject.pid) - before
        if load.refused:
            raise BenchError(f"chat requests on {subject.name}: {load.refused} of {load.requests} refused")
        name = FORWARDED if isinstance(subject, Forwarding) else f"{title}, CPU"
        return {(name, "µs"): spent / load.requests * 1e6}
    return measure


def by_model_compared(figures: list[Figure]) -> list[Figure]:
    """What routing by the model makes of a request's CPU time, round by round."""
    found = {figure.work: figure for figure in figures if figure.subject == Penstock.name}
    plain, routed = found.get(FORWARDED), found.get(f"{LONG_CHAT}, CPU")
    if not plain or not routed:
        return []
    ratios = [more / less for more, less in zip(routed.values, plain.values, strict=True)]
    return [Figure(f"CPU of a {LONG_CHAT}, by its model to by its path", Penstock.name, "", ratios)]


def a_megabyte(title: str, path: str, size: int, connections: int, *wrk: str) -> Callable[[Subject, Options], Values]:
    """A work that is bytes moved: CPU time for 10⁶ of them."""
    def measure(subject: Subject, options: Options) -> Values:
        spent, requests = requests_cpu(subject, path, options.seconds, *wrk, connections=connections)
        return {(f"{title}, CPU per MB", "µs"): spent / (requests * size / MEGABYTE) * 1e6}
    return measure


def events(prefix: str, *more: str) -> Callable[[Subject, Options], Values]:
    """Streams at 50 events a second each: CPU time for an event, and how long a new stream waits for its first."""
    def measure(subject: Subject, options: Options) -> Values:
        # A router has been seen to pass events on once a second.
        run = clients.run_streams(subject, options.streams, 20, max(1, options.seconds), options.probes, *more)
        return {
            (f"{prefix}stream event, CPU", "µs"): run.cpu_seconds / run.events * 1e6,
            (f"{prefix}first event, p50", "µs"): run.first_p50_seconds * 1e6,
            (f"{prefix}first event, p99", "µs"): run.first_p99_seconds * 1e6,
        }
    return measure


def latency(subject: Subject | Direct, options: Options) -> Values:
    """Requests at a rate: the time that each takes. What is added is taken off in `timed`."""
    run = clients.run_rate(subject, options.rate, options.seconds)
    return {("added latency, p50", "µs"): run.p50_seconds * 1e6, ("added latency, p99", "µs"): run.p99_seconds * 1e6}


def latency_in_upkeep(subject: Subject | Direct, options: Options) -> Values:
    """The same while the subject is reloaded, scraped and has its log rotated."""
    with Upkeep(subject) as upkeep:
        run = clients.run_rate(subject, options.rate, options.seconds, "again")
    tail = "added latency in upkeep, p99"
    subject.details[tail] = [
        f"the last round: reloads {upkeep.reloads}, pages {upkeep.reads}, logs opened again {upkeep.rotations}, "
        f"connections closed {run.reopened}, requests asked again {run.repeated}"]
    return {("added latency in upkeep, p50", "µs"): run.p50_seconds * 1e6, (tail, "µs"): run.p99_seconds * 1e6}


# What the work `reactors` is done by.
REACTORS: tuple[type[OneReactor], ...] = (OneReactor, TwoReactors, FourReactors)


def by_reactors(subject: OneReactor, options: Options) -> Values:
    """A proxied request, on all cores, named by how many threads serve."""
    spent, requests = requests_cpu(subject, "/", options.seconds)
    return {(reactors_title(subject), "µs"): spent / requests * 1e6}


def reactors_title(subject: OneReactor | type[OneReactor]) -> str:
    """The name of that figure."""
    return f"request on all cores, {subject.threads} reactor{'s' if subject.threads > 1 else ''}, CPU"


def reactors_compared(figures: list[Figure]) -> list[Figure]:
    """What each further reactor adds to a request's CPU time, round by round."""
    own = {subject.threads: reactors_title(subject) for subject in REACTORS}
    found = {figure.work: figure for figure in figures}
    base = found.get(own[1])
    if not base:
        return []
    compared = []
    for threads, title in own.items():
        if threads > 1:
            ratios = [more / one for more, one in zip(found[title].values, base.values, strict=True)]
            compared.append(Figure(f"CPU of a request, {threads} reactors to 1", base.subject, "", ratios))
    return compared


@dataclass(frozen=True)
class Work:
    """A work and who does it; `lacks` do not, and README.md says why."""

    measure: Callable[..., Values]
    lacks: tuple[type[Subject], ...] = ()
    # Whether routers can do it.
    is_chat: bool = False

    def is_done_by(self, kind: type[Subject]) -> bool:
        """Whether that subject can do it."""
        return kind not in self.lacks and (self.is_chat or not kind.is_router)


UPLOAD = str(HERE / "upload.lua")
CHAT = str(HERE / "chat.lua")
WORKS: dict[str, Work] = {
    "proxied": Work(a_request("proxied request", "/")),
    "shed": Work(a_request("shed request", "/shed", shed=True)),
    "stream": Work(events("")),
    "chat": Work(a_chat("chat request", 1000), (Relay,), is_chat=True),
    "chat-200k": Work(a_chat(LONG_CHAT, 200_000), (Relay,), is_chat=True),
    "chat-stream": Work(events("chat ", "chat"), (Relay,), is_chat=True),
    "64k": Work(a_megabyte("64 KiB answer", "/bytes/64k", FILES["64k"], 64)),
    "10m": Work(a_megabyte("10 MB answer", "/bytes/10m", FILES["10m"], 8)),
    "upload": Work(a_megabyte("10 MB upload", "/upload", FILES["10m"], 8, "-s", UPLOAD), (Relay,)),
    "connect": Work(a_request("connection and request", "/", "-H", "Connection: close"), (Relay,)),
    "tls": Work(a_request("request over TLS to the backend", "/tls"), (Relay,)),
    "https": Work(a_request("request over TLS from the client", "/"), (Relay,)),
    "handshake": Work(a_request("TLS handshake and request", "/", "-H", "Connection: close"), (Relay,)),
    "handshake-rsa": Work(
        a_request("TLS handshake with RSA and request", "/", "-H", "Connection: close"), (Relay,)),
    "latency": Work(latency),
    UPKEEP: Work(latency_in_upkeep),
    "reactors": Work(by_reactors),
}


def timed(
    setting: Setting, names: list[str], kinds: list[type[Subject]], options: Options, say: Say
) -> list[Figure]:
    """All cells of the works named, in each round."""
    running: dict[tuple[type[Subject] | type[Direct], str], Subject | Direct] = {}
    cells: list[tuple[str, Subject | Direct]] = []
    found: dict[tuple[str, str], Figure] = {}
    try:
        for name in names:
            wanted: list[type[Subject] | type[Direct]] = [
                kind for kind in kinds if WORKS[name].is_done_by(kind)]
            if setting.before:
                wanted.insert(0, PenstockBefore)
            if name in ("latency", UPKEEP):
                wanted.insert(0, Direct)
            if name == "chat-200k" and Penstock in kinds:
                wanted.append(Forwarding)
            if name == "reactors":
                wanted = list(REACTORS)
            for kind in wanted:
                # The relay is another process for each work, as Penstock is where it routes by model and all are who get
                # upkeep, and who speaks TLS is one for each certificate.
                is_own = kind is Relay or name == UPKEEP or (name in ROUTED_BY_MODEL and issubclass(kind, Penstock))
                key = (kind, name if is_own else SECURED.get(name, ""))
                if key not in running:
                    running[key] = kind(setting, name)
                cells.append((name, running[key]))
        measure(cells, Options(1, WARM_SECONDS, options.streams, 20, options.rate), {}, False)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            # Every other round goes backwards: no subject always follows the same one.
            measure(cells, options, found, number % 2 == 1)
    finally:
        for subject in running.values():
            subject.stop()
    figures = in_order(list(found.values()))
    return without_direct(figures + by_model_compared(figures) + reactors_compared(figures))


def measure(
    cells: list[tuple[str, Subject | Direct]], options: Options, found: dict[tuple[str, str], Figure],
    is_backwards: bool,
) -> None:
    """One round: adds a value to each figure of each cell."""
    for name, subject in reversed(cells) if is_backwards else cells:
        for (title, unit), value in WORKS[name].measure(subject, options).items():
            key = (title, subject.name)
            if key not in found:
                found[key] = Figure(title, subject.name, unit)
            found[key].values.append(value)
            found[key].details = subject.details.get(title, [])


def in_order(figures: list[Figure]) -> list[Figure]:
    """By figure, as the works come; within one as the subjects come."""
    titles = list(dict.fromkeys(figure.work for figure in figures))
    return [figure for title in titles for figure in figures if figure.work == title]


def without_direct(figures: list[Figure]) -> list[Figure]:
    """Takes the direct way's times off, round by round."""
    direct = {figure.work: figure for figure in figures if figure.subject == Direct.name}
    for figure in figures:
        if base := direct.get(figure.work):
            if figure is not base:
                pairs = zip(figure.values, base.values, strict=True)
                figure.values = [own - theirs for own, theirs in pairs]
                figure.details = [f"direct: {base.median:.1f} µs", *figure.details]
    return [figure for figure in figures if figure.subject != Direct.name]
