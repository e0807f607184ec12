"""A host that names no company: what it costs does not depend on how many there are, and a new one is found at once."""

import asyncio

import pytest
from msgspec.structs import replace

from deskroster.core import company
from deskroster.core.problems import Busy
from deskroster.desk import MAX_HOST, MAX_HOSTS, Desks
from deskroster.ledger.companies import Companies, read_list
from deskroster.ledger.engines import ERRORS
from deskroster.ledger.engines.postgresql.connection import Session
from deskroster.passwords import Passwords
from deskroster.testing import KF5Password
from tests import world
from tests.answers import check
from tests.contracts import BY_NAME, lists
from tests.in_process import answer
from tests.ledger.support import NOW, first_records, opened, origin, work
from tests.steps import counted

MANY = 40
A_FEW = 8  # steps for each company: to look at one takes more
UNKNOWN = "nobody.example.com"


def add_companies(desk, labels):
    """Found companies with these labels."""
    for label in labels:
        made = replace(world.COMPANY, id=0, label=label, name="Other")
        desk.run(desk.app.store.create_company(made, first_records(), origin()))


def steps_more(desk, path):
    """Return how many steps more a request to an unknown host takes among many companies than among two."""
    request = desk.plain(UNKNOWN).build_request("GET", path)

    def least():
        took = []
        for _ in range(4):
            with counted() as steps:
                desk.run(answer(desk, request))
            took.append(steps.count)
        return min(took)

    add_companies(desk, ["first"])
    few = least()
    add_companies(desk, [f"c{at}" for at in range(MANY)])
    return least() - few


@pytest.mark.parametrize("path", [lists(name) for name, dialect in BY_NAME.items() if not dialect.account])
def test_an_unknown_host_takes_the_same_steps_among_few_companies_and_many(desk, path):
    assert steps_more(desk, path) < A_FEW * MANY


@pytest.mark.parametrize("where", ["labelled", "language"])
def test_control_a_list_that_is_looked_through_for_each_unknown_host_is_noticed(desk, monkeypatch, where):
    def looked_through(companies, label):
        return next((one for one in companies.all() if one.label == label), None)

    if where == "labelled":
        monkeypatch.setattr(Companies, "labelled", looked_through)
    else:
        monkeypatch.setattr(Desks, "language", lambda self, host: looked_through(self._listed, host))

    assert steps_more(desk, "/open_api_v1/agents") > A_FEW * MANY


def test_a_company_is_found_by_the_label_that_it_has_by_now_and_by_no_earlier_one(desk):
    add_companies(desk, ["c0", "c1"])
    for host in ("c0.example.com", "c1.example.com"):
        assert 401 == desk.plain(host).get("/apiv2/users.json").status_code
        check("udesk", desk.plain(host).get("/open_api_v1/agents"), "unauth")

    fields = company.CompanyFields(label="renamed")
    desk.operate(lambda roster, caller: company.update(roster, caller, fields), "c1")  # nobody tells the desks

    check("udesk", desk.plain("renamed.example.com").get("/open_api_v1/agents"), "unauth")
    check("udesk", desk.plain("c1.example.com").get("/open_api_v1/agents"), "nocompany")
    check("udesk", desk.plain("c0.example.com").get("/open_api_v1/agents"), "unauth")


def test_who_waits_while_a_host_comes_to_name_another_company_is_judged_by_that_one(desk, monkeypatch):
    add_companies(desk, ["other"])
    request = next(KF5Password(world.ADMIN).auth_flow(desk.plain().build_request("GET", "/apiv2/users.json")))
    check("kf5", desk.run(answer(desk, request)), "ok")
    verify, relabelled = Passwords.verify, asyncio.Event()

    async def held(*arguments):
        right = await verify(*arguments)
        await relabelled.wait()
        return right

    async def relabel(label, new):
        named = await desk.app.desks.find(label)
        fields = company.CompanyFields(label=new)
        await named.submit(None, origin(), lambda r, c: company.update(r, c, fields), lambda roster, done: b"")

    async def ask():
        asked = asyncio.ensure_future(answer(desk, request))
        await asyncio.sleep(0)
        await relabel("demo", "away")
        await relabel("other", "demo")
        relabelled.set()
        return await asked

    monkeypatch.setattr(Passwords, "verify", held)
    check("kf5", desk.run(ask()), "unauth")


