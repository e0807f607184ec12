"""Companies: the list of those in an installation, and which of them has a label, where others may change it too."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select

from deskroster.core.problems import Busy
from deskroster.core.records import Company
from deskroster.ledger.disk import notes, reading, tables
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.engines import ERRORS, REQUEST_TIMEOUT, Db, Engine
from deskroster.ledger.engines.waiting import within
from deskroster.ledger.ledger import Ledger


class Listed(NamedTuple):
    """The list as it is durable."""

    counted: int  # changes of it
    companies: dict[int, Company]
    numbers: dict[int, int]  # of the last commit of each


class Companies:
    """Every company of the installation, by id. `changed` is called when one was added or changed its settings."""

    def __init__(self, engine: Engine, ledgers: Mapping[int, Ledger]) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._engine = engine
        self._ledgers = ledgers  # those that are loaded
        self._listed = engine.read_now(listed)
        self._labels: dict[str, int] | None = None  # which company has a label; made when it is asked for
        self._listing = asyncio.Lock()  # one question at a time
        self._asked = self._told = 0  # how many wanted to know, and how many of these were told or refused
        self._known = False  # whether the last ones were told

    @property
    def counted(self) -> int:
        """How often the list is known to have changed."""
        return self._listed.counted

    def __len__(self) -> int:
        return len(self._listed.companies)

    def all(self) -> list[Company]:
        """Return the settings of every company, by id."""
        return [self._current(company) for company in self._listed.companies.values()]

    def first(self) -> Company | None:
        """Return the company of the lowest id."""
        return next(map(self._current, self._listed.companies.values()), None)

    def get(self, id: int) -> Company | None:
        company = self._listed.companies.get(id)
        return None if company is None else self._current(company)

    def labelled(self, label: str) -> Company | None:
        """Return the company that has a label. What it costs does not depend on how many there are."""
        if self._labels is None:
            self._labels = {company.label: company.id for company in self.all()}
        id = self._labels.get(label)
        return None if id is None else self.get(id)

    def next_id(self) -> int:
        return max(self._listed.companies, default=0) + 1

    def add(self, company: Company) -> None:
        """Take over a company that was founded here."""
        self._listed.companies[company.id] = company
        self.settings_changed()

    def take(self, found: Listed) -> None:
        """Take over the list as it was read."""
        self._listed = found
        self.settings_changed()

    def loaded(self, ledger: Ledger) -> None:
        """Take over the settings of a company that was loaded, and whatever changes them."""
        ledger.settings_changed = self.settings_changed
        company = ledger.roster.company
        if company != self._listed.companies.get(company.id):
            self.settings_changed()

    def settings_changed(self) -> None:
        """Forget which company has which label."""
        self._labels = None
        self.changed()

    async def refresh(self) -> bool:
        """Have the list as it is durable, where others may change it; tell whether it had changed.

        The list is read only when it has: else one row is, however many companies there are. Who comes while that is
        being asked shares the next question. Raises Busy.
        """
        before = self.counted
        if self._engine.shared:
            self._asked += 1
            mine = self._asked
            async with within(REQUEST_TIMEOUT, self._listing):
                if self._told < mine:
                    await self._ask()
                elif not self._known:
                    raise Busy
        return self.counted != before

    async def _ask(self) -> None:
        """Ask once for all who have come until now. Raises Busy."""
        self._told, self._known = self._asked, False
        try:
            if await self._engine.read(notes.company_changes) != self.counted:
                self.take(await self._engine.read(listed))
        except ERRORS as error:
            raise Busy from error
        self._known = True

    def _current(self, company: Company) -> Company:
        """Return the settings of a company as of late: others may have changed them since its roster was asked for."""
        ledger = self._ledgers.get(company.id)
        if ledger is None or ledger.roster.number < self._listed.numbers.get(company.id, 0):
            return company
        return ledger.roster.company


def listed(db: Db) -> Listed:
    """Read the list."""
    companies = {company.id: company for company in reading.companies(db)}
    numbers: dict[int, Any] = dict(db.execute(_NUMBERS).fetchall())
    return Listed(notes.company_changes(db), companies, numbers)


_NUMBERS = sql(select(tables.companies.c.company_id, tables.companies.c.number))
