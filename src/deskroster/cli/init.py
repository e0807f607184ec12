"""`deskroster init`: create an installation with its first company."""

import asyncio
import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from deskroster.admin.companies import NewCompany, new_company
from deskroster.admin.open_installation import AdministratorIn
from deskroster.app import opened
from deskroster.cli.console import Exit, Refused, print_json, print_markup, print_pairs, print_plain
from deskroster.cli.opening import installation_of, refusing
from deskroster.cli.options import Data, Database, Json
from deskroster.cli.secret import read_password
from deskroster.cli.wording import in_words
from deskroster.core.company import CompanyFields
from deskroster.core.problems import Refusal
from deskroster.ledger import FolderInUse, location
from deskroster.ledger.files.paths import in_shell, shown
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.texts import Text, foreign, said

Label = Annotated[
    str, typer.Option("--label", help="The first label of its host name: letters, digits, hyphens.", show_default=False)
]
Name = Annotated[str, typer.Option("--name", help="The company's name.", show_default=False)]
Email = Annotated[str, typer.Option("--email", help="E-mail of the first administrator.", show_default=False)]
AdminName = Annotated[str, typer.Option("--admin-name", help="Name of the first administrator.")]
AskPassword = Annotated[
    bool,
    typer.Option(
        "--ask-password",
        help="Read the administrator's password from a prompt or standard input; otherwise one is generated.",
    ),
]


def init(
    data: Data,
    label: Label,
    name: Name,
    email: Email,
    admin_name: AdminName = "Admin",
    ask_password: AskPassword = False,
    database: Database = None,
    json: Json = False,
) -> None:
    r"""Create an installation in a new folder, with its first company.

    The company starts with an administrator, one position and one role (id 1 each). The administrator's password and
    token are shown only once. The folder holds the installation key (the file `key`): whoever has it can read every
    token, and without it no backup can be restored, so keep a copy elsewhere. To keep the key out of the folder
    altogether, set DESKROSTER_KEY (32 bytes as 64 hex digits) here and for every later command.

    With --database the data is in PostgreSQL, in an empty database that belongs to an ordinary role, not a superuser.
    The address is noted in the folder.

    For example:

    ```sh
    deskroster init --data ./data --label acme --name "Acme Ltd" \
      --email admin@acme.com
    deskroster init --data ./data --label acme --name Acme \
      --email admin@acme.com --ask-password < password.txt
    deskroster init --data ./data --label acme --name Acme \
      --email admin@acme.com --database postgresql://db1,db2/acme
    ```
    """
    password = read_password() if ask_password else None
    administrator = AdministratorIn(email=email, name=admin_name, password=password)
    fields = CompanyFields(label=label, name=name)
    try:
        created = asyncio.run(_init(Settings(data=data, database=database), fields, administrator))
    except FolderInUse as error:
        raise Refused(Exit.CONFLICT, foreign(error), said("To add a company to it: deskroster company add")) from None
    print_new_company(created, json)
    if not json:
        print_plain(said("\nServe it with: deskroster serve --data {data}", data=in_shell(data)))


def print_new_company(created: NewCompany, json: bool) -> None:
    """Print a new company's first administrator, with the secrets, which are shown only once."""
    if json:
        print_json({"company": created.company, "admin": created.admin})
        return
    print_markup(
        said(
            "The company [bold]{company}[/bold] has its first administrator (id {id}):",
            company=created.company,
            id=created.admin.id,
        )
    )
    print_pairs(
        (
            (said("e-mail"), created.admin.email),
            (said("password"), created.admin.password),
            (said("token"), created.admin.token),
        )
    )
    print_markup(said("Password and token are not shown again."))


async def _init(settings: Settings, fields: CompanyFields, administrator: AdministratorIn) -> NewCompany:
    with refusing(settings.data), closing(Telemetry()) as telemetry:
        if settings.database is not None and location.noted_in(settings.data) not in (None, settings.database):
            hint = said("Name another folder, or move it: deskroster move")
            raise Refused(
                Exit.CONFLICT,
                said("{data} is an installation already, on another database", data=shown(settings.data)),
                hint,
            )
        async with opened(settings, telemetry) as app:
            installation = installation_of(app)
            if installation.store.listed.all():
                raise Refused(
                    Exit.CONFLICT,
                    said("{data} is an installation already", data=shown(settings.data)),
                    _hint(settings.data),
                )
            if settings.database is not None:  # before anything is written to that database
                location.note(settings.data, settings.database)
            try:
                created = await new_company(installation, fields, administrator, uuid.uuid4().hex)
            except Refusal as problem:
                raise in_words(problem) from None
        return created


def _hint(data: Path) -> Text:
    return said(
        "To add a company to it: deskroster company add --data {folder}. If init was interrupted before it showed the "
        "administrator's password: deskroster password 1 --data {folder}",
        folder=in_shell(data),
    )
