"""How an engine does its work: in places of its own for each request, or for all of them in steps, and what it counts.

A job is whatever has the method `finish`, called when its work is done. `leave` says that a job's client has gone: an
engine that stops has its place free in that moment, one that goes on works to the end, for nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any, Protocol

# Ticks by which a process sees that it was kept from running, and from which lateness on it counts that, in seconds.
TICK = 0.02
LATE = 0.005
# Pauses that are kept, each with its begin and its end.
MOST_PAUSES = 20_000


class Job(Protocol):
    """A request."""

    def finish(self) -> None:
        """Its work is done."""


class Account:
    """What an engine has done; times in seconds, on the monotonic clock, which all processes share."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.running = 0
        self.ended = 0
        self.inside = 0
        self.most_inside = 0
        self.most_lately = 0
        self.seconds_taken = 0.0
        self.place_seconds = 0.0
        self.pauses: list[tuple[float, float]] = []
        self._noted = asyncio.get_running_loop().time()

    def note(self, running: int, waiting: int) -> None:
        """So many run and wait from now on."""
        now = asyncio.get_running_loop().time()
        self.place_seconds += min(self.running, self.places) * (now - self._noted)
        if self.running == 0 and now > self._noted and len(self.pauses) < MOST_PAUSES:
            self.pauses.append((self._noted, now))
        self.running, self._noted = running, now
        self.inside = running + waiting
        self.most_inside = max(self.most_inside, self.inside)
        self.most_lately = max(self.most_lately, self.inside)

    def take_most(self) -> int:
        """How many were inside at most since this was asked last, or are."""
        most, self.most_lately = self.most_lately, self.inside
        return most

    def told(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        self.note(self.running, 0)
        names = ("places", "running", "ended", "most_inside", "seconds_taken", "place_seconds", "pauses")
        return {name: getattr(self, name) for name in names}


class Slots:
    """Each request takes a place for about the same time, the others wait in order."""

    def __init__(self, count: int, seconds: float, spread: float, stops: bool) -> None:
        self.count, self.seconds, self.spread, self.stops = count, seconds, spread, stops
        self.slowness = 1.0
        self.chance = random.Random(1)
        self.waiting: deque[Job] = deque()
        self.running: dict[Job, asyncio.TimerHandle] = {}
        self.account = Account(count)

    def enter(self, job: Job) -> None:
        """Starts `job`, now or when a slot is free."""
        self.waiting.append(job)
        self._start()

    def leave(self, job: Job) -> None:
        """The client of `job` has gone; without meaning for one that is not here."""
        if not self.stops:
            return
        if handle := self.running.pop(job, None):
            handle.cancel()
        elif job in self.waiting:
            self.waiting.remove(job)
        self._start()

    def set_places(self, count: int) -> None:
        """So many places from now on; what runs ends as it began."""
        self.count = self.account.places = count
        self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        while self.waiting and len(self.running) < self.count:
            job = self.waiting.popleft()
            seconds = self.slowness * self.seconds * self.chance.uniform(1 - self.spread, 1 + self.spread)
            self.running[job] = loop.call_later(seconds, self._end, job, loop.time())
        self.account.note(len(self.running), len(self.waiting))

    def _end(self, job: Job, began: float) -> None:
        del self.running[job]
        self.account.ended += 1
        self.account.seconds_taken += asyncio.get_running_loop().time() - began
        job.finish()
        self._start()


class Batch:
    """All requests go on together, a token each in a step that takes longer the more they are; who comes joins the next."""

    def __init__(self, most: int, base: float, each: float, tokens: int, stops: bool) -> None:
        self.most, self.base, self.each, self.tokens, self.stops = most, base, each, tokens, stops
        self.slowness = 1.0
        self.waiting: deque[Job] = deque()
        self.running: dict[Job, tuple[int, float]] = {}
        self.steps = 0
        self.is_stepping = False
        self.account = Account(most)

    def enter(self, job: Job) -> None:
        """Takes `job` into the next step."""
        self.waiting.append(job)
        if not self.is_stepping:
            self._admit(asyncio.get_running_loop().time())
        self.account.note(len(self.running), len(self.waiting))

    def leave(self, job: Job) -> None:
        """The client of `job` has gone."""
        if not self.stops:
            return
        if job in self.running:
            del self.running[job]
        elif job in self.waiting:
            self.waiting.remove(job)
        self.account.note(len(self.running), len(self.waiting))

    def _admit(self, now: float) -> None:
        """Begins the next step; `now` is when the one before was to end, so that a late wake-up takes nothing away."""
        loop = asyncio.get_running_loop()
        while self.waiting and len(self.running) < self.most:
            self.running[self.waiting.popleft()] = (self.steps + self.tokens, loop.time())
        self.is_stepping = bool(self.running)
        if self.is_stepping:
            end = now + self.slowness * (self.base + self.each * len(self.running))
            loop.call_at(end, self._end, end)

    def _end(self, now: float) -> None:
        self.steps += 1
        done = []
        # All have as many tokens, so they end in the order in which they came.
        for job, (last, _) in self.running.items():
            if last > self.steps:
                break
            done.append(job)
        for job in done:
            _, began = self.running.pop(job)
            self.account.ended += 1
            self.account.seconds_taken += asyncio.get_running_loop().time() - began
            job.finish()
        self._admit(now)
        self.account.note(len(self.running), len(self.waiting))


class Ticker:
    """Notes for how long this process was kept from running."""

    def __init__(self) -> None:
        self.lost = 0.0

    async def watch(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wanted = loop.time() + TICK
            await asyncio.sleep(TICK)
            late = loop.time() - wanted
            self.lost += late if late > LATE else 0.0
