"""The report: a table on the terminal, the same for the documentation, and a plot of both."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import matplotlib
from rich.console import Console
from rich.table import Table

from bench import pages
from bench.figures import Figure

matplotlib.use("Agg")
from matplotlib import pyplot

PLOT = Path(__file__).parents[1] / "docs" / "assets" / "performance.svg"
_COLOURS = {"aim": "green", "enough": "yellow", "short": "red"}
_DRAWN = {"aim": "#2e7d32", "enough": "#f9a825", "short": "#c62828"}


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table."""
    table = Table("what", "measured", "at least", "aim", "verdict", "", title=machine())
    for figure in figures:
        colour = _COLOURS.get(figure.verdict, "white")
        table.add_row(*_cells(figure), f"[{colour}]{figure.verdict}[/]", figure.remark)
    console.print(table)


def write(figures: Sequence[Figure]) -> None:
    """Put the table into the documentation, in English and Chinese, and draw the plot beside it."""
    lines = ["| what | measured | at least | aim | |", "|---|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(_cells(figure))} | {figure.remark} |" for figure in figures]
    pages.put("\n".join([f"Measured on {machine()}, {datetime.now(UTC):%Y-%m-%d}.", "", *lines]))
    _draw([figure for figure in figures if figure.verdict])


def machine() -> str:
    """Say what was measured on, so that figures can be compared; no names."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _cells(figure: Figure) -> list[str]:
    numbers = [figure.measured, figure.at_least, figure.aim]
    return [figure.what, *("" if number is None else _number(number, figure.unit) for number in numbers)]


def _number(number: float, unit: str) -> str:
    shown = f"{number:,.0f}" if number >= 20 else f"{number:.1f}" if number >= 3 else f"{number:.2f}"
    return f"{shown} {unit}".rstrip()


def _draw(figures: Sequence[Figure]) -> None:
    """Draw how much better each figure is than it has to be, on one scale."""
    better = [f.at_least / f.measured if f.less else f.measured / f.at_least for f in figures if f.at_least]
    aims = [f.at_least / f.aim if f.less else f.aim / f.at_least for f in figures if f.at_least and f.aim]
    places = range(len(figures))
    plot, axes = pyplot.subplots(figsize=(9, 0.34 * len(figures) + 1.2))
    axes.barh(places, better, color=[_DRAWN[f.verdict] for f in figures], height=0.62)
    axes.plot(aims, places, "k|", markersize=11, label="aim")
    axes.axvline(1, color="black", linewidth=1, label="at least")
    for place, value, aim, figure in zip(places, better, aims, figures, strict=True):
        axes.text(max(value, aim) * 1.04, place, _number(figure.measured, figure.unit), va="center", fontsize=7)
    axes.set_yticks(places, [f.what for f in figures], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.02)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.set_xlabel("times as good as it has to be", fontsize=8)
    axes.set_title(machine(), fontsize=7)
    axes.legend(fontsize=7, loc="lower right")
    plot.tight_layout()
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    plot.savefig(PLOT, metadata={"Date": None})
