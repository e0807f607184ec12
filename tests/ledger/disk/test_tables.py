"""What the tables hold is the roster, and what the log holds is what happened: no secret, and nothing edited."""

import asyncio
import sqlite3
from contextlib import closing

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, create_engine

from deskroster.core import agents, groups
from deskroster.core.agents import AgentFields
from deskroster.core.changes import changed, created, deleted
from deskroster.core.problems import Conflict, Reason, Refusal
from deskroster.core.records import (
    Company,
    Department,
    PermissionSet,
    ProfileField,
    ProfileRecord,
    Secret,
)
from deskroster.ledger import Last, location
from deskroster.ledger.disk.tables import metadata
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.engines.postgresql.connection import in_postgresql
from deskroster.ledger.migrations import HEAD
from tests.ledger.support import (
    NOW,
    PASSWORD_HASH,
    TOKEN,
    expect_many,
    first_records,
    names,
    new_group,
    open_store,
    opened,
    origin,
    state,
    work,
)


def edit(folder, statement, *values):
    url = location.url_of(folder)
    if url is None:
        with closing(sqlite3.connect(folder / FILE)) as db, db:
            return db.execute(statement, values).fetchall()
    with psycopg.connect(url) as db:
        db.execute("SELECT set_config('deskroster.company', '0', true)")
        done = db.execute(in_postgresql(statement), values or None)
        return done.fetchall() if done.description else []


def test_every_kind_of_record_is_read_as_it_was_written(tmp_path):
    def everything(roster, caller):
        agent = roster.agents[1]
        return [
            *changed(roster.company, language="en", signature_forms=("A",), calls_per_minute=60),
            created(Department(id=1, name="总部")),
            created(Department(id=2, name="华东", parent_id=1)),
            created(PermissionSet(id=1, name="all")),
            created(ProfileField(id=1, api_name="city", label="城市", type="single_listbox", options=("沪", "京,海"))),
            created(ProfileRecord(id=1, values=((1, "沪"),))),
            *changed(
                agent, employed=True, seat="phone", leads=False, starred=True, profile_id=1, department_ids=(1, 2),
                permission_set_ids=(1,), sip_password=Secret("sip"), mobile="13800000000", created_at=5,
            ),
            *changed(roster.keys[1], expires_at=NOW + 1, access="read"),
        ]  # fmt: skip

    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(work(everything))
            before = state(ledger.roster)
        async with opened(tmp_path) as (store, ledger):
            assert before == state(ledger.roster)
            assert ledger.roster.agents[1].starred is True
            assert "en" == store.listed.all()[0].language
            assert [] == await store.check()

    asyncio.run(run())


_SOME = st.integers(1, 6)
_IDS = st.lists(_SOME, max_size=4)
_VERBS = st.one_of(
    st.tuples(st.just("agent"), _SOME, _IDS),
    st.tuples(st.just("move"), _SOME, _IDS),
    st.tuples(st.just("leave"), _SOME, _IDS),
    st.tuples(st.just("group"), _SOME, _IDS),
    st.tuples(st.just("members"), _SOME, _IDS),
    st.tuples(st.just("dissolve"), _SOME, _IDS),
    st.tuples(st.just("many"), _SOME, _IDS),
    st.tuples(st.just("secret"), _SOME, _IDS),
)


def _verb(name, one, ids):
    def verb(roster, caller):
        fields = AgentFields(name=f"n{one}", email=f"e{one}@x.cn", group_ids=tuple(ids))
        match name:
            case "agent":
                return agents.create(roster, caller, fields, NOW)
            case "move":
                return agents.update(roster, caller, one, AgentFields(group_ids=tuple(ids), name="moved"), NOW)
            case "leave":
                return agents.delete(roster, caller, one)
            case "group":
                return groups.create(roster, caller, f"g{one}", ids, NOW)
            case "members":
                return groups.update(roster, caller, one, NOW, member_ids=ids)
            case "dissolve":
                return groups.delete(roster, caller, one)
            case "many":
                return groups.delete_many(roster, caller, ids)
            case _:
                return changed(roster.agents.find(one), sip_password=Secret(str(ids)) if ids else None)

    return verb


