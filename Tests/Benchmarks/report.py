"""The report: a table with a row a work, one with the spread, what stands behind some figures, and the machine."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from pathlib import Path
from typing import Any

from figures import (
    ADAPTIVE,
    CHEAPEST,
    HAPROXY,
    LEAST,
    NGINX,
    RELAY,
    Figure,
    Goal,
    cheapest,
    goals_of,
    held,
    relay_instead,
)

OWN = "Penstock"
# Whose figures Penstock's are divided by.
BASES = (CHEAPEST, NGINX, HAPROXY, ADAPTIVE, RELAY)
# What README.md shows of it.
HEADLINES = (
    "proxied request, CPU", "shed request, CPU", "stream event, CPU", "10 MB answer, CPU per MB",
    "added latency, p50", "added latency, p99", "memory, base", "memory, idle connection", "memory, open stream")


def number(value: float) -> str:
    """A value with three or four figures."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def find(figures: list[Figure], work: str, subject: str) -> Figure | None:
    """One subject's figure in one work."""
    for figure in figures:
        if figure.work == work and figure.subject == subject:
            return figure
    return None


def ratio(figures: list[Figure], work: str, base: str) -> str:
    """Penstock's figure as a multiple of another's."""
    own, other = find(figures, work, OWN), find(figures, work, base)
    if base == CHEAPEST:
        other = cheapest(own, figures) if own else None
    if not own or not other or other.median <= 0:
        return ""
    return number(own.ratio(other))


def verdict(figures: list[Figure], work: str) -> str:
    """What was wanted and whether it was reached."""
    own = find(figures, work, OWN)
    told = []
    for goal in goals_of(work) if own else []:
        if result := held(own, goal, figures):
            wanted = f"{number(goal.most)} {'× ' + goal.of if goal.of else own.unit}".strip()
            peer = cheapest(own, figures)
            if goal.of == CHEAPEST and peer:
                wanted += f" ({peer.subject})"
            if goal.or_relay and relay_instead(own, goal, figures):
                wanted += f" or {number(goal.or_relay)} × {RELAY}"
            told.append(f"≤ {wanted}: {'yes' if result[1] else '**no**'}")
    return "; ".join(told)


def summary(figures: list[Figure]) -> str:
    """How many rows keep all their goals, how many that of the cheapest, and which do not."""
    rows: dict[str, list[tuple[Goal, bool]]] = {}
    for own in figures:
        if own.subject == OWN:
            results = [(goal, held(own, goal, figures)) for goal in goals_of(own.work)]
            if judged := [(goal, result[1]) for goal, result in results if result]:
                rows[own.work] = judged
    if not rows:
        return ""
    failing = [work for work, judged in rows.items() if not all(is_held for _, is_held in judged)]
    least = [is_held for judged in rows.values() for goal, is_held in judged if goal is LEAST]
    told = f"Goals: {len(rows) - len(failing)} of {len(rows)} rows keep all of theirs"
    if least:
        told += f", {sum(least)} of {len(least)} that of {CHEAPEST}"
    if failing:
        told += f". These do not: {'; '.join(failing)}"
    return textwrap.fill(f"{told}.", 118, break_on_hyphens=False)


def table(figures: list[Figure], works: list[str], goals: bool = True) -> str:
    """A row a work: medians, Penstock's as multiples of the others', and the goals."""
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    bases = [base for base in BASES if OWN in subjects and (base in subjects or base == CHEAPEST)]
    head = ["work", *subjects, *(f"to {base}" for base in bases)] + (["goal"] if goals else [])
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(subjects) + len(bases)) + ("---|" if goals else "")]
    for work in works:
        cells = [work]
        unit = next(figure.unit for figure in figures if figure.work == work)
        for subject in subjects:
            figure = find(figures, work, subject)
            cells.append(f"{number(figure.median)} {unit}".strip() if figure else "")
        cells += [ratio(figures, work, base) for base in bases]
        if goals:
            cells.append(verdict(figures, work))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(figures: list[Figure]) -> str:
    """Medians with the lowest and the highest round, and every subject as a multiple of nginx."""
    lines = ["| work | subject | median | lowest to highest | to nginx |", "|---|---|---:|---:|---:|"]
    for figure in figures:
        base = find(figures, figure.work, NGINX)
        to_nginx = number(figure.ratio(base)) if base and base.median > 0 else ""
        extremes = f"{number(min(figure.values))} to {number(max(figure.values))}" if len(figure.values) > 1 else ""
        median = f"{number(figure.median)} {figure.unit}".strip()
        lines.append(f"| {figure.work} | {figure.subject} | {median} | {extremes} | {to_nginx} |")
    return "\n".join(lines)


def details(figures: list[Figure]) -> str:
    """What the counted figures are made of."""
    lines: list[str] = []
    for figure in figures:
        if figure.details:
            lines.append(f"\n{figure.work}, {figure.subject}: {number(figure.median)}\n")
            lines += [f"- {line}" for line in figure.details]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the run ran on."""
    model = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def setting(machine: dict[str, Any], versions: dict[str, str], how: str) -> str:
    """How it was measured, on what, and what was measured."""
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        how,
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Linux {machine['kernel']}; load average before the run {machine['load'][0]}.",
        f"Versions: {told}.",
    ]
    return "\n".join(textwrap.fill(line, 118, break_on_hyphens=False) for line in lines)


def as_markdown(figures: list[Figure], told: str) -> str:
    """The whole report."""
    works = list(dict.fromkeys(figure.work for figure in figures))
    return "\n\n".join(
        part for part in (
            table(figures, works), summary(figures), told, spread(figures), details(figures).strip()) if part)


def write_json(file: Path, figures: list[Figure], machine: dict[str, Any], versions: dict[str, str]) -> None:
    """The report for a program to read."""
    rows = []
    for figure in figures:
        base = find(figures, figure.work, NGINX)
        rows.append({
            "work": figure.work,
            "subject": figure.subject,
            "unit": figure.unit,
            "median": figure.median,
            "values": figure.values,
            "to_nginx": figure.ratio(base) if base and base.median > 0 else None,
            "details": figure.details,
        })
    content = {"machine": machine, "versions": versions, "figures": rows}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def replace_block(file: Path, name: str, content: str) -> None:
    """Puts `content` between the lines `<!-- name -->` and `<!-- end of name -->` of a document."""
    text = file.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"{file} has no place for {name}")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    file.write_text(f"{before}{begin}\n{content}\n\n{end}{after}")


def record(root: Path, figures: list[Figure], told: str) -> None:
    """Puts the figures where they are read: docs/measurements.md and README.md."""
    works = list(dict.fromkeys(figure.work for figure in figures))
    replace_block(root / "docs" / "measurements.md", "benchmarks", f"{table(figures, works)}\n\n{summary(figures)}\n\n{told}")
    headlines = [work for work in HEADLINES if work in works]
    replace_block(root / "README.md", "benchmarks", table(figures, headlines, goals=False))
