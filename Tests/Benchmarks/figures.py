"""What was measured of one subject in one work."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Callable

Say = Callable[[str], None]


@dataclass
class Figure:
    """What was measured of one subject in one work: a value for each round."""

    work: str
    subject: str
    unit: str
    values: list[float] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    def ratio(self, other: "Figure") -> float:
        """The median of the rounds' ratios: what slows a round down slows both down."""
        if len(self.values) != len(other.values):
            return self.median / other.median if other.median else float("nan")
        pairs = zip(self.values, other.values, strict=True)
        return statistics.median(own / theirs if theirs else float("nan") for own, theirs in pairs)


@dataclass(frozen=True)
class Goal:
    """The most that Penstock may need: as a multiple of another's figure, or in the figure's own unit."""

    most: float
    of: str | None = None


NGINX, HAPROXY, ENVOY, ADAPTIVE, RELAY = "nginx", "HAProxy", "Envoy", "Envoy adaptive", "relay in C"

GOALS: dict[str, list[Goal]] = {
    "proxied request, CPU": [
        Goal(0.85, NGINX), Goal(0.85, HAPROXY), Goal(0.25, ADAPTIVE), Goal(1.2, RELAY)],
    "shed request, CPU": [Goal(0.85, NGINX), Goal(0.8, HAPROXY)],
    "stream event, CPU": [Goal(0.7, NGINX), Goal(0.9, HAPROXY)],
    "10 MB answer, CPU per MB": [Goal(0.9, NGINX)],
    "added latency, p50": [Goal(60)],
    "added latency, p99": [Goal(0.5, ENVOY)],
    "CPU of a request, 2 reactors to 1": [Goal(1.08)],
    "memory, base": [Goal(12)],
    "memory, idle connection": [Goal(1.5)],
    "memory, open stream": [Goal(12)],
    "memory, idle TLS connection": [Goal(15), Goal(1.0, NGINX)],
    "request over TLS from the client, CPU": [Goal(1.0, NGINX)],
    "TLS handshake and request, CPU": [Goal(1.05, NGINX)],
    "TLS handshake with RSA and request, CPU": [Goal(1.05, NGINX)],
    "proxied request, system calls besides epoll_wait": [Goal(4.1)],
    "shed request, system calls besides epoll_wait": [Goal(2.1)],
    "proxied request, allocations": [Goal(0.1)],
    "shed request, allocations": [Goal(0.1)],
}


def held(figure: Figure, goal: Goal, figures: list[Figure]) -> tuple[float, bool] | None:
    """What is compared with the goal and whether it holds; nothing where the other was not measured."""
    if goal.of is None:
        return figure.median, figure.median <= goal.most
    for other in figures:
        if other.work == figure.work and other.subject == goal.of and other.median:
            ratio = figure.ratio(other)
            return ratio, ratio <= goal.most
    return None
