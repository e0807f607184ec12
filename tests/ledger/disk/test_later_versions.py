"""What a later version has written: fields and kinds that ours does not know are kept, and later forms are refused."""

import asyncio
import shutil

import msgspec
import pytest

from deskroster.core import agents, groups
from deskroster.core.agents import AgentFields
from deskroster.core.changes import Origin, changed, created, deleted
from deskroster.core.records import KINDS, SECRET_FIELDS, Agent, Secret
from deskroster.ledger import BadBackup, NewerData, examine, restore, rotate_key, verify
from deskroster.ledger.disk import checksums, fields, log, notes, tables
from deskroster.ledger.disk.vault import parse_key
from deskroster.ledger.files import forms
from tests.databases import beside
from tests.ledger.support import NOW, names, new_group, open_store, opened, state, work

MORE = (
    ("pin", Secret("1234")),
    ("pronouns", '"they"'),
    ("skills", '["听",  1e400, {"b": 1, "a": 99999999999999999999}]'),
)
"""Fields as no version has written them: what is kept is the text, to the last space."""
OF_COMPANIES = {"company_id", "number", "next_ids", "head", "anchor"}


def give(id, more=MORE):
    return work(lambda roster, caller: changed(roster.agents[id], more=more))


def test_fields_that_are_not_known_survive_whatever_is_done_to_their_record(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            await ledger.submit(work(lambda r, c: [created(Agent(id=2, name="n", email="n@x.cn", more=MORE))]))
            await ledger.submit(give(1))
            await ledger.submit(work(lambda r, c: changed(r.company, more=(("motto", '"m"'),), name="Renamed")))
            await ledger.submit(work(new_group("售前", (1, 2))))
            await ledger.submit(work(lambda r, c: agents.update(r, c, 1, AgentFields(name="renamed"), NOW)))
            await ledger.submit(work(lambda r, c: groups.update(r, c, 1, NOW, member_ids=[2])))
            before = state(ledger.roster)
            assert [MORE, MORE] == [agent.more for agent in before["agent"]]
            assert [] == await store.check()
            await store.backup(tmp_path / "backup")
        async with opened(tmp_path / "data") as (store, ledger):
            assert before == state(ledger.roster)
            await ledger.submit(work(lambda r, c: [deleted(r.agents[2])]))
            assert [] == await store.check()
            (gone,) = store._engine.read_now(
                lambda db: db.execute("SELECT before FROM changes WHERE company_id = 1 AND after IS NULL").fetchall()
            )
        told = msgspec.json.decode(gone[0], type=dict[str, msgspec.Raw])
        assert b'"they"' == bytes(told["pronouns"])
        assert b'{"secret":true}' == bytes(told["pin"])
        assert "1234" not in gone[0]

        verify(tmp_path / "backup")
        key = parse_key((tmp_path / "data" / "key").read_text())
        restore(tmp_path / "backup", tmp_path / "restored", key)
        async with opened(tmp_path / "restored") as (_, again):
            assert before == state(again.roster)
        rotate_key(tmp_path / "restored")
        async with opened(tmp_path / "restored") as (store, again):
            assert before == state(again.roster)
            assert [] == await store.check()
            await again.submit(give(1, ()))
            await again.submit(work(lambda r, c: agents.update(r, c, 2, AgentFields(name="x"), NOW)))
            assert [] == await store.check()

    asyncio.run(run())


@pytest.mark.parametrize(
    "harm",
    [
        """UPDATE agents SET more = '{"pronouns":"she"}' WHERE id = 1""",
        "UPDATE agents SET more = '{}' WHERE id = 1",
        "DELETE FROM secrets WHERE field = 'pin'",
    ],
)
def test_a_field_that_is_not_known_stands_under_the_checksum_and_in_the_log(tmp_path, harm):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await ledger.submit(give(1))
        store = open_store(tmp_path)
        store._engine.write_now(lambda db: db.execute(harm))
        assert {"checksum", "roster"} == {finding.what for finding in await store.check()}
        await store.close()

    asyncio.run(run())


def test_what_another_process_sets_that_we_do_not_know_is_followed(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            second = beside(tmp_path / "data", tmp_path / "second")
            if second is None:
                pytest.skip("one process has it all")
            other = await asyncio.to_thread(open_store, second)
            there = await other.load(1)
            for more in (MORE, MORE[1:], (("pin", Secret("other")), *MORE[1:]), ()):
                await ledger.submit(give(1, more))
                await other.refresh(there)
                assert more == there.roster.agents[1].more
                await there.submit(work(new_group("g", (1,))))
                await there.submit(work(lambda r, c: changed(r.agents[1], remark=r.agents[1].remark + "!")))
                await store.refresh(ledger)
                assert state(ledger.roster) == state(there.roster)
            await ledger.submit(work(lambda r, c: [created(Agent(id=9, name="n", email="n@x.cn", more=MORE))]))
            await other.refresh(there)
            assert MORE == there.roster.agents[9].more
            assert [] == await other.check()
            await other.close()

    asyncio.run(run())


def _write_of_another_kind(store, ledger):
    """Write a commit as a later version would that has a kind of record more."""
    commit = (1, 2, NOW, None, "own", "", "request/attempt", None)
    told = [
        ("shift", 1, None, '{"id":1}'),
        ("shift", 1, '{"name":"a"}', '{"name":"b"}'),
        ("shift", 2, '{"id":2}', None),
    ]

    def job(db):
        previous = ledger._head
        form = forms.mark(forms.COMMIT)
        hash = form + log._hash(form + previous, commit, told)
        db.execute(log._INSERT_COMMIT, (*commit, previous, hash))
        db.executemany(log._INSERT_CHANGE, [(1, 2, at, *change) for at, change in enumerate(told)])
        log.move_head(
            db, store.vault, 1, (2, msgspec.json.encode(ledger.roster.next_ids | {"shift": 3}).decode(), hash)
        )

    store._engine.write_now(job)


def test_a_kind_of_record_that_is_not_known_is_left_to_the_version_that_knows_it(tmp_path):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            second = beside(tmp_path / "data", tmp_path / "second")
            other = there = None
            if second is not None:
                other = await asyncio.to_thread(open_store, second)
                there = await other.load(1)
            _write_of_another_kind(store, ledger)
            if other is not None:
                await other.refresh(there)
                await there.submit(work(new_group("after")))
                assert (3, 3) == (there.roster.number, there.roster.next_ids["shift"])
                await other.close()
        async with opened(tmp_path / "data") as (store, ledger):
            await ledger.submit(work(new_group("later")))
            assert 3 == ledger.roster.next_ids["shift"]
            assert [] == await store.check()
        async with opened(tmp_path / "data") as (_, ledger):
            assert 3 == ledger.roster.next_ids["shift"]

    asyncio.run(run())


def test_the_log_tells_of_a_long_list_only_who_joined_and_who_left(tmp_path):
    async def run():
        crowd = [Agent(id=id, name=f"{id}", email=f"{id}@x.cn") for id in range(2, 1_002)]
        async with opened(tmp_path) as (store, ledger):
            await ledger.submit(work(lambda r, c: [created(agent) for agent in crowd]))
            await ledger.submit(work(new_group("many", range(2, 1_001))))
            await ledger.submit(work(lambda r, c: groups.update(r, c, 1, NOW, member_ids=range(3, 1_002))))
            await ledger.submit(
                work(lambda r, c: agents.update(r, c, 5, AgentFields(role_ids=(1,), group_ids=()), NOW))
            )
            rows = store._engine.read_now(
                lambda db: db.execute(
                    "SELECT before, after FROM changes WHERE company_id = 1 AND number > 3 ORDER BY number"
                ).fetchall()
            )
            before = state(ledger.roster)
            assert [] == await store.check()
        assert [{"left": [2]}, {"joined": [1_001]}] == [msgspec.json.decode(text)["member_ids"] for text in rows[0]]
        assert [{"left": [1]}, {"joined": []}] == [msgspec.json.decode(text)["group_ids"] for text in rows[1]]
        assert [{"left": []}, {"joined": [1]}] == [msgspec.json.decode(text)["role_ids"] for text in rows[1]]
        assert 300 > sum(len(text) for row in rows for text in row)
        async with opened(tmp_path) as (_, ledger):
            assert before == state(ledger.roster)

    asyncio.run(run())


LATER_FORM = forms.mark(3)
ROWS = {
    "a record": ("agents", "checksum", 0),
    "settings": ("companies", "checksum", 0),
    "the end of the log": ("companies", "anchor", 0),
    "how far the log was verified": ("verified", "checksum", 0),
    "when a key was last used": ("observations", "checksum", 0),
    "a secret": ("secrets", "sealed", 3),
    "a commit": ("commits", "hash", 0),
    "a kept reply": ("replies", "sealed", 3),
}


@pytest.mark.parametrize(("table", "column", "at"), ROWS.values(), ids=ROWS)
def test_a_later_form_is_refused_by_a_sentence_and_is_no_damage(tmp_path, table, column, at):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            once = ledger.once("agent 1", "key", b"body")
            await ledger.submit(work(new_group("g"), once))
            ledger.key_used(1, "C", NOW)
        store = open_store(tmp_path)

        def edit(db):
            (stored, *_) = db.execute(f"SELECT {column} FROM {table} ORDER BY {column}").fetchone()
            new = stored[:at] + LATER_FORM + stored[at + 1 :]
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, stored))

        store._engine.write_now(edit)
        found = await store.check()

        assert {"newer"} == {finding.what for finding in found}
        assert "was written by a later version of Deskroster (form 3" in str(found[0].where)
        assert not store._engine.damage
        if table not in ("replies", "commits"):
            with pytest.raises(NewerData, match="later version"):
                await store.load(1)
        await store.close()

    asyncio.run(run())


