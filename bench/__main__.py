"""`python -m bench`: measures every row of the table, or those that are asked for, and prints them."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import report
from bench.figures import Bench, Figure
from bench.rows import ROWS

WORK = Path(__file__).parents[1] / "build"


def run(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and requests: a first look.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help=f"One of {', '.join(ROWS)}. Several times, if need be."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where data is written: on the disk that counts.")
    ] = WORK,
    write: Annotated[bool, typer.Option("--write", help="Put the figures into docs/.")] = False,
) -> None:
    """Measure Deskroster side by side with what it could have been."""
    unknown = set(only or ()) - ROWS.keys()
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there is {', '.join(ROWS)}")
    console, figures = Console(width=None if sys.stdout.isatty() else 160), list[Figure]()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as work:
        bench = Bench(Path(work), quick)
        for name in only or ROWS:
            began = time.perf_counter()
            for figure in ROWS[name](bench):
                console.print(
                    f"{figure.what}: [bold]{figure.measured:.3g}[/] {figure.unit} ({figure.remark})", highlight=False
                )
                figures.append(figure)
            console.print(f"[dim]{name}: {time.perf_counter() - began:.0f} s[/]")
    report.show(figures, console)
    if write:
        report.write(figures)


if __name__ == "__main__":
    bench = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    bench.command()(run)
    bench()
