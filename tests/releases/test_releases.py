"""Data of every released version, brought up to date: see README.md for how a release leaves it."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest

from deskroster.core.changes import Change, changed
from deskroster.ledger import Damaged, Store, location, restore, rotate_key, verify
from deskroster.ledger.beside import idempotency
from deskroster.ledger.disk import checksums, fields
from deskroster.ledger.files import forms
from tests import random_verbs
from tests.ledger.support import NOW, new_group, work
from tests.releases import make, unpacked

pytestmark = pytest.mark.once

_numbers = itertools.count()
every_release = pytest.mark.parametrize("version", unpacked.VERSIONS)
both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def left(tmp_path, databases):
    """Give a function that puts what a release has left somewhere, and returns what opens it."""
    names = []

    def put(version, engine):
        url, folder = None, tmp_path / f"data {next(_numbers)}"
        if engine == "postgresql":
            names.append(f"released_{next(_numbers)}")
            url = unpacked.database(version, databases, names[-1])
            make.key_in(folder)
        else:
            unpacked.data_folder(version, folder)

        @asynccontextmanager
        async def opened(at=NOW):
            store = await asyncio.to_thread(Store.open, folder, lambda: at, location.engine_at(url))
            try:
                yield store
            finally:
                await store.close()

        opened.folder = folder
        return opened

    yield put
    for name in names:
        databases.drop(name)


@every_release
@both_engines
def test_data_of_a_release_is_what_it_was_and_is_written_to_and_read_again(left, version, engine):
    async def run():
        opened = left(version, engine)
        async with opened() as store:
            for company in unpacked.expected(version, engine):
                assert company == make.told((await store.load(company["company"]["id"])).roster)
            assert [] == await store.check()
            ledger = await store.load(1)
            for random in range(3):
                await _write_on(ledger, random)
            assert [] == await store.check()
            written = random_verbs.state(ledger.roster)
        async with opened() as store:
            assert written == random_verbs.state((await store.load(1)).roster)
            assert [] == await store.check()

    asyncio.run(run())


async def _write_on(ledger, seed):
    def verb(roster, caller):
        changes: list[Change] = []
        for kind in roster._tables:
            rows = list(roster.table(kind))
            changes += changed(rows[seed % len(rows)], **{_TEXT.get(kind, "name"): f"changed {seed}"}) if rows else []
        return [change for change in changes if change.kind != "profile_record"]

    await ledger.submit(work(verb))
    await ledger.submit(work(new_group(f"new {seed}", (201, 202 + seed))))


_TEXT = {"profile_field": "label", "profile_record": "values"}


@every_release
@both_engines
def test_what_a_release_has_kept_beside_the_roster_still_counts(left, version, engine):
    async def run():
        async with left(version, engine)(NOW + 60) as store:
            ledger = await store.load(1)
            once = ledger.once("agent 1", make.IDEMPOTENCY_KEY, make.BODY)
            number = ledger.roster.number

            answer = await ledger.submit(work(new_group("never made"), once))

            assert (make.REPLY, number) == (answer, ledger.roster.number)
            assert (NOW, "C") == tuple(ledger.observed.last("key", 200))
            assert (NOW + 1, "") == tuple(ledger.observed.last("agent", 200))
            unused = store.fresh(ledger, make.NONCE)
            assert not (unused if isinstance(unused, bool) else await unused)

    asyncio.run(run())


@every_release
def test_a_backup_of_a_release_is_verified_and_restored(tmp_path, version):
    backup = unpacked.backup(version, tmp_path / "backup")
    manifest = verify(backup)
    restored = tmp_path / "restored"

    restore(backup, restored, bytes.fromhex(make.KEY))

    async def run():
        store = Store.open(restored, lambda: NOW)
        for company, head in zip(unpacked.expected(version, "sqlite"), manifest.companies, strict=True):
            found = make.told((await store.load(head.company_id)).roster)
            assert (head.number, company) == (found["number"], found)
        assert [] == await store.check()
        await store.backup(tmp_path / "again")
        await store.close()

    asyncio.run(run())
    assert forms.MANIFEST == verify(tmp_path / "again").form


@every_release
def test_rotating_the_key_signs_data_of_a_release_in_our_form(tmp_path, version):
    folder = unpacked.data_folder(version, tmp_path / "data")

    rotate_key(folder)

    async def run():
        store = Store.open(folder, lambda: NOW)
        (company, *_) = unpacked.expected(version, "sqlite")
        assert company == make.told((await store.load(1)).roster)
        assert [] == await store.check()
        rows = store._engine.read_now(lambda db: db.execute("SELECT checksum FROM agents").fetchall())
        assert {forms.mark(forms.CHECKSUM)} == {checksum[:1] for (checksum,) in rows}
        await store.close()

    asyncio.run(run())


@both_engines
def test_control_a_checksum_over_the_fields_in_another_order_is_noticed(left, engine, monkeypatch):
    monkeypatch.setattr(
        checksums, "POSITIONAL", {**fields.POSITIONAL, "agent": (*fields.POSITIONAL["agent"][1:], "name")}
    )

    async def run():
        async with left("0.1.0", engine)() as store:
            with pytest.raises(Damaged, match="agent"):
                await store.load(1)

    asyncio.run(run())


def test_a_reply_of_a_release_is_kept_for_no_longer_than_a_day(left):
    async def run():
        async with left("0.1.0", "sqlite")(NOW + idempotency.LIFETIME) as store:
            ledger = await store.load(1)
            once = ledger.once("agent 1", make.IDEMPOTENCY_KEY, make.BODY)

            assert make.REPLY != await ledger.submit(work(new_group("made anew"), once))

    asyncio.run(run())
