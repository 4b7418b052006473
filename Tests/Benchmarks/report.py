"""The report: one Markdown table, what stands behind some of its figures, and the machine."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from works import Figure

BASE = "nginx"
OWN = "Penstock"


def base_of(figure: Figure, figures: list[Figure]) -> Figure | None:
    """nginx's figure of the same work."""
    for other in figures:
        if other.work == figure.work and other.subject == BASE:
            return other
    return None


def number(value: float) -> str:
    """A value with three or four figures."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def goal(figure: Figure, ratio: float | None) -> str:
    """What was wanted and whether it holds."""
    if figure.goal_ratio is not None and ratio is not None:
        return f"≤ {figure.goal_ratio:g}x: {'held' if ratio <= figure.goal_ratio else 'MISSED'}"
    if figure.goal_value is not None:
        held = figure.median <= figure.goal_value
        return f"≤ {figure.goal_value:g} {figure.unit}: {'held' if held else 'MISSED'}"
    return ""


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        f"| work | subject | median | lowest to highest | to {BASE} | goal |",
        "|---|---|---:|---:|---:|---|",
    ]
    for figure in figures:
        base = base_of(figure, figures)
        ratio = figure.ratio(base) if base and base.median else None
        spread = ""
        if len(figure.values) > 1:
            spread = f"{number(min(figure.values))} to {number(max(figure.values))}"
        cells = [
            figure.work,
            f"**{figure.subject}**" if figure.subject == OWN else figure.subject,
            f"{number(figure.median)} {figure.unit}".strip(),
            spread,
            f"{ratio:.2f}x" if ratio is not None else "",
            goal(figure, ratio),
        ]
        lines.append(f"| {' | '.join(cells)} |")
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


def as_markdown(
    figures: list[Figure], machine: dict[str, Any], versions: dict[str, str], how: str
) -> str:
    """The whole report."""
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n".join([
        table(figures),
        "",
        how,
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Linux {machine['kernel']}, load average {machine['load'][0]}.",
        f"Versions: {told}.",
        details(figures),
    ]).rstrip()


def write_json(
    file: Path, figures: list[Figure], machine: dict[str, Any], versions: dict[str, str]
) -> None:
    """The report for a program to read."""
    rows = []
    for figure in figures:
        base = base_of(figure, figures)
        rows.append({
            "work": figure.work,
            "subject": figure.subject,
            "unit": figure.unit,
            "median": figure.median,
            "values": figure.values,
            "ratio": figure.ratio(base) if base and base.median else None,
            "goal_ratio": figure.goal_ratio,
            "goal_value": figure.goal_value,
            "details": figure.details,
        })
    content = {"machine": machine, "versions": versions, "figures": rows}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
