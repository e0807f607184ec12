"""What the operator's calls work on: the store, its companies, and how to found one."""

import secrets
import uuid
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct

from deskroster.clocks import Clock
from deskroster.core import company, text
from deskroster.core.changes import Origin
from deskroster.core.company import CompanyFields, FirstAdministrator, Step
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Secret
from deskroster.desk import Desk, Desks
from deskroster.dialect.problems import UnknownCompany
from deskroster.ledger import Store
from deskroster.passwords import Passwords
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry


class Installation(Struct, frozen=True):
    """An open data folder with all that works on it."""

    settings: Settings
    store: Store
    desks: Desks
    passwords: Passwords
    telemetry: Telemetry
    clock: Clock
    alone: bool = False  # whether nobody is served by this process

    def now(self) -> int:
        return int(self.clock())

    async def some_desk(self) -> Desk:
        """Return the desk of the first company. Raises UnknownCompany in an installation that has none."""
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

    async def found(self, fields: CompanyFields, steps: Sequence[Step], request_id: str) -> Desk:
        """Found a company in one commit. Raises Invalid, Conflict, Busy or Unknown."""
        checked_zone(fields)
        now = self.now()
        fresh = company.new(fields, now)
        origin = Origin(agent_id=None, dialect="installation", address="", request_id=request_id)
        ledger = await self.store.create_company(fresh, company.founding_records(fresh, steps), origin)
        return await self.desks.of_company(ledger.roster.company, patience=None)  # it is loaded


class AdministratorIn(Struct, frozen=True, kw_only=True):
    """A company's first administrator, as the operator wants it. Without a password one is made."""

    email: str
    name: str
    position: str = "客服专员"
    role: str = "客服"
    password: str | None = None


class AdministratorSecrets(Struct, frozen=True):
    """The secrets of a first administrator, to be shown this once."""

    password: str
    token: str


async def steps_and_secrets(
    installation: Installation, wanted: AdministratorIn
) -> tuple[list[Step], AdministratorSecrets]:
    """Return the verbs that create the first records of a company, and its administrator's secrets. Raises Invalid."""
    password = new_password() if wanted.password is None else text.password(wanted.password)
    token = str(uuid.uuid4())
    first = FirstAdministrator(
        email=wanted.email,
        name=wanted.name,
        password=await installation.passwords.hash(password),
        token=Secret(token),
        position=wanted.position,
        role=wanted.role,
    )
    return company.founding_steps(first, installation.now()), AdministratorSecrets(password, token)


def new_password(pick: Callable[[int], int] = secrets.randbelow) -> str:
    """Return a password of 96 bits that can be read aloud: no letter or digit looks like another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(letters[pick(len(letters))] for _ in range(4)) for _ in range(5))


def checked_zone(fields: CompanyFields) -> None:
    """Raise Invalid unless the time zone, if one is wanted, is of the IANA database."""
    if fields.time_zone is UNSET:
        return
    try:
        ZoneInfo(fields.time_zone)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise Invalid("time_zone", Rule.UNKNOWN) from None