@pytest.fixture
def next_form(monkeypatch):
    """Give what makes this program one that writes the next form of everything."""

    def raise_all():
        for kind in ("CHECKSUM", "COMMIT", "SEALED", "SCHEMA", "MANIFEST", "NONCES"):
            monkeypatch.setattr(forms, kind, getattr(forms, kind) + 1)

    return raise_all


async def _write(ledger, name):
    await ledger.submit(work(new_group(name), ledger.once("agent 1", name, b"body")))
    ledger.key_used(1, "C", NOW)


def test_what_form_2_has_written_is_read_and_written_on_once_there_is_a_form_3(tmp_path, next_form, monkeypatch):
    async def run():
        async with opened(tmp_path / "data") as (store, ledger):
            await ledger.submit(give(1))
            await _write(ledger, "old")
            await store.backup(tmp_path / "backup")
        next_form()
        async with opened(tmp_path / "data") as (store, ledger):
            assert MORE == ledger.roster.agents[1].more
            assert [] == await store.check()
            await _write(ledger, "old")  # its answer is kept, and opened
            assert 1 == len(ledger.roster.groups)
            await _write(ledger, "new")
            assert [] == await store.check()
            await store.backup(tmp_path / "later")
        async with opened(tmp_path / "data") as (store, ledger):
            assert ["old", "new"] == names(ledger)
        assert (2, 3) == (verify(tmp_path / "backup").form, verify(tmp_path / "later").form)
        key = parse_key((tmp_path / "data" / "key").read_text())
        restore(tmp_path / "backup", tmp_path / "restored", key)
        rotate_key(tmp_path / "restored")
        async with opened(tmp_path / "restored") as (store, ledger):
            assert MORE == ledger.roster.agents[1].more
            assert [] == await store.check()
        monkeypatch.undo()
        with pytest.raises(NewerData, match="form 3, known: 1 to 2"):
            open_store(tmp_path / "restored")

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["CHECKSUM", "COMMIT", "SEALED", "SCHEMA"])
def test_each_kind_of_thing_has_a_newest_form_of_its_own(tmp_path, monkeypatch, kind):
    async def run():
        monkeypatch.setattr(forms, kind, getattr(forms, kind) + 1)
        async with opened(tmp_path) as (store, ledger):
            await _write(ledger, "g")
        store = open_store(tmp_path)
        assert [] == await store.check()
        await store.close()
        monkeypatch.undo()
        assert {"newer"} == {finding.what for finding in examine(tmp_path)}

    asyncio.run(run())


