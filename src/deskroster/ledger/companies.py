"""The companies of an installation, by id and by label. Other processes may add and change them."""

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


class CompanyList(NamedTuple):
    """The list of companies, as it is durable."""

    counted: int  # how often the list has changed
    companies: dict[int, Company]
    numbers: dict[int, int]  # of the last commit of each company


class Companies:
    """All companies of the installation. `changed` is called when one was added or its settings changed."""

    def __init__(self, engine: Engine, ledgers: Mapping[int, Ledger]) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._engine = engine
        self._ledgers = ledgers  # those that are loaded
        self._list = engine.read_now(read_list)
        self._labels: dict[str, int] | None = None  # label → id; a cache, filled on first use
        self._query_lock = asyncio.Lock()  # one query at a time
        self._requested = self._served = 0  # refreshes that were requested; those of them that were served or refused
        self._last_served = False  # whether the last ones were served

    @property
    def counted(self) -> int:
        """How often the list had changed when it was last read."""
        return self._list.counted

    def __len__(self) -> int:
        return len(self._list.companies)

    def all(self) -> list[Company]:
        """Return the settings of every company, ordered by id."""
        return [self._current(company) for company in self._list.companies.values()]

    def first(self) -> Company | None:
        """Return the company with the lowest id."""
        return next(map(self._current, self._list.companies.values()), None)

    def get(self, id: int) -> Company | None:
        company = self._list.companies.get(id)
        return None if company is None else self._current(company)

    def labelled(self, label: str) -> Company | None:
        """Return the company with a label, by a dict lookup."""
        if self._labels is None:
            self._labels = {company.label: company.id for company in self.all()}
        id = self._labels.get(label)
        return None if id is None else self.get(id)

    def next_id(self) -> int:
        return max(self._list.companies, default=0) + 1

    def add(self, company: Company) -> None:
        """Add a company that this process has created."""
        self._list.companies[company.id] = company
        self.settings_changed()

    def take(self, new_list: CompanyList) -> None:
        """Replace the list by one that was read."""
        self._list = new_list
        self.settings_changed()

    def loaded(self, ledger: Ledger) -> None:
        """Use the settings of a loaded company from its roster, and watch them for changes."""
        ledger.settings_changed = self.settings_changed
        company = ledger.roster.company
        if company != self._list.companies.get(company.id):
            self.settings_changed()

    def settings_changed(self) -> None:
        """Drop the cache of labels."""
        self._labels = None
        self.changed()

    async def refresh(self) -> bool:
        """Read the list again if other processes have changed it; tell whether it had changed.

        The cost is one row unless it has changed, for any number of companies. Callers that come during a query share
        the next one. Raises Busy.
        """
        before = self.counted
        if self._engine.shared:
            self._requested += 1
            ticket = self._requested
            async with within(REQUEST_TIMEOUT, self._query_lock):
                if self._served < ticket:
                    await self._query()
                elif not self._last_served:
                    raise Busy
        return self.counted != before

    async def _query(self) -> None:
        """Run one query for all callers until now. Raises Busy."""
        self._served, self._last_served = self._requested, False
        try:
            if await self._engine.read(notes.company_changes) != self.counted:
                self.take(await self._engine.read(read_list))
        except ERRORS as error:
            raise Busy from error
        self._last_served = True

    def _current(self, company: Company) -> Company:
        """Return the newest settings of a company: from its roster, unless the list was read later."""
        ledger = self._ledgers.get(company.id)
        if ledger is None or ledger.roster.number < self._list.numbers.get(company.id, 0):
            return company
        return ledger.roster.company


def read_list(db: Db) -> CompanyList:
    """Read the list of companies."""
    companies = {company.id: company for company in reading.companies(db)}
    numbers: dict[int, Any] = dict(db.execute(_NUMBERS).fetchall())
    return CompanyList(notes.company_changes(db), companies, numbers)


_NUMBERS = sql(select(tables.companies.c.company_id, tables.companies.c.number))
