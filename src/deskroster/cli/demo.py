"""`deskroster demo`: serve a demo company without any setup."""

import ipaddress
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from deskroster.admin.open_installation import OpenInstallation
from deskroster.cli import curls
from deskroster.cli.console import Exit, Refused, captured, json_line, print_markup, print_pairs, print_plain, worded
from deskroster.cli.options import Json, Port
from deskroster.cli.serving import Addresses, PortInUse, serve
from deskroster.demo import Account, Accounts, NotADemo, prepared
from deskroster.ledger.files.paths import in_shell, shown
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.texts import Text, said

Loopback = Annotated[str, typer.Option("--host", help="The address to listen on: a loopback address.")]
Keep = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Keep the data in this folder for the next start; by default it is temporary."
    ),
]
Empty = Annotated[bool, typer.Option("--empty", help="Only an administrator, one position and one role, id 1 each.")]


def demo(
    host: Loopback = "127.0.0.1", port: Port = 8321, data: Keep = None, empty: Empty = False, json: Json = False
) -> None:
    """Serve a realistic demo company on this machine, without any setup.

    About 60 agents in 8 groups with positions, roles, departments and profile fields. The screen shows the addresses,
    the credentials and a `curl` for each API that signs itself. A refusal of a signature says which text should have
    been signed, so this is the place to debug a client; for the same reason it listens on loopback addresses only.

    The data is deleted when the demo stops, unless --data names a folder to keep it in: the next start finds the same
    company and the same credentials.

    With --json it prints only one line, when the server answers:
    {"event":"ready","url":…,"company":"demo","admin":{"id","email","password","token"},"agent":{…}}.
    A password or token that was changed since is null; so is "agent" with --empty.

    For example:

    ```sh
    deskroster demo
    deskroster demo --port 0 --json
    deskroster demo --data ./demo-data --empty
    ```
    """
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deskroster-demo-")))
        settings = Settings(data=folder, database="", host=_loopback(host), port=port, explain_signatures=True)

        async def prepare(installation: OpenInstallation) -> Accounts:
            return await prepared(installation, empty, uuid.uuid4().hex)

        def ready(at: Addresses, accounts: Accounts, log: Telemetry) -> str:
            if json:
                return json_line({"event": "ready", "url": at.url, **_fields(accounts)})
            return captured(lambda: _print_welcome(at.url, accounts, data))

        try:
            serve(settings, prepare, ready)
        except PortInUse as refusal:
            refusal.hint = said('To take a free one: deskroster demo --port 0, or make demo ARGS="--port 0"')
            raise
        except NotADemo:
            why = said("{folder} holds companies that the demo has not made", folder=shown(folder))
            raise Refused(
                Exit.CONFLICT, why, said("Serve it with: deskroster serve --data {folder}", folder=in_shell(folder))
            ) from None


def _loopback(host: str) -> str:
    """Return the address. Raises Refused unless it is a loopback address."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    why = said("the demo listens on loopback addresses only, and {host} is none", host=host)
    hint = said(
        "To serve others: deskroster init, then deskroster serve --host 0.0.0.0. "
        "In a container: start it with --network host, and the demo without --host"
    )
    raise Refused(Exit.USAGE, why, hint)


def _fields(accounts: Accounts) -> dict[str, object]:
    return {"company": accounts.company, "admin": accounts.admin, "agent": accounts.agent}


def _print_welcome(url: str, accounts: Accounts, data: Path | None) -> None:
    print_markup(
        said(
            "\n[bold green]Deskroster demo[/bold green] answers at [bold]{url}[/bold]  ({data})\n",
            url=url,
            data=_kept(data),
        )
    )
    for heading, account in ((said("Administrator"), accounts.admin), (said("Agent"), accounts.agent)):
        if account is not None:
            _print_account(heading, account)
    print_markup(said("[bold]The APIs[/bold], each with its reference and a call that works as it is:\n"))
    email, token = (accounts.admin.email, accounts.admin.token) if accounts.admin else ("EMAIL", None)
    for dialect, command in curls.of_each_dialect(url, email, token):
        print_markup(
            said(
                "[bold]{title}[/bold]  {url}{prefix}  [dim]reference:[/dim] {url}/docs/{name}",
                title=dialect.title,
                url=url,
                prefix=dialect.prefix,
                name=dialect.name,
            )
        )
        print_plain(f"{command}\n")


def _kept(data: Path | None) -> Text:
    if data is None:
        return said("data: gone when this stops; --data DIR keeps it; stop with Ctrl-C")
    return said("data: kept in {folder}; stop with Ctrl-C", folder=shown(data))


def _print_account(heading: Text, account: Account) -> None:
    print_markup(said("[bold]{heading}[/bold] (id {id})", heading=heading, id=account.id))
    changed = worded(said("(changed)"))
    print_pairs(
        (
            (said("email"), account.email),
            (said("password"), account.password or changed),
            (said("token"), account.token or changed),
        )
    )
    print_plain("")
