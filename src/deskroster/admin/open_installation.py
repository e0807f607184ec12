"""An open installation: what the operator's calls work on, and how a company is created in it."""

import secrets
import uuid
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct

from deskroster.clocks import Clock
from deskroster.core import company, text
from deskroster.core.changes import Origin
from deskroster.core.company import CompanyFields, Step
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Secret
from deskroster.desk import Desk, Desks
from deskroster.dialect.problems import UnknownCompany
from deskroster.ledger import Store
from deskroster.passwords import Passwords
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry


class OpenInstallation(Struct, frozen=True):
    """The store of an open data folder, with everything else that the operator's calls need."""

    settings: Settings
    store: Store
    desks: Desks
    passwords: Passwords
    telemetry: Telemetry
    clock: Clock
    alone: bool = False  # whether this process serves no clients

    def now(self) -> int:
        """Return the time of day in Unix seconds."""
        return int(self.clock())

    async def some_desk(self) -> Desk:
        """Return the desk of the first company. Raises UnknownCompany if the installation has none."""
        first = self.store.listed.first()
        if first is None:
            raise UnknownCompany
        return await self.desks.of_company(first)

    async def desk(self, label: str) -> Desk:
        """Return the desk of a company. Raises UnknownCompany."""
        known = self.store.listed.labelled(label)
        if known is None:
            raise UnknownCompany
        return await self.desks.of_company(known)

    async def create_company(self, fields: CompanyFields, steps: Sequence[Step], request_id: str) -> Desk:
        """Create a company in one commit, and return its desk. Raises Invalid, Conflict, Busy or Unknown."""
        checked_zone(fields)
        now = self.now()
        record = company.new(fields, now)
        origin = Origin(agent_id=None, dialect="installation", address="", request_id=request_id)
        ledger = await self.store.create_company(record, company.first_records(record, steps), origin)
        return await self.desks.of_company(ledger.roster.company, patience=None)  # needs no timeout: it is loaded


class AdministratorIn(Struct, frozen=True, kw_only=True):
    """The first administrator of a new company. Without a password, one is generated."""

    email: str
    name: str
    position: str = "客服专员"
    role: str = "客服"
    password: str | None = None


class AdministratorSecrets(Struct, frozen=True):
    """The secrets of a first administrator, which are shown only once."""

    password: str
    token: str


async def administrator_steps(
    installation: OpenInstallation, administrator: AdministratorIn
) -> tuple[list[Step], AdministratorSecrets]:
    """Return the steps that create a company's first administrator, and the administrator's secrets. Raises Invalid."""
    password = new_password() if administrator.password is None else text.password(administrator.password)
    token = str(uuid.uuid4())
    first = company.FirstAdministrator(
        email=administrator.email,
        name=administrator.name,
        password=await installation.passwords.hash(password),
        token=Secret(token),
        position=administrator.position,
        role=administrator.role,
    )
    return company.first_verbs(first, installation.now()), AdministratorSecrets(password, token)


def new_password(pick: Callable[[int], int] = secrets.randbelow) -> str:
    """Return a random password of 99 bits, without characters that look alike."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(letters[pick(len(letters))] for _ in range(4)) for _ in range(5))


def checked_zone(fields: CompanyFields) -> None:
    """Raise Invalid if there is a time zone that the IANA database does not have."""
    if fields.time_zone is UNSET:
        return
    try:
        ZoneInfo(fields.time_zone)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise Invalid("time_zone", Rule.UNKNOWN) from None
