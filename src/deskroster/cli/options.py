"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="DESKROSTER_DATA",
        metavar="DIR",
        help="The data folder of the installation.",
        show_default=False,
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="DESKROSTER_DATABASE",
        metavar="URL",
        help="Address of the PostgreSQL database. Without: as noted in the folder, else SQLite in the folder.",
        show_default=False,
    ),
]
Company = Annotated[
    str | None,
    typer.Option("--company", metavar="LABEL", help="Which company; not needed where there is only one."),
]
Id = Annotated[int, typer.Argument(metavar="ID", min=1, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, not text for people.")]
Host = Annotated[str, typer.Option("--host", help="The address to listen on; :: for all of IPv6 and IPv4.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")]
