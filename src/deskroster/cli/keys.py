"""`deskroster key`: the secrets by which agents' programs sign and log in."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from deskroster.cli.agents import Who, find_agent
from deskroster.cli.console import (
    Exit,
    Refused,
    print_json,
    print_markup,
    print_plain,
    print_records,
    print_result,
)
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Id, Json
from deskroster.cli.translation import helped
from deskroster.dialects import DIALECTS
from deskroster.texts import said

NAMES = tuple(dialect.name for dialect in DIALECTS)


class Access(StrEnum):
    """The choices of --access."""

    read = "read"
    write = "write"


Where = Annotated[
    list[str] | None,
    typer.Option(
        "--dialect",
        metavar="NAME",
        help=helped(
            said("Where it is good: {names}. Several times; without, for all.", names=", ".join(NAMES)),
        ),
    ),
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="WHEN", help="90d, 12h, or a time such as 2027-01-31T00:00:00+08:00."),
]

app = typer.Typer(no_args_is_help=True, help="The keys of a company: create, list, revoke.")


@app.command("create")
def create_key(
    who: Who,
    data: Data,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "key",
    access: Annotated[Access, typer.Option("--access", help="What it may do.")] = Access.write,
    dialect: Where = None,
    expires: Expires = None,
    company: Company = None,
    json: Json = False,
) -> None:
    r"""Give an agent a key, and show its secret this once.

    The secret is the token of each vendor's API at the same time. A key can do what its agent may, and never more:
    some of these APIs are for administrators only.

    For example:

    ```sh
    deskroster key create admin@example.com --name "nightly import" \
      --data ./data
    deskroster key create 1 --name reports --access read --dialect own \
      --expires 90d --data ./data
    ```
    """
    for unknown in set(dialect or ()) - set(NAMES):
        raise Refused(
            Exit.USAGE,
            said("there is no dialect {unknown}", unknown=unknown),
            said("There are: {names}.", names=", ".join(NAMES)),
        )
    expires_at = None if expires is None else _expiry(expires).isoformat()
    with Folder(data, company) as folder:
        body = {
            "agent_id": find_agent(folder, who)["id"],
            "name": name,
            "access": access.value,
            "dialects": dialect or [],
            "expires_at": expires_at,
        }
        key = folder.call("POST", "/keys", body)
    if json:
        print_json(key)
        return
    print_markup(
        said("The key {id} of agent {agent_id}; its secret is not shown again:", id=key["id"], agent_id=key["agent_id"])
    )
    print_plain(key["secret"])


@app.command("list")
def list_keys(data: Data, company: Company = None, json: Json = False) -> None:
    """List the keys, without their secrets.

    "Last form" tells by which signature form a key was last used: C is an old one (SHA-1, without a nonce).

    For example:

    ```sh
    deskroster key list --data ./data
    ```
    """
    columns = {
        "id": said("ID"), "agent_id": said("Agent"), "name": said("Name"), "access": said("Access"),
        "dialects": said("Dialects"), "state": said("State"), "expires_at": said("Expires"),
        "last_used_at": said("Last use"), "last_form": said("Last form"),
    }  # fmt: skip
    with Folder(data, company) as folder:
        print_records(folder.all("/keys"), columns, json)


@app.command("revoke")
def revoke_key(id: Id, data: Data, company: Company = None, json: Json = False) -> None:
    """Revoke a key. It is refused from the very next request on, and stays listed.

    For example:

    ```sh
    deskroster key revoke 3 --data ./data
    ```
    """
    with Folder(data, company) as folder:
        print_result(folder.call("DELETE", f"/keys/{id}"), said("The key {id} is revoked.", id=id), json)


def _expiry(text: str) -> datetime:
    """Return the time that --expires means, in UTC. Raises Refused."""
    units = {"d": "days", "h": "hours"}
    if len(text) <= 6 and text[:-1].isdecimal() and text[-1] in units:
        return datetime.now(UTC) + timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)  # without an offset: in this machine's time zone
    except (ValueError, OverflowError):  # OverflowError: at the ends of the calendar
        raise Refused(
            Exit.USAGE, said("{text} is no time", text=text), said("Write 90d, 12h, or 2027-01-31T00:00:00+08:00.")
        ) from None
