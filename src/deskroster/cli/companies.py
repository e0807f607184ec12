"""`deskroster company`: the companies of an installation."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from deskroster.admin.companies import NewCompany
from deskroster.cli.console import Exit, Refused, print_records, print_result
from deskroster.cli.folder import Folder
from deskroster.cli.init import AdminName, AskPassword, Email, Name, print_new_company
from deskroster.cli.options import Data, Json
from deskroster.cli.secret import read_password
from deskroster.cli.translation import helped
from deskroster.cli.wording import listed
from deskroster.dialects import DIALECTS
from deskroster.ledger.files.paths import in_shell
from deskroster.texts import said


class Language(StrEnum):
    """The choices of --language."""

    zh = "zh"
    en = "en"


class SignatureForm(StrEnum):
    """Forms of signature: A SHA-256 with a nonce, B SHA-1 with a nonce, C SHA-1 without."""

    A = "A"
    B = "B"
    C = "C"


_NONE = "none"
_COUNTED = listed(dialect.vendor for dialect in DIALECTS if dialect.counted)

LanguageOption = Annotated[
    Language | None, typer.Option("--language", help="Of messages, where a client asks for none.")
]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", metavar="ZONE", help="Of local times that are shown, such as Asia/Shanghai."),
]
Forms = Annotated[
    list[SignatureForm] | None,
    typer.Option("--signature-form", help="A form that is accepted. Several times; those not named are refused."),
]
Calls = Annotated[
    int | None,
    typer.Option(
        "--calls-per-minute",
        min=0,
        help=helped(said("Limit of calls to {vendors} (the vendor's is 60); 0 is none.", vendors=_COUNTED)),
    ),
]
DefaultPosition = Annotated[
    str | None,
    typer.Option(
        "--default-position",
        metavar="ID",
        help="The position of an agent that is created without one, or none.",
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--cors-origin",
        metavar="ORIGIN",
        help="Whose pages may call from a browser: https://desk.example.com. Several times; none allows nobody.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="The companies of an installation: list, add, set.")


@app.command("list")
def list_companies(data: Data, json: Json = False) -> None:
    """List the companies and their settings.

    For example:

    ```sh
    deskroster company list --data ./data
    ```
    """
    columns = {
        "label": said("Label"), "name": said("Name"), "language": said("Language"), "time_zone": said("Time zone"),
        "signature_forms": said("Signature forms"), "calls_per_minute": said("Calls a minute"),
        "default_position_id": said("Default position"), "cors_origins": said("CORS origins"),
    }  # fmt: skip
    with Folder(data) as folder:
        print_records(folder.installation("GET", "/companies")["items"], columns, json)


@app.command("add")
def add_company(
    label: Annotated[str, typer.Argument(metavar="LABEL", show_default=False)],
    data: Data,
    name: Name,
    email: Email,
    admin_name: AdminName = "Admin",
    ask_password: AskPassword = False,
    language: LanguageOption = None,
    time_zone: TimeZone = None,
    json: Json = False,
) -> None:
    r"""Add a company.

    LABEL is the first label of the host name by which clients reach it: acme of acme.example.com. It starts, as with
    init, with an administrator, one position and one role; password and token are shown this once.

    With a second company, each is found by its label only, the first one too.

    For example:

    ```sh
    deskroster company add acme --name "Acme Ltd" --email admin@acme.com \
      --data ./data
    ```
    """
    administrator = {"email": email, "name": admin_name, "password": read_password() if ask_password else None}
    settings = _settings(label=label, name=name, language=language, time_zone=time_zone)
    with Folder(data) as folder:
        try:
            created = folder.installation("POST", "/companies", {**settings, "administrator": administrator})
        except Refused as refusal:
            if refusal.code == Exit.CONFLICT:
                command = f"deskroster password 1 --company {label} --data {in_shell(data)}"
                refusal.hint = said(
                    "If this was interrupted before it showed the administrator's password: {command}", command=command
                )
            raise
    print_new_company(msgspec.convert(created, NewCompany), json)


@app.command("set")
def set_company(
    which: Annotated[str, typer.Argument(metavar="LABEL", show_default=False)],
    data: Data,
    label: Annotated[str | None, typer.Option("--label", help="Another label.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    language: LanguageOption = None,
    time_zone: TimeZone = None,
    signature_form: Forms = None,
    calls_per_minute: Calls = None,
    default_position: DefaultPosition = None,
    cors_origin: Origins = None,
    json: Json = False,
) -> None:
    r"""Change a company's settings; what is not named stays as it is.

    For example:

    ```sh
    deskroster company set acme --time-zone Europe/London --language en \
      --data ./data
    deskroster company set acme --signature-form A --signature-form B \
      --data ./data
    deskroster company set acme --calls-per-minute 60 --data ./data
    deskroster company set acme --default-position 2 --data ./data
    deskroster company set acme --cors-origin https://desk.example.com \
      --data ./data
    ```
    """
    settings = _settings(
        label=label,
        name=name,
        language=language,
        time_zone=time_zone,
        signature_forms=signature_form or None,
        calls_per_minute=calls_per_minute,
        cors_origins=[] if cors_origin == [_NONE] else cors_origin or None,
    )
    if default_position is not None:
        settings["default_position_id"] = _position_id(default_position)
    if not settings:
        raise Refused(Exit.USAGE, said("nothing to set"), said("deskroster company set --help lists the settings."))
    with Folder(data) as folder:
        print_result(
            folder.installation("PATCH", f"/companies/{which}", settings),
            said("The company {which} is set.", which=which),
            json,
        )


def _position_id(given: str) -> int | None:
    if given == _NONE:
        return None
    if not (given.isascii() and given.isdigit()):
        raise Refused(
            Exit.USAGE,
            said("{given} is no id of a position", given=given),
            said("deskroster position list shows them; or say none."),
        )
    return int(given)


def _settings(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
