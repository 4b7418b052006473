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
    # Of the relay in C, where that itself is above `most`.
    or_relay: float | None = None


# Whichever of the others that do the same needs least.
CHEAPEST = "the cheapest"
NGINX, HAPROXY, ENVOY, ADAPTIVE, RELAY = "nginx", "HAProxy", "Envoy", "Envoy adaptive", "relay in C"

SGLANG, SGLANG_TURN = "sglang-router", "sglang-router in turn"
VLLM, VLLM_TURN = "vllm-router", "vllm-router in turn"
PEERS = (NGINX, HAPROXY, ENVOY, SGLANG, SGLANG_TURN, VLLM, VLLM_TURN)
# Nine tenths of the cheapest, or hardly more than moving the bytes takes.
LEAST = Goal(0.9, CHEAPEST, or_relay=1.1)

GOALS: dict[str, list[Goal]] = {
    "proxied request, CPU": [
        Goal(0.85, NGINX), Goal(0.85, HAPROXY), Goal(0.25, ADAPTIVE), Goal(1.2, RELAY)],
    "shed request, CPU": [Goal(0.85, NGINX), Goal(0.8, HAPROXY)],
    "stream event, CPU": [Goal(0.7, NGINX), Goal(0.9, HAPROXY)],
    "10 MB answer, CPU per MB": [Goal(0.9, NGINX)],
    "added latency, p50": [Goal(60)],
    "added latency, p99": [Goal(0.5, ENVOY)],
    # Not of the cheapest, which have less done to them; and to the relay nothing is done.
    "added latency in upkeep, p99": [Goal(1.2, RELAY)],
    # As beyond the relay, which forwards too.
    "CPU of a chat request of 200 kB, by its model to by its path": [Goal(1.1)],
    "CPU of a request, 2 reactors to 1": [Goal(1.08)],
    "memory, base": [Goal(12)],
    "memory, idle connection": [Goal(1.5)],
    "memory, open stream": [Goal(3.5)],
    "memory, with all streams open": [Goal(48)],
    # The body, which is 195 KiB, and a little.
    "memory, held body of 200 kB": [Goal(208)],
    "memory, with all bodies held": [Goal(220)],
    "memory, idle TLS connection": [Goal(15), Goal(1.0, NGINX)],
    "request over TLS from the client, CPU": [Goal(1.0, NGINX)],
    "TLS handshake and request, CPU": [Goal(1.05, NGINX)],
    "TLS handshake with RSA and request, CPU": [Goal(1.05, NGINX)],
    "proxied request, system calls besides epoll_wait": [Goal(4.1)],
    "shed request, system calls besides epoll_wait": [Goal(2.1)],
    "proxied request, allocations": [Goal(0.1)],
    "shed request, allocations": [Goal(0.1)],
}


# Works that are goals of LEAST: what a proxy's time is spent on.
LEAST_OF = (
    ", CPU", ", CPU per MB", "first event, p50", "first event, p99", "added latency, p50", "added latency, p99",
    "added latency in upkeep, p50")


def goals_of(work: str) -> list[Goal]:
    """What is wanted of a work."""
    is_compared = work.endswith(LEAST_OF) and "reactor" not in work
    return ([LEAST] if is_compared else []) + GOALS.get(work, [])


def others_in(work: str, figures: list[Figure]) -> dict[str, Figure]:
    """What the others needed for a work."""
    return {figure.subject: figure for figure in figures if figure.work == work and figure.median > 0}


def cheapest(figure: Figure, figures: list[Figure]) -> Figure | None:
    """The figure of whichever peer needed least beside this one."""
    peers = [other for name, other in others_in(figure.work, figures).items() if name in PEERS]
    return max(peers, key=figure.ratio, default=None)


def relay_instead(figure: Figure, goal: Goal, figures: list[Figure]) -> Figure | None:
    """The relay's figure where it is the measure instead of the cheapest: it too is above that goal."""
    peer, relay = cheapest(figure, figures), others_in(figure.work, figures).get(RELAY)
    return relay if goal.or_relay and peer and relay and relay.ratio(peer) > goal.most else None


def held(figure: Figure, goal: Goal, figures: list[Figure]) -> tuple[float, bool] | None:
    """What is compared with the goal and whether it holds; nothing where the other was not measured."""
    if goal.of is None:
        return figure.median, figure.median <= goal.most
    if goal.of == CHEAPEST:
        peer = cheapest(figure, figures)
        if not peer:
            return None
        ratio, relay = figure.ratio(peer), relay_instead(figure, goal, figures)
        if relay and goal.or_relay and ratio > goal.most:
            return ratio, figure.ratio(relay) <= goal.or_relay
        return ratio, ratio <= goal.most
    for other in figures:
        if other.work == figure.work and other.subject == goal.of and other.median:
            ratio = figure.ratio(other)
            return ratio, ratio <= goal.most
    return None