_BATCHES = st.lists(
    st.tuples(st.lists(_VERBS, min_size=1, max_size=6), st.sampled_from(["", "before", "after"]), st.booleans()),
    max_size=6,
)


@pytest.mark.parametrize("examples", [8, pytest.param(40, marks=pytest.mark.proof)])
def test_whatever_is_done_a_restart_finds_the_same_roster(tmp_path_factory, examples):
    async def run(folder, batches):
        async with opened(folder) as (store, ledger):
            for verbs, fault, many in batches:
                store._engine.faults = [fault]
                if many:
                    expect_many(ledger)
                works = [work(_verb(*verb)) for verb in verbs]
                answers = await asyncio.gather(*map(ledger.submit, works), return_exceptions=True)
                assert all(isinstance(answer, bytes | Refusal) for answer in answers)
            before = state(ledger.roster)
        async with opened(folder) as (store, ledger):
            assert before == state(ledger.roster)
            assert [] == await store.check()

    @settings(max_examples=examples)
    @given(batches=_BATCHES)
    def holds(batches):
        asyncio.run(run(tmp_path_factory.mktemp("data"), batches))

    holds()


def test_the_log_keeps_what_a_deleted_group_and_a_deleted_agent_were(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(work(new_group("售前", (1,))))
            await ledger.submit(work(lambda roster, caller: [deleted(roster.groups[1])]))

    asyncio.run(run())
    ((before, after),) = edit(tmp_path, "SELECT before, after FROM changes WHERE kind = 'group' AND number = 3")
    assert after is None
    assert {"id": 1, "name": "售前", "member_ids": [1]}.items() <= msgspec.json.decode(before).items()


def test_the_secrets_of_a_deleted_record_stay_so_that_it_can_be_restored(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            key = ledger.roster.keys[1]
            await ledger.submit(work(lambda roster, caller: [deleted(key)]))
            assert [] == await store.check()

    asyncio.run(run())
    assert [("agent", 1, "password"), ("key", 1, "secret")] == edit(
        tmp_path, "SELECT kind, record_id, field FROM secrets ORDER BY kind"
    )


def test_the_log_says_only_that_a_secret_changed(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(work(lambda r, c: changed(r.agents[1], sip_password=Secret("sip-never-in-the-log"))))

    asyncio.run(run())
    assert [('{"sip_password":null}', '{"sip_password":{"secret":true}}')] == edit(
        tmp_path, "SELECT before, after FROM changes WHERE number = 2"
    )


@pytest.mark.once
def test_no_secret_stands_in_the_file(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(work(lambda r, c: changed(r.agents[1], sip_password=Secret("sip-never-in-the-log"))))
            once = ledger.once("agent 1", "key-never-in-the-log", b"body-never-in-the-log")
            shaped = work(new_group("g"), once)._replace(shape=lambda roster, result: b"reply-never-in-the-log")
            await ledger.submit(shaped)
            written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            assert b"zhaofeng@Udesk.cn" in written
            for secret in (b"never-in-the-log", PASSWORD_HASH.encode(), TOKEN.encode()):
                assert secret not in written

    asyncio.run(run())


@pytest.mark.parametrize(
    "edited",
    [
        "UPDATE changes SET after = replace(after, '售前', '售后') WHERE number = 2",
        "UPDATE commits SET agent_id = 1 WHERE number = 2",
        "DELETE FROM changes WHERE number = 2",
        pytest.param("DELETE FROM commits WHERE number = 3", marks=pytest.mark.once),  # PostgreSQL refuses that
        pytest.param("INSERT INTO changes VALUES (1, 9, 0, 'group', 1, NULL, NULL)", marks=pytest.mark.once),
        "UPDATE companies SET head = previous FROM commits WHERE commits.number = 3",
    ],
)
def test_an_edited_log_is_found(tmp_path, edited):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(work(new_group("售前")))
            await ledger.submit(work(new_group("第二")))
        edit(tmp_path, edited)
        store = open_store(tmp_path)
        assert "log" in {finding.what for finding in await store.check()}
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("edited", "found"),
    [
        pytest.param("INSERT INTO memberships VALUES (1, 1, 77)", "foreign_key", marks=pytest.mark.once),
        ("UPDATE secrets SET sealed = substr(sealed, 1, 20) WHERE kind = 'key'", "secret"),
        ("INSERT INTO secrets SELECT company_id, kind, 99, field, sealed FROM secrets WHERE kind = 'key'", "orphan"),
    ],
)
def test_the_check_names_what_is_wrong(tmp_path, edited, found):
    async def run():
        async with opened(tmp_path):
            pass
        edit(tmp_path, edited)
        store = open_store(tmp_path)
        assert found in {finding.what for finding in await store.check()}
        await store.close()

    asyncio.run(run())


@pytest.mark.once
def test_the_migrations_lead_to_the_tables_that_the_code_means(tmp_path):
    async def run():
        async with opened(tmp_path):
            pass

    asyncio.run(run())
    schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        meant = {(type, name): " ".join(sql.split()) for type, name, sql in connection.exec_driver_sql(schema)}
    engine.dispose()
    made = {(type, name): " ".join(sql.split()) for type, name, sql in edit(tmp_path, schema)}

    assert sorted(map(_clauses, meant.values())) == sorted(map(_clauses, made.values()))
    assert [(HEAD,)] == edit(tmp_path, "SELECT version_num FROM alembic_version")


def _clauses(sql):
    return sorted(part.strip(" )") for part in sql.replace("(", ",").split(","))


def test_the_company_comes_first_in_every_key():
    for table in metadata.tables.values():
        if table.name == "installation":
            continue
        for constraint in table.constraints:
            assert constraint.name
            if isinstance(constraint, PrimaryKeyConstraint | ForeignKeyConstraint):
                assert "company_id" == next(iter(constraint.columns)).name
            else:
                assert isinstance(constraint, CheckConstraint) or (
                    isinstance(constraint, UniqueConstraint) and "uq_companies_label" == constraint.name
                )


def test_companies_that_are_not_loaded_are_found_by_an_email_too(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, _):
            await store.create_company(Company(id=0, label="other", name="Other"), first_records(), origin())
        async with opened(tmp_path) as (store, _):  # loads the first one only
            assert [1, 2] == await store.companies_with_email("zhaofeng@udesk.cn")

    asyncio.run(run())


def test_companies_share_nothing_but_the_file(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            company = Company(id=0, label="other", name="Other")
            other = await store.create_company(company, first_records(), origin())
            await asyncio.gather(
                ledger.submit(work(new_group("ours"))),
                other.submit(work(new_group("theirs"))),
            )

            assert (["ours"], ["theirs"]) == (names(ledger), names(other))
            assert [1, 2] == await store.companies_with_email("zhaofeng@udesk.cn")
            assert [] == await store.companies_with_email("nobody@udesk.cn")
            with pytest.raises(Conflict) as refused:
                await store.create_company(company, first_records(), origin())
            assert Reason.NAME_TAKEN == refused.value.reason
            with pytest.raises(Conflict):
                await other.submit(work(lambda roster, caller: changed(roster.company, label="demo")))
            await ledger.submit(work(lambda roster, caller: changed(roster.company, label="renamed")))
            assert ["renamed", "other"] == [each.label for each in store.listed.all()]
        async with opened(tmp_path) as (store, ledger):
            assert ["ours"] == names(ledger)
            assert ["theirs"] == names(await store.load(2))
            with pytest.raises(KeyError):
                await store.load(3)

    asyncio.run(run())


def test_what_was_observed_is_there_after_a_restart_and_not_in_the_log(tmp_path):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            ledger.key_used(1, "C", NOW)
            ledger.logged_in(1, NOW + 1)
            assert 1 == ledger.roster.number
        async with opened(tmp_path) as (_, ledger):
            assert Last(NOW, "C") == ledger.observed.last("key", 1)
            assert Last(NOW + 1, "") == ledger.observed.last("agent", 1)
            assert ledger.observed.last("agent", 2) is None

    asyncio.run(run())
