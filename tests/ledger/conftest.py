"""Fixtures of the ledger's tests: a store, and several processes on one PostgreSQL."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from deskroster.ledger import Store
from deskroster.ledger.engines.postgresql import advisory_lock
from deskroster.ledger.location import engine_at
from tests import world
from tests.ledger.support import NOW, first_records, opened, origin


class Processes:
    """What several processes are: stores of their own on one database."""

    def __init__(self, url, folder):
        self._url = url
        self._folder = folder
        self._stores = []
        self.now = NOW

    def folder(self, number):
        """Return the folder of a process."""
        return self._folder / str(number)

    async def another(self):
        """Return the store and the ledger of one more process; the first founds the company."""
        folder = self.folder(len(self._stores))
        folder.mkdir()
        if self._stores:
            (folder / "key").write_bytes((self.folder(0) / "key").read_bytes())
            (folder / "key").chmod(0o600)
        store = Store.open(folder, lambda: self.now, engine_at(self._url))
        self._stores.append(store)
        if store.listed.all():
            return store, await store.load(1)
        return store, await store.create_company(world.COMPANY, first_records(), origin())

    async def close(self):
        for store in self._stores:
            await store.close()


@pytest.fixture
def processes(databases, database, tmp_path):
    """Give a function that opens so many processes, for the length of a block."""

    @asynccontextmanager
    async def opened(count=2):
        all_of_them = Processes(databases.url(database), tmp_path)
        try:
            yield [await all_of_them.another() for _ in range(count)], all_of_them
        finally:
            await all_of_them.close()

    return opened


@pytest.fixture
def alone(databases, database, monkeypatch):
    """Let nobody's advisory lock count, as after the loss of every session that had one."""
    monkeypatch.setattr(advisory_lock.LockHolder, "_take_lock", lambda self, session: None)
    monkeypatch.setattr(advisory_lock.LockHolder, "lock_exclusively", lambda self: None)


@pytest.fixture
def run(tmp_path):
    """Give a function that runs a coroutine on a store and its ledger."""

    def running(what):
        async def whole():
            async with opened(tmp_path) as (store, ledger):
                await what(store, ledger)

        asyncio.run(whole())

    return running
