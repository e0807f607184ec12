"""`deskroster agent` and `deskroster password`: the operator's commands for agents."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from deskroster.cli.console import Exit, Refused, print_json, print_records, print_result
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Json
from deskroster.cli.secret import read_secret

Who = Annotated[str, typer.Argument(metavar="WHO", help="The agent's id or e-mail.", show_default=False)]


class Level(StrEnum):
    """The choices of the argument LEVEL."""

    agent = "agent"
    admin = "admin"


app = typer.Typer(no_args_is_help=True, help="The agents of a company: list, show, level, SIP account.")


@app.command("list")
def list_agents(data: Data, company: Company = None, json: Json = False) -> None:
    """List the agents, by id.

    For example:

    ```sh
    deskroster agent list --data ./data
    deskroster agent list --data ./data --json | jq '.[] | select(.level == "admin") | .email'
    ```
    """
    columns = {
        "id": "ID", "name": "Name", "email": "E-mail", "level": "Level", "state": "State", "employed": "Employed",
        "group_ids": "Groups",
    }  # fmt: skip
    with Folder(data, company) as folder:
        print_records(folder.all("/agents"), columns, json)


@app.command("show")
def show_agent(who: Who, data: Data, company: Company = None, json: Json = False) -> None:
    """Show everything about an agent except secrets.

    For example:

    ```sh
    deskroster agent show admin@example.com --data ./data
    ```
    """
    with Folder(data, company) as folder:
        agent = find_agent(folder, who)
    if json:
        print_json(agent)
    else:
        rows = [{"key": key, "value": value} for key, value in agent.items()]
        print_records(rows, {"key": "Field", "value": "Value"}, False)


@app.command("level")
def set_level(
    who: Who,
    level: Annotated[Level, typer.Argument(show_default=False)],
    data: Data,
    company: Company = None,
    json: Json = False,
) -> None:
    """Make an agent an administrator, or an agent again.

    Administrator is a separate level: no role or permission set grants it. The last enabled administrator
    cannot be demoted (exit code 4).

    For example:

    ```sh
    deskroster agent level li.na@example.com admin --data ./data
    ```
    """
    with Folder(data, company) as folder:
        agent = folder.call("PATCH", f"/agents/{find_agent(folder, who)['id']}", {"level": level.value})
    print_result(agent, f"{agent['name']} ({agent['email']}) has the level {agent['level']}.", json)


@app.command("sip")
def set_sip_account(
    who: Who,
    data: Data,
    number: Annotated[str | None, typer.Option("--number", help="The number; an empty one removes it.")] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Read the SIP password from a prompt or standard input.")
    ] = False,
    company: Company = None,
    json: Json = False,
) -> None:
    """Set an agent's SIP account, which no vendor's call sets.

    For example:

    ```sh
    deskroster agent sip li.na@example.com --number 6003 --data ./data
    deskroster agent sip li.na@example.com --password --data ./data < sip-password.txt
    ```
    """
    if number is None and not password:
        raise Refused(Exit.USAGE, "nothing to set", "Say --number, --password, or both.")
    body: dict[str, Any] = {} if number is None else {"sip_number": number}
    if password:
        body["sip_password"] = read_secret("SIP password")
    with Folder(data, company) as folder:
        agent = folder.call("PATCH", f"/agents/{find_agent(folder, who)['id']}", body)
    print_result(agent, f"The SIP account of {agent['email']} is set.", json)


def set_password(who: Who, data: Data, company: Company = None, json: Json = False) -> None:
    """Set an agent's login password.

    It is read from a prompt at a terminal, or from standard input (one line), never from the command line, where others
    could read it. 8 to 128 characters. The old password stops working at the next request.

    For example:

    ```sh
    deskroster password admin@example.com --data ./data
    deskroster password 1 --data ./data < password.txt
    ```
    """
    with Folder(data, company) as folder:
        id = find_agent(folder, who)["id"]
        agent = folder.call("PUT", f"/agents/{id}/password", {"password": read_secret("Password")})
    print_result(agent, f"The password of {agent['email']} is set.", json)


def find_agent(folder: Folder, who: str) -> dict[str, Any]:
    """Return the agent with this id or e-mail. Raises Refused."""
    if who.isascii() and who.isdigit():
        agent: dict[str, Any] = folder.call("GET", f"/agents/{who}")
        return agent
    matches: list[dict[str, Any]] = folder.call("GET", "/agents", email=who)["items"]
    if not matches:
        raise Refused(Exit.NOT_FOUND, f"there is no agent {who}")
    return matches[0]
