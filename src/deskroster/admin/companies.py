"""The companies of an installation: list, add, settings."""

from msgspec import UNSET, Struct, UnsetType

from deskroster.admin.open_installation import (
    AdministratorIn,
    OpenInstallation,
    administrator_steps,
    checked_zone,
)
from deskroster.core import company
from deskroster.core.access import Permission
from deskroster.core.company import CompanyFields
from deskroster.core.records import Company, Language, SignatureForm
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects.own.shapes import encode, written


class CompanyIn(Struct, frozen=True, kw_only=True):
    """The settings of a company."""

    label: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    signature_forms: list[SignatureForm] | UnsetType = UNSET
    calls_per_minute: int | UnsetType = UNSET
    default_position_id: int | None | UnsetType = UNSET
    cors_origins: list[str] | UnsetType = UNSET


class CompanyBody(CompanyIn, frozen=True, kw_only=True):
    """A new company, and its first administrator."""

    administrator: AdministratorIn


class CompanyOut(Struct, frozen=True, kw_only=True):
    """All settings of a company."""

    label: str
    name: str
    language: Language
    time_zone: str
    signature_forms: tuple[SignatureForm, ...]
    calls_per_minute: int
    default_position_id: int | None
    cors_origins: tuple[str, ...]


class CompanyList(Struct, frozen=True):
    """Every company of the installation."""

    items: list[CompanyOut]
    total: int


class Administrator(Struct, frozen=True):
    """A new company's first administrator, with the secrets that are shown only once."""

    id: int
    email: str
    password: str
    token: str


class NewCompany(Struct, frozen=True):
    """The label of a company that was created, and its administrator."""

    company: str
    admin: Administrator


def routes(installation: OpenInstallation) -> tuple[Route, ...]:
    """Return the routes for companies."""

    def list_companies(request: Request, desk: Desk) -> Reply:
        companies = [company_out(one) for one in installation.store.listed.all()]
        return written(CompanyList(companies, len(companies)))

    async def create_company(request: Request, desk: Desk) -> Reply:
        body = request.read(CompanyBody)
        created = await new_company(installation, company_fields(body), body.administrator, request.id)
        return Reply(201, encode(created))

    async def update_company(request: Request, desk: Desk) -> Reply:
        request.desk = await installation.desk(request.path_text("label"))
        fields = company_fields(request.read(CompanyIn))
        checked_zone(fields)
        return await request.submit(
            lambda roster, caller: company.update(roster, caller, fields),
            lambda roster, done: written(company_out(roster.company)),
        )

    needs = Permission.WRITE_COMPANY
    return (
        Route(method="GET", path="/companies", handler=list_companies, needs=needs,
              reply=CompanyList),
        Route(method="POST", path="/companies", handler=create_company, needs=needs,
              body=CompanyBody, reply=NewCompany, status=201),
        Route(method="PATCH", path="/companies/{label}", handler=update_company, needs=needs,
              body=CompanyIn, reply=CompanyOut),
    )  # fmt: skip


async def new_company(
    installation: OpenInstallation, fields: CompanyFields, administrator: AdministratorIn, request_id: str
) -> NewCompany:
    """Create a company with one administrator, one position and one role.

    Raises Invalid, Conflict, Busy or Unknown.
    """
    steps, secrets = await administrator_steps(installation, administrator)
    desk = await installation.create_company(fields, steps, request_id)
    return NewCompany(desk.roster.company.label, Administrator(1, administrator.email, secrets.password, secrets.token))


def company_fields(body: CompanyIn) -> CompanyFields:
    """Return the settings in a body as the core takes them."""
    return CompanyFields(**{name: getattr(body, name) for name in CompanyFields.__struct_fields__})


def company_out(one: Company) -> CompanyOut:
    """Return the settings of a company as they are shown."""
    return CompanyOut(**{name: getattr(one, name) for name in CompanyOut.__struct_fields__})