@pytest.mark.once
def test_control_data_read_in_a_wrong_form_is_noticed(tmp_path, next_form, monkeypatch):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            await _write(ledger, "g")
        next_form()
        for module in (log, checksums):
            monkeypatch.setattr(module, "form_of", lambda what, stored, first, newest: newest)
        store = open_store(tmp_path)
        assert {"checksum", "log"} <= {finding.what for finding in await store.check()}
        await store.close()

    asyncio.run(run())


def test_a_process_that_meets_a_commit_of_a_later_form_says_so_and_ends(tmp_path, monkeypatch):
    async def run():
        async with opened(tmp_path / "data") as (_, ledger):
            second = beside(tmp_path / "data", tmp_path / "second")
            if second is None:
                raise SystemExit("a later version")  # one process has it all
            other = await asyncio.to_thread(open_store, second)
            there = await other.load(1)
            with monkeypatch.context() as patch:
                patch.setattr(forms, "COMMIT", forms.COMMIT + 1)
                await ledger.submit(work(new_group("g")))
            await other.refresh(there)

    with pytest.raises(SystemExit, match="a later version"):
        asyncio.run(run())


def test_a_later_form_of_what_stands_beside_the_tables_is_refused(tmp_path):
    folder, backup = tmp_path / "data", tmp_path / "backup"

    async def run():
        async with opened(folder) as (store, _):
            await store.backup(backup)

    asyncio.run(run())
    manifest = backup / "backup.json"
    manifest.write_text(manifest.read_text().replace('"form": 2', '"form": 3'))
    with pytest.raises(BadBackup, match="later version"):
        verify(backup)
    key = (folder / "key").read_text()
    (folder / "key").write_text(f"form 2 {key}")
    with pytest.raises(NewerData, match="form 2, known: 1"):
        open_store(folder)
    (folder / "key").write_text(key)
    store = open_store(folder)
    store._engine.write_now(lambda db: notes.put(db, "schema", "3 abc"))
    asyncio.run(store.close())
    with pytest.raises(NewerData, match="later version"):
        open_store(folder)
    assert {"newer"} == {finding.what for finding in examine(folder)}


