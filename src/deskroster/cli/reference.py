"""`deskroster position|role|permission-set|department`: the reference data that no vendor's call creates."""

from typing import Annotated, Any

import typer

from deskroster.cli.console import print_records, print_result
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Id, Json
from deskroster.core.reference import Reference
from deskroster.dialects.own.shapes.reference import WIRES
from deskroster.texts import Text, said

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Description = Annotated[str, typer.Option("--description", help="What the role is about.")]
Parent = Annotated[
    int | None, typer.Option("--parent", metavar="ID", min=1, help="The department above; else it is at the top.")
]


def commands(kind: Reference, plural: str, more: dict[str, Text]) -> typer.Typer:
    """Return the commands for one kind of reference data.

    `more`: the columns of its list besides id and name, as key in the record → heading.
    """
    name = kind.replace("_", " ")
    command, path = kind.replace("_", "-"), f"/{WIRES[kind].path}"
    group = typer.Typer(no_args_is_help=True, help=f"The {plural} of a company: list, add, rename, remove.")

    def list_all(data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            print_records(folder.all(path), {"id": said("ID"), "name": said("Name"), **more}, json)

    def rename(id: Id, new_name: Name, data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            renamed = folder.call("PATCH", f"{path}/{id}", {"name": new_name})
        print_result(renamed, said("The {kind} {id} is now {name}.", kind=_NAMES[kind], id=id, name=new_name), json)

    def remove(id: Id, data: Data, company: Company = None, json: Json = False) -> None:
        with Folder(data, company) as folder:
            print_result(
                folder.call("DELETE", f"{path}/{id}"),
                said("The {kind} {id} is removed.", kind=_NAMES[kind], id=id),
                json,
            )

    group.command("list", help=_help(f"List the {plural}, by id.", f"{command} list --data ./data"))(list_all)
    group.command("add", help=_help(f"Add a {name}.", f"{command} add {_EXAMPLES[kind]} --data ./data"))(_add(kind))
    group.command("rename", help=_help(f"Rename a {name}.", f"{command} rename 2 NAME --data ./data"))(rename)
    group.command(
        "remove",
        help=_help(f"Remove a {name} that nobody has.{_LOWER.get(kind, '')}", f"{command} remove 2 --data ./data"),
    )(remove)
    return group


def _add(kind: Reference) -> Any:
    """Return the command that adds a record; its options depend on the kind."""

    def add(data: Data, company: str | None, json: bool, body: dict[str, Any]) -> None:
        with Folder(data, company) as folder:
            added = folder.call("POST", f"/{WIRES[kind].path}", body)
        print_result(
            added,
            said("The {kind} {name} has the id {id}.", kind=_NAMES[kind], name=added["name"], id=added["id"]),
            json,
        )

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


_NAMES: dict[Reference, Text] = {
    "position": said("position"),
    "role": said("role"),
    "permission_set": said("permission set"),
    "department": said("department"),
}
_EXAMPLES: dict[Reference, str] = {
    "position": "组长",
    "role": "质检 --description 质量检查",
    "permission_set": "报表查看",
    "department": "华东一区 --parent 1",
}
_LOWER: dict[Reference, str] = {"department": " It must have no department below it."}
