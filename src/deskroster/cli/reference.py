"""`deskroster position|role|permission-set|department`: the reference data that no vendor's call creates."""

from typing import Annotated, Any

import typer

from deskroster.cli.console import as_json, show, verbatim
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Json
from deskroster.core.reference import Reference
from deskroster.dialects.own.shapes.reference import WIRES

Id = Annotated[int, typer.Argument(metavar="ID", min=1, show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Description = Annotated[str, typer.Option("--description", help="What the role is about.")]
Parent = Annotated[
    int | None, typer.Option("--parent", metavar="ID", min=1, help="The department above; else it is at the top.")
]


def commands(kind: Reference, plural: str, more: dict[str, str]) -> typer.Typer:
    """Return the commands of one kind; `more` names the columns that it has besides id and name."""
    name = kind.replace("_", " ")
    command, path = kind.replace("_", "-"), f"/{WIRES[kind].path}"
    group = typer.Typer(no_args_is_help=True, help=f"The {plural} of a company: list, add, rename, remove.")

    def find(data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            show(folder.all(path), {"id": "ID", "name": "Name", **more}, json)

    def rename(id: Id, new_name: Name, data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            told(folder.call("PATCH", f"{path}/{id}", {"name": new_name}), f"The {name} {id} is now {new_name}.", json)

    def remove(id: Id, data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            told(folder.call("DELETE", f"{path}/{id}"), f"The {name} {id} is removed.", json)

    group.command("list", help=_help(f"List the {plural}, by id.", f"{command} list --data ./data"))(find)
    group.command("add", help=_help(f"Add a {name}.", f"{command} add {_EXAMPLES[kind]} --data ./data"))(_add(kind))
    group.command("rename", help=_help(f"Rename a {name}.", f"{command} rename 2 NAME --data ./data"))(rename)
    group.command(
        "remove",
        help=_help(f"Remove a {name} that nobody has.{_LOWER.get(kind, '')}", f"{command} remove 2 --data ./data"),
    )(remove)
    return group


def told(answer: Any, sentence: str, json: bool) -> None:
    """Say what was done: to people in a sentence, to programs the record."""
    if json:
        as_json(answer)
    else:
        verbatim(sentence)


def _add(kind: Reference) -> Any:
    """Return the command that adds one; what it takes depends on the kind."""

    def add(data: Data, company: str | None, json: bool, body: dict[str, Any]) -> None:
        with Folder(data, company) as folder:
            made = folder.call("POST", f"/{WIRES[kind].path}", body)
        told(made, f"The {kind.replace('_', ' ')} {made['name']} has the id {made['id']}.", json)

    def plain(name: Name, data: Data, company: Company = None, json: Json = False) -> None:
        add(data, company, json, {"name": name})

    def role(
        name: Name, data: Data, description: Description = "", company: Company = None, json: Json = False
    ) -> None:
        add(data, company, json, {"name": name, "description": description})

    def department(name: Name, data: Data, parent: Parent = None, company: Company = None, json: Json = False) -> None:
        add(data, company, json, {"name": name, "parent_id": parent})

    return {"role": role, "department": department}.get(kind, plain)


def _help(what: str, example: str) -> str:
    return f"{what}\n\nFor example:\n\n```sh\ndeskroster {example}\n```"


_EXAMPLES: dict[Reference, str] = {
    "position": "组长",
    "role": "质检 --description 质量检查",
    "permission_set": "报表查看",
    "department": "华东一区 --parent 1",
}
_LOWER: dict[Reference, str] = {"department": " It must have no department below it."}