def test_the_cache_of_host_names_is_limited_in_number_and_length(desk):
    add_companies(desk, ["other"])
    desks = desk.app.desks

    async def ask():
        for at in range(MAX_HOSTS + 10):
            assert await desks.of_host(f"demo.{at}.example.com") is not None
        assert await desks.of_host("demo." + "a" * MAX_HOST) is not None

    desk.run(ask())

    assert 10 == len(desks._of_host)
    assert max(map(len, desks._of_host)) <= MAX_HOST


# ── where other processes found companies ────────────────────────────────────────────────────────────────────────


class Told:
    """What is asked of the database, in the order in which it is."""

    def __init__(self, monkeypatch):
        self.statements = []
        for name in ("execute", "script"):
            self._watch(monkeypatch, name)

    def _watch(self, monkeypatch, name):
        real = getattr(Session, name)

        def watched(session, statement, *values):
            self.statements.append(statement)
            return real(session, statement, *values)

        monkeypatch.setattr(Session, name, watched)

    @property
    def lists(self):
        """How often the whole list was read."""
        return sum("FROM companies ORDER BY" in " ".join(one.split()) for one in self.statements)


@pytest.fixture
def shared(tmp_path, request):
    """Give a function that runs a coroutine on a store and desks of it, where the data is in PostgreSQL."""
    if request.config.getoption("--engine") != "postgresql":
        pytest.skip("only where other processes write to the same data")

    def run(what):
        async def whole():
            async with opened(tmp_path) as (store, _):
                await store.create_company(replace(world.COMPANY, id=0, label="other"), first_records(), origin())
                await store.listed.refresh()
                await what(store, Desks(store, Passwords(), lambda: NOW))

        asyncio.run(whole())

    return run


def test_an_unknown_host_reads_one_row_and_no_list(shared, monkeypatch):
    async def ask(store, desks):
        told = Told(monkeypatch)
        for _ in range(5):
            assert await desks.of_host(UNKNOWN) is None

        assert 0 == told.lists
        assert 5 == sum("FROM installation WHERE" in " ".join(one.split()) for one in told.statements)
        assert len(told.statements) <= 25  # with the fence and the transaction

    shared(ask)


def test_control_a_list_that_is_read_for_each_unknown_host_is_noticed(shared, monkeypatch):
    async def as_it_was(companies):
        companies.take(await companies._engine.read(read_list))
        return True

    monkeypatch.setattr(Companies, "refresh", as_it_was)

    async def ask(store, desks):
        told = Told(monkeypatch)
        for _ in range(5):
            assert await desks.of_host(UNKNOWN) is None

        assert 5 == told.lists

    shared(ask)


def test_unknown_hosts_at_once_share_a_question(shared, monkeypatch):
    async def ask(store, desks):
        told = Told(monkeypatch)
        found = await asyncio.gather(*(desks.of_host(f"nobody-{at}.example.com") for at in range(200)))

        assert {None} == set(found)
        assert 2 >= sum("FROM installation WHERE" in " ".join(one.split()) for one in told.statements)

    shared(ask)


def test_a_company_that_another_process_has_created_is_found_by_the_very_next_request(shared, tmp_path):
    async def ask(store, desks):
        async with opened(tmp_path) as (another, _):
            unknown = [asyncio.ensure_future(desks.of_host(UNKNOWN)) for _ in range(20)]  # questions under way
            await asyncio.sleep(0)
            await another.create_company(replace(world.COMPANY, id=0, label="late"), first_records(), origin())
            found = await desks.of_host("late.example.com")

            assert found is not None
            assert "late" == found.roster.company.label
            assert {None} == set(await asyncio.gather(*unknown))

            renamed = company.CompanyFields(label="later")
            ledger = await another.load(found.roster.company.id)
            await ledger.submit(work(lambda roster, caller: company.update(roster, caller, renamed)))
            again = await desks.of_host("later.example.com")

            assert again is found
            assert await desks.of_host("late.example.com") is None

    shared(ask)


def test_where_the_database_cannot_be_asked_an_unknown_host_is_busy_and_so_is_who_shares_the_question(shared):
    async def ask(store, desks):
        asked, real = [], store._engine.read

        async def broken(*question):
            asked.append(question)
            await asyncio.sleep(0)
            raise ERRORS[0]("gone")

        store._engine.read = broken
        found = await asyncio.gather(*(desks.of_host(UNKNOWN) for _ in range(50)), return_exceptions=True)

        assert {Busy} == set(map(type, found))
        assert len(asked) <= 2
        store._engine.read = real
        assert await desks.of_host(UNKNOWN) is None

    shared(ask)