@pytest.mark.once
def test_nonces_of_a_later_form_are_not_forgotten(tmp_path):
    async def run():
        async with opened(tmp_path):
            pass

    asyncio.run(run())
    file = tmp_path / "nonces"
    shutil.copy(file, tmp_path / "copy")
    file.write_bytes(file.read_bytes().replace(b"drnonce2", b"drnonce3"))
    with pytest.raises(NewerData, match="later version"):
        open_store(tmp_path)
    assert file.read_bytes().startswith(b"drnonce3")


@pytest.mark.once
def test_a_flipped_bit_never_turns_one_form_into_another():
    for form in range(1, 16):
        (byte,) = forms.mark(form)
        assert form == forms.marked(byte)
        assert {0} == {forms.marked(byte ^ 1 << bit) for bit in range(8)}


@pytest.mark.once
def test_who_copies_or_signs_everything_refuses_tables_of_a_later_version(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, _):
            store._engine.write_now(lambda db: db.execute("UPDATE alembic_version SET version_num = '9999'"))

    asyncio.run(run())
    with pytest.raises(NewerData, match="9999"):
        rotate_key(tmp_path)


@pytest.mark.once
def test_the_columns_of_the_records_are_what_they_were():
    """A new field of a record stands in `more`: see CONTRIBUTING.md."""
    for kind in KINDS:
        stored = tables.STORED[kind]
        beside = {"company_id", "id", "more", "checksum"} | (OF_COMPANIES if kind == "company" else set())

        assert set(fields.POSITIONAL[kind]) == {*stored.fields, *stored.links, *stored.secrets}
        assert set(stored.fields) == {column.name for column in stored.table.columns} - beside
        assert checksums.arrangement(kind) is None, "the checksum takes them by their place"
        assert not fields.LATER[kind] or fields.IN_MORE[kind]
    assert "company" not in SECRET_FIELDS


def test_facts_of_a_request_that_a_later_version_notes_are_read(tmp_path):
    async def run():
        async with opened(tmp_path) as (store, ledger):
            noted = Origin(None, "own", "", "r", {"why": "a text"})
            await ledger.submit(work(new_group("g"))._replace(origin=noted))
            (*_, told) = store._engine.read_now(lambda db: list(log.commits(db, 1)))

            assert {"why": "a text"} == told.origin.note

    asyncio.run(run())
