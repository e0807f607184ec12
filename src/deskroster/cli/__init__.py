"""The command line: one module for each family of commands."""

import sys
from typing import Annotated

import typer

from deskroster import __version__
from deskroster.cli import agents, companies, fields, keys, reference
from deskroster.cli.console import Exit, Refused, print_error, print_markup
from deskroster.cli.demo import demo
from deskroster.cli.flags import Commands
from deskroster.cli.init import init
from deskroster.cli.move import move
from deskroster.cli.rotation import rotate_installation_key
from deskroster.cli.serve import serve
from deskroster.cli.streams import OutputFailed, safe_streams
from deskroster.cli.translation import helped
from deskroster.cli.upkeep import backup, doctor, restore_backup
from deskroster.cli.wording import listed
from deskroster.dialects import DIALECTS
from deskroster.texts import foreign, said

_VENDORS = listed(dialect.vendor for dialect in DIALECTS if dialect.vendor)
_HELP = f"""{helped(said("One roster of agents and groups, answering the {vendors} APIs.", vendors=_VENDORS))}

Start with: `deskroster demo`. Most commands take the data folder by --data or the variable DESKROSTER_DATA, and
work whether or not it is being served.

Exit codes: 0 done; 1 refused, or not well; 2 wrong usage; 3 not found; 4 conflict (taken, in use, the last
administrator); 5 unavailable (surely not done, safe to repeat); 6 outcome unknown, or done and the
result could not be shown; 7 the data is damaged, and the hint says which backup to restore; 130 interrupted.
"""

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")

_SERVING, _COMPANY, _INSTALLATION = "Serving", "A company's data", "An installation"
for name, command, panel in (
    ("demo", demo, _SERVING),
    ("serve", serve, _SERVING),
    ("init", init, _INSTALLATION),
    ("backup", backup, _INSTALLATION),
    ("restore", restore_backup, _INSTALLATION),
    ("doctor", doctor, _INSTALLATION),
    ("move", move, _INSTALLATION),
    ("rotate-installation-key", rotate_installation_key, _INSTALLATION),
    ("password", agents.set_password, _COMPANY),
):
    app.command(name, rich_help_panel=panel)(command)
app.add_typer(companies.app, name="company", rich_help_panel=_INSTALLATION)
app.add_typer(agents.app, name="agent", rich_help_panel=_COMPANY)
app.add_typer(keys.app, name="key", rich_help_panel=_COMPANY)
app.add_typer(fields.app, name="field", rich_help_panel=_COMPANY)
app.add_typer(reference.commands("position", "positions", {}), name="position", rich_help_panel=_COMPANY)
app.add_typer(
    reference.commands("role", "roles", {"description": said("Description")}), name="role", rich_help_panel=_COMPANY
)
app.add_typer(
    reference.commands("permission_set", "permission sets", {}), name="permission-set", rich_help_panel=_COMPANY
)
app.add_typer(
    reference.commands("department", "departments", {"parent_id": said("Below")}),
    name="department",
    rich_help_panel=_COMPANY,
)


def main() -> None:
    """Run a command and end with its exit code."""
    with safe_streams():
        try:
            _run()
        except Refused as refusal:
            print_error(refusal)
            sys.exit(refusal.code)
        except OutputFailed as error:
            print_error(
                Refused(Exit.UNKNOWN, said("done, but the result could not be shown: {error}", error=foreign(error)))
            )
            sys.exit(Exit.UNKNOWN)
        except KeyboardInterrupt:
            sys.exit(Exit.INTERRUPTED)


def _run() -> None:
    try:
        app()
    except SystemExit:
        sys.stdout.flush()  # otherwise an error would only occur when Python exits
        raise


def _version(wanted: bool) -> None:
    if wanted:
        print_markup(said("deskroster {version}", version=__version__))
        raise typer.Exit


@app.callback(help=_HELP)
def deskroster(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what stands before a command."""
