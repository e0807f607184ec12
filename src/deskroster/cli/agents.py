"""`deskroster agent` and `deskroster password`: the operator's commands for agents."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from deskroster.cli.console import Exit, Refused, print_json, print_records, print_result
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Json
from deskroster.cli.secret import read_password, read_secret
from deskroster.texts import foreign, said

Who = Annotated[str, typer.Argument(metavar="WHO", help="The agent's id or e-mail.", show_default=False)]


class Level(StrEnum):
    """The choices of the argument LEVEL."""

    agent = "agent"
    admin = "admin"


app = typer.Typer(no_args_is_help=True, help="The agents of a company: list, show, level, SIP account, profile.")


@app.command("list")
def list_agents(data: Data, company: Company = None, json: Json = False) -> None:
    r"""List the agents, by id.

    For example:

    ```sh
    deskroster agent list --data ./data
    deskroster agent list --data ./data --json \
      | jq '.[] | select(.level == "admin") | .email'
    ```
    """
    columns = {
        "id": said("ID"), "name": said("Name"), "email": said("E-mail"), "level": said("Level"),
        "state": said("State"), "employed": said("Employed"), "group_ids": said("Groups"),
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
        print_records(rows, {"key": said("Field"), "value": said("Value")}, False)


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
    print_result(
        agent,
        said("{name} ({email}) has the level {level}.", name=agent["name"], email=agent["email"], level=agent["level"]),
        json,
    )


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
    r"""Set an agent's SIP account, which no vendor's call sets.

    For example:

    ```sh
    deskroster agent sip li.na@example.com --number 6003 --data ./data
    deskroster agent sip li.na@example.com --password \
      --data ./data < sip-password.txt
    ```
    """
    if number is None and not password:
        raise Refused(Exit.USAGE, said("nothing to set"), said("Say --number, --password, or both."))
    body: dict[str, Any] = {} if number is None else {"sip_number": number}
    if password:
        body["sip_password"] = read_secret(said("SIP password"), said("standard input holds no SIP password"))
    with Folder(data, company) as folder:
        agent = folder.call("PATCH", f"/agents/{find_agent(folder, who)['id']}", body)
    print_result(agent, said("The SIP account of {email} is set.", email=agent["email"]), json)


@app.command("permission-sets")
def set_permission_sets(
    who: Who,
    data: Data,
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", min=1, show_default=False)] = None,
    company: Company = None,
    json: Json = False,
) -> None:
    """Set which permission sets an agent has: all that are named, and no others.

    For example:

    ```sh
    deskroster permission-set list --data ./data
    deskroster agent permission-sets li.na@example.com 1 4 --data ./data
    ```
    """
    with Folder(data, company) as folder:
        body = {"permission_set_ids": ids or []}
        agent = folder.call("PATCH", f"/agents/{find_agent(folder, who)['id']}", body)
    print_result(agent, said("The permission sets of {email} are set.", email=agent["email"]), json)


@app.command("callout")
def set_callout_number(
    who: Who,
    number: Annotated[str, typer.Argument(metavar="NUMBER", show_default=False)],
    data: Data,
    company: Company = None,
    json: Json = False,
) -> None:
    """Set the number that customers see when an agent calls them; an empty one removes it.

    For example:

    ```sh
    deskroster agent callout li.na@example.com 021-55558003 --data ./data
    ```
    """
    with Folder(data, company) as folder:
        agent = folder.call("PATCH", f"/agents/{find_agent(folder, who)['id']}", {"callout_number": number})
    print_result(agent, said("The outbound number of {email} is set.", email=agent["email"]), json)


@app.command("profile")
def profile(
    who: Who,
    data: Data,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE", help="A value to set; an empty one clears it.", show_default=False),
    ] = None,
    company: Company = None,
    json: Json = False,
) -> None:
    r"""Show the values of an agent's profile, or set some of them.

    VALUE is text, or JSON for what text cannot say: the tags of phones and e-mails, owners, signatures, attachments.
    An agent without a profile record gets one.

    For example:

    ```sh
    deskroster agent profile li.na@example.com --data ./data
    deskroster agent profile li.na@example.com hired_on=2024-03-01 --data ./data
    deskroster agent profile li.na@example.com \
      'phones=[{"tagName":"家庭","tagValue":"13800138000"}]' --data ./data
    ```
    """
    with Folder(data, company) as folder:
        agent = find_agent(folder, who)
        path = f"/agents/{agent['id']}/profile"
        if not values:
            shown = folder.call("GET", path)
            _print_profile(shown, json)
            return
        changed = folder.call("PATCH", path, {"values": dict(map(_field_and_value, values))})
    print_result(changed, said("The profile of {email} is set.", email=agent["email"]), json)


def _field_and_value(given: str) -> tuple[str, Any]:
    """Return the field and the value of FIELD=VALUE. Raises Refused."""
    field, equals, value = given.partition("=")
    if not equals or not field:
        raise Refused(
            Exit.USAGE,
            said("{given} is not FIELD=VALUE", given=given),
            said("For example: {example}", example="hired_on=2024-03-01"),
        )
    if not value.startswith(("{", "[")):
        return field, value or None
    try:
        return field, msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise Refused(
            Exit.USAGE, said("the value of {field} is no JSON: {error}", field=field, error=foreign(error))
        ) from None


def _print_profile(shown: dict[str, Any], json: bool) -> None:
    if json:
        print_json(shown)
        return
    rows = [{"key": key, "value": _as_text(value)} for key, value in shown["values"].items()]
    print_records(rows, {"key": said("Field"), "value": said("Value")}, False)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


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
        agent = folder.call("PUT", f"/agents/{id}/password", {"password": read_password()})
    print_result(agent, said("The password of {email} is set.", email=agent["email"]), json)


def find_agent(folder: Folder, who: str) -> dict[str, Any]:
    """Return the agent with this id or e-mail. Raises Refused."""
    if who.isascii() and who.isdigit():
        agent: dict[str, Any] = folder.call("GET", f"/agents/{who}")
        return agent
    matches: list[dict[str, Any]] = folder.call("GET", "/agents", email=who)["items"]
    if not matches:
        raise Refused(Exit.NOT_FOUND, said("there is no agent {who}", who=who))
    return matches[0]
