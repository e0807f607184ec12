"""Calls of the last minute: the same answers from memory and from the database, at a cost that is always the same."""

import asyncio
import itertools
from math import ceil, floor

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deskroster.ledger import Store
from deskroster.ledger.engines import MINUTE
from deskroster.ledger.engines.postgresql.call_limit import COUNT
from deskroster.ledger.engines.postgresql.connection import Connection, Session
from deskroster.ledger.engines.sqlite.call_limit import LastMinute
from deskroster.ledger.location import engine_at
from tests import world
from tests.ledger.support import NOW, first_records, origin

pytestmark = pytest.mark.once

_numbers = itertools.count()
STEPS = st.lists(st.tuples(st.floats(0, 90, width=32), st.integers(1, 5), st.integers(1, 8)), max_size=40)


class Listed:
    """What is to be answered, from a list of all calls, each as of the second that it was in."""

    def __init__(self):
        self._seconds = []

    def count(self, now, limit):
        self._seconds = [second for second in self._seconds if floor(now) - second < MINUTE]
        if len(self._seconds) >= limit:
            return max(1, ceil(self._seconds[0] + MINUTE - now))
        self._seconds.append(floor(now))
        return 0


def count(session, company_id, limit):
    return session.execute(COUNT, (company_id, limit)).fetchone()[0]


@pytest.fixture(scope="module")
def shared(databases, tmp_path_factory):
    """Give a database with the tables of a served one, and a session on it."""
    name = f"calls_{next(_numbers)}"
    folder = tmp_path_factory.mktemp("calls")

    async def create():
        store = Store.open(folder, lambda: NOW, engine_at(databases.create(name)))
        await store.create_company(world.COMPANY, first_records(), origin())
        await store.close()

    asyncio.run(create())
    with Connection.connect(databases.url(name), autocommit=True) as connection:
        connection.execute("SELECT set_config('deskroster.company', '0', false)")
        yield Session(connection), lambda now: databases.set_clock(name, now)
    databases.drop(name)


@given(STEPS)
@example([(0, 1, 1), (59.9, 1, 1), (0.25, 1, 1)])
def test_calls_in_memory_are_counted_as_in_a_list_of_them_all(steps):
    assert differences(LastMinute(), steps) == []


@settings(max_examples=25)
@given(STEPS)
@example([(0, 3, 3), (59.75, 1, 3), (0.25, 4, 3), (7_200, 1, 1)])
def test_calls_in_a_database_are_counted_as_in_a_list_of_them_all(shared, steps):
    session, set_clock = shared
    company_id = next(_numbers) + 1_000

    class Database:
        def count(self, now, limit):
            set_clock(now)
            return count(session, company_id, limit)

    assert differences(Database(), steps) == []


def test_control_a_counter_for_each_minute_of_the_clock_is_noticed():
    class Window:
        began = calls = 0

        def count(self, now, limit):
            if now - self.began >= MINUTE:
                self.began, self.calls = now, 0
            if self.calls >= limit:
                return ceil(self.began + MINUTE - now)
            self.calls += 1
            return 0

    assert [] != differences(Window(), [(0, 1, 3), (50, 2, 3), (20, 3, 3)])


def differences(counting, steps) -> list[tuple[float, int, int]]:
    now, listed, found = float(NOW), Listed(), []
    for wait, calls, limit in steps:
        now += round(wait * 4) / 4  # what a float of seconds since 1970 holds exactly
        for _ in range(calls):
            wanted, told = listed.count(now, limit), counting.count(now, limit)
            if wanted != told:
                found.append((now - NOW, wanted, told))
    return found


@pytest.mark.parametrize("back", [1, 8 * 3_600, 400 * 86_400])
def test_a_database_whose_clock_is_set_back_counts_its_calls_as_of_now(shared, back):
    session, set_clock = shared
    company_id = next(_numbers) + 1_000
    set_clock(NOW)
    assert [0, 0, MINUTE] == [count(session, company_id, 2) for _ in range(3)]

    set_clock(NOW - back)
    assert MINUTE == count(session, company_id, 2)
    set_clock(NOW - back + MINUTE)

    assert 0 == count(session, company_id, 2)


def sizes(shared, limit: int) -> set[int]:
    """Return how large the row of a company was after each of many calls."""
    session, set_clock = shared
    company_id, found = next(_numbers) + 1_000, set()
    for n in range(300):
        set_clock(NOW + n / 3)
        count(session, company_id, limit)
        if n == 0:  # as after a busy minute
            session.execute("UPDATE call_counts SET counts[1] = ? WHERE company_id = ?", (limit // 2, company_id))
        row = "SELECT pg_column_size(call_counts.*) FROM call_counts WHERE company_id = ?"
        found.add(session.execute(row, (company_id,)).fetchone()[0])
    return found


def test_what_a_call_writes_is_as_much_for_a_limit_of_a_million_as_for_one_of_sixty(shared):
    assert 1 == len(sizes(shared, 60) | sizes(shared, 1_000_000))


def test_control_a_list_of_all_calls_is_noticed(shared):
    session, _ = shared
    lists = [session.execute("SELECT pg_column_size(?::text)", (f"[{'1700000000.25,' * n}]",)) for n in (60, 60_000)]

    assert 2 == len({one.fetchone()[0] for one in lists})


def test_a_company_sees_its_own_calls_only(shared):
    session, set_clock = shared
    set_clock(NOW)
    count(session, 501, 5)
    with session.connection.transaction():
        session.execute("SELECT set_config('deskroster.company', '502', true)")
        assert [] == session.execute("SELECT * FROM call_counts").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege), session.connection.transaction():
            count(session, 501, 5)
