"""`deskroster field`: the profile fields of a company."""

from typing import Annotated, get_args

import typer

from deskroster.cli.console import Exit, Refused, print_records, print_result
from deskroster.cli.folder import Folder
from deskroster.cli.options import Company, Data, Id, Json
from deskroster.cli.translation import helped
from deskroster.cli.wording import listed
from deskroster.core.profiles import WITH_OPTIONS
from deskroster.core.records import FieldType
from deskroster.texts import said

TYPES: tuple[str, ...] = get_args(FieldType)
PATH = "/profile-fields"

Type = Annotated[
    str, typer.Option("--type", metavar="TYPE", help=helped(said("One of {types}.", types=", ".join(TYPES))))
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME", help="A choice of a list box; of a cascade PARENT,CHILD. Several times."),
]
Required = Annotated[
    bool, typer.Option("--required", help="Every record must have a value; allowed only while there are no records.")
]

app = typer.Typer(no_args_is_help=True, help="The profile fields of a company: list, add, rename, remove.")


@app.command("list")
def list_fields(data: Data, company: Company = None, json: Json = False) -> None:
    """List the profile fields, by id.

    For example:

    ```sh
    deskroster field list --data ./data --json
    ```
    """
    columns = {
        "id": said("ID"), "api_name": said("API name"), "label": said("Label"), "type": said("Type"),
        "required": said("Required"), "options": said("Options"),
    }  # fmt: skip
    with Folder(data, company) as folder:
        print_records(folder.all(PATH), columns, json)


@app.command("add")
def add_field(
    api_name: Annotated[str, typer.Argument(metavar="API_NAME", show_default=False)],
    label: Annotated[str, typer.Argument(metavar="LABEL", show_default=False)],
    data: Data,
    type: Type = "single_line",
    option: Options = None,
    required: Required = False,
    company: Company = None,
    json: Json = False,
) -> None:
    r"""Add a profile field.

    API_NAME is what programs call it (a letter, then letters, digits and underscores); LABEL is what people read. The
    first field is the main one: its value names a record.

    For example:

    ```sh
    deskroster field add hired_on 入职日期 --type date --data ./data
    deskroster field add education 学历 --type single_listbox --option 本科 \
      --option 硕士 --data ./data
    ```
    """
    if type not in TYPES:
        raise Refused(
            Exit.USAGE, said("there is no type {type}", type=type), said("There are: {types}.", types=", ".join(TYPES))
        )
    _check_options(type, option or [])
    body = {"api_name": api_name, "label": label, "type": type, "required": required, "options": option or []}
    with Folder(data, company) as folder:
        added = folder.call("POST", PATH, body)
    print_result(added, said("The field {api_name} has the id {id}.", api_name=api_name, id=added["id"]), json)


def _check_options(type: str, options: list[str]) -> None:
    """Raise Refused where a type needs options and has none, or has some and takes none."""
    if type in WITH_OPTIONS and not options:
        example = "--option PARENT,CHILD" if type == "cascade" else "--option NAME"
        raise Refused(
            Exit.USAGE,
            said("a field of type {type} needs options", type=type),
            said("Name each of its choices: {example}", example=example),
        )
    if type not in WITH_OPTIONS and options:
        types = listed(name for name in TYPES if name in WITH_OPTIONS)
        raise Refused(
            Exit.USAGE,
            said("a field of type {type} takes no options", type=type),
            said("--option is for {types}.", types=types),
        )


@app.command("rename")
def rename_field(
    id: Id,
    label: Annotated[str, typer.Argument(metavar="LABEL", show_default=False)],
    data: Data,
    company: Company = None,
    json: Json = False,
) -> None:
    """Give a profile field another label; its API name stays.

    For example:

    ```sh
    deskroster field rename 2 "Hired on" --data ./data
    ```
    """
    with Folder(data, company) as folder:
        print_result(
            folder.call("PATCH", f"{PATH}/{id}", {"label": label}),
            said("The field {id} is now {label}.", id=id, label=label),
            json,
        )


@app.command("remove")
def remove_field(id: Id, data: Data, company: Company = None, json: Json = False) -> None:
    """Remove a profile field that no record has a value of.

    For example:

    ```sh
    deskroster field remove 2 --data ./data
    ```
    """
    with Folder(data, company) as folder:
        print_result(folder.call("DELETE", f"{PATH}/{id}"), said("The field {id} is removed.", id=id), json)
