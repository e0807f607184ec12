"""Promise 9: damage is found. See docs/explanation/promises.md, "Corruption is found"."""

import asyncio
import random
import shutil
from collections import Counter

import msgspec
import pytest

from deskroster.core.changes import changed
from deskroster.core.problems import Damaged
from deskroster.core.records import Secret
from deskroster.ledger import BadBackup, Store, Vault, WrongKey, examine, rotate_key
from deskroster.ledger.disk.vault import new_key, write_key
from deskroster.ledger.engines.copy_file import FILE
from deskroster.ledger.files import forms
from tests.cli.program import finished
from tests.ledger.support import NOW, new_group, opened, state, work
from tests.proofs.corruption import bytes_of_notes, contents, edit, flip, kinds_of_pages, make_healthy

pytestmark = pytest.mark.once

FLIPS = 1_200
LOG = FILE + "-wal"
SQLITE = {"integrity", "foreign_key"}
"""What is found by SQLite itself; all else are checks of ours."""


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return make_healthy(tmp_path_factory.mktemp("healthy") / "data")


@pytest.mark.proof
def test_one_flipped_bit_is_found_or_changes_nothing(healthy, tmp_path):
    """Flip bits at random. The control leaves our checks out, all and one by one: the same flips go unnoticed."""
    seed = random.randrange(1 << 32)
    dice, before, pages = random.Random(seed), contents(healthy), kinds_of_pages(healthy)
    page_size = (healthy / FILE).stat().st_size // len(pages)
    hit, found, harmless = Counter(), Counter(), Counter()
    unnoticed = Counter()  # without a check
    for _ in range(FLIPS):
        offset, bit = dice.randrange(page_size * len(pages)), dice.randrange(8)
        folder = flip(healthy, tmp_path / "data", offset, bit)
        by = {finding.what for finding in examine(folder)}
        kind = pages[offset // page_size]
        hit[kind] += 1
        if not by:
            assert before == contents(flip(healthy, folder, offset, bit)), f"{seed=} {offset=} {bit=} was lost"
            harmless[kind] += 1
        found.update(by)
        unnoticed["all of ours"] += bool(by) and not by & SQLITE
        for only in ({"log"}, {"roster", "checksum"}, {"secret"}, {"integrity"}):
            unnoticed[" and ".join(sorted(only))] += bool(by) and by <= only
    print(f"{FLIPS} flips: {dict(found)}; harmless {dict(harmless)} of {dict(hit)}; found by nothing else {unnoticed}")

    assert {"index interior", "index leaf", "table interior", "table leaf", "overflow", "free"} == set(pages)
    assert min(hit[kind] for kind in pages) > 0
    assert harmless["free"] > 0
    assert unnoticed["all of ours"] > FLIPS / 5
    assert all(unnoticed.values()), unnoticed


@pytest.mark.proof
def test_any_flipped_bit_in_the_notes_of_the_installation_is_found_or_changes_nothing(healthy, tmp_path):
    """They are a few bytes, which flips at random seldom hit."""
    before, where = contents(healthy), bytes_of_notes(healthy)
    for offset in where:
        for bit in range(8):
            folder = flip(healthy, tmp_path / "data", offset, bit)
            if not examine(folder):
                assert before == contents(flip(healthy, folder, offset, bit)), f"{offset=} {bit=} was lost"

    assert len(where) > 100


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """Give a folder as `kill -9` leaves it: twenty commits stand in SQLite's log alone."""
    folder = tmp_path_factory.mktemp("crashed") / "data"
    asyncio.run(_crash(folder))
    return folder


@pytest.mark.proof
def test_one_flipped_bit_in_the_log_of_sqlite_loses_no_commit_but_the_last(crashed, tmp_path, monkeypatch):
    """SQLite passes over all behind the first broken frame in silence: that is the control."""
    seed = random.randrange(1 << 32)
    dice, size = random.Random(seed), (crashed / LOG).stat().st_size
    flips = [(dice.randrange(size), dice.randrange(8)) for _ in range(150)]
    whole = asyncio.run(_load(shutil.copytree(crashed, tmp_path / "whole")))["number"]

    left = [_number_after(flip(crashed, tmp_path / "data", *place, LOG)) for place in flips]
    monkeypatch.setattr("deskroster.ledger.engines.sqlite.wal.hides_transactions", lambda log: False)
    control = [_number_after(flip(crashed, tmp_path / "data", *place, LOG)) for place in flips]

    lost = sum(number is not None and number < whole - 2 for number in control)
    print(f"of {len(flips)} flips {left.count(None)} found; without the check {lost} lose commits in silence")
    assert all(number is None or number >= whole - 2 for number in left), f"{seed=}"
    assert lost > len(flips) / 2


def _number_after(folder):
    """Return the number of the last commit that is there after a restart; None if it is refused."""
    try:
        return asyncio.run(_load(folder))["number"]
    except Damaged:
        return None
    except KeyError:  # not even the company is there
        return 0


EDITS = {
    "an agent's level": "UPDATE agents SET level = 'admin' WHERE id = 5",
    "an agent's state": "UPDATE agents SET state = 'enabled' WHERE id = 5",
    "whether an agent is employed": "UPDATE agents SET employed = 0 WHERE id = 1",
    "an agent's login": "UPDATE agents SET email = 'other@example.com' WHERE id = 1",
    "an agent's roles": "DELETE FROM agent_roles WHERE agent_id = 5 AND role_id = 2",
    "an agent's permission sets": "INSERT INTO agent_permission_sets VALUES (1, 1, 1)",
    "a role": "UPDATE roles SET name = 'Other' WHERE id = 2",
    "whose a key is": "UPDATE keys SET agent_id = 1 WHERE id = 5",
    "what a key may": "UPDATE keys SET access = 'read' WHERE id = 5",
    "when a key ends": "UPDATE keys SET expires_at = 99 WHERE id = 1",
    "a password that is gone": "DELETE FROM secrets WHERE kind = 'agent' AND record_id = 1",
    "two secrets, swapped": (
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets AS other WHERE other.kind = 'key' AND"
        " other.record_id = 7 - secrets.record_id) WHERE kind = 'key' AND record_id IN (3, 4)"
    ),
    "settings": "UPDATE companies SET signature_forms = '[]'",
    "the end of the log": "UPDATE companies SET number = number - 1",
    "the last commit": "DELETE FROM commits WHERE number = (SELECT max(number) FROM commits)",
    "a deleted record's secret": "UPDATE secrets SET sealed = zeroblob(40) WHERE record_id = 45",
    "how far the log was verified": "UPDATE verified SET number = number + 1",
    "when a key was last used": "UPDATE observations SET at = 0 WHERE kind = 'key'",
    "how tables are declared": "CREATE TRIGGER t AFTER INSERT ON keys BEGIN UPDATE agents SET level = 'admin'; END",
    "the version": "UPDATE alembic_version SET version_num = '0000'",
    "the key's fingerprint": "UPDATE installation SET value = 'other' WHERE name = 'key'",
    "no fingerprint": "DELETE FROM installation",
    "how often companies changed": "UPDATE installation SET value = 'A' WHERE name = 'companies'",
    "the form of a note": "UPDATE installation SET value = '*' || substr(value, 2) WHERE name = 'schema'",
}


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS)
def test_start_up_refuses_credentials_and_roles_that_were_changed_from_outside(healthy, tmp_path, statement):
    folder = shutil.copytree(healthy, tmp_path / "data")
    edit(folder, statement)

    with pytest.raises((Damaged, WrongKey)):
        asyncio.run(_load(folder))
    assert examine(folder)


def test_without_checksums_the_same_changes_go_unnoticed(tmp_path, monkeypatch):
    """The control: a vault that gives every row the same checksum."""
    same = forms.mark(forms.CHECKSUM) + b"same"
    monkeypatch.setattr(Vault, "checksums", lambda vault, company_id, of, form=None: lambda row: same)
    healthy = make_healthy(tmp_path / "healthy")
    for what in ("an agent's level", "an agent's roles", "whose a key is", "settings", "a password that is gone"):
        folder = shutil.copytree(healthy, tmp_path / what)
        edit(folder, EDITS[what])
        asyncio.run(_load(folder))


OTHERS = {
    "a membership": ("DELETE FROM memberships WHERE agent_id = 5", "roster"),
    "a kept reply": ("UPDATE replies SET at = at + 1", "secret"),
    "the changes of the last commit": ("DELETE FROM changes WHERE number = (SELECT max(number) FROM commits)", "log"),
    "the order of changes": ("UPDATE changes SET ordinal = 64 WHERE number = 20", "log"),
    "an early commit": ("UPDATE commits SET agent_id = 7 WHERE number = 2", "log"),
    "what an early commit told": ("UPDATE changes SET after = replace(after, 'Agent 5', 'Agent 6')", "log"),
    "a commit that is gone": ("DELETE FROM commits WHERE number = 3", "log"),
    "whom the tables serve": ("UPDATE installation SET value = '0001' WHERE name = 'serves'", "version"),
    "a note's name": ("UPDATE installation SET name = 'servas' WHERE name = 'serves'", "version"),
}


@pytest.mark.parametrize(("statement", "by"), OTHERS.values(), ids=OTHERS)
def test_the_doctor_finds_what_start_up_does_not_read(healthy, tmp_path, statement, by):
    folder = shutil.copytree(healthy, tmp_path / "data")
    edit(folder, statement)

    asyncio.run(_load(folder))
    assert by in {finding.what for finding in examine(folder)}


def test_start_up_reads_the_log_again_from_the_last_verified_commit_on(tmp_path):
    folder = make_healthy(tmp_path / "data")
    edit(folder, "UPDATE commits SET address = 'elsewhere' WHERE number = 20")
    asyncio.run(_load(folder))

    edit(folder, "DELETE FROM verified")
    with pytest.raises(Damaged, match="commit 20"):
        asyncio.run(_load(folder))


def test_an_older_secret_of_the_same_place_is_noticed(tmp_path):
    """A sealed value that was good once opens again, but it is not what its row was written with."""
    folder = make_healthy(tmp_path / "data")
    token = "FROM secrets WHERE kind = 'key' AND record_id = 1"
    ((older,),) = edit(folder, f"SELECT hex(sealed) {token}")
    asyncio.run(_change_token(folder))
    edit(folder, f"UPDATE secrets SET sealed = x'{older}' WHERE kind = 'key' AND record_id = 1")

    with pytest.raises(Damaged, match="key 1"):
        asyncio.run(_load(folder))


def test_an_older_database_under_a_newer_log_is_noticed(healthy, tmp_path):
    """All rows and the log cut back together: they agree with one another, and not with the anchor."""
    folder = shutil.copytree(healthy, tmp_path / "data")
    for statement in (
        "DELETE FROM changes WHERE number = (SELECT max(number) FROM commits)",
        "DELETE FROM commits WHERE number = (SELECT max(number) FROM commits)",
        "UPDATE companies SET (number, head) = (SELECT number, hash FROM commits ORDER BY number DESC LIMIT 1)",
    ):
        edit(folder, statement)

    with pytest.raises(Damaged, match="end of the log"):
        asyncio.run(_load(folder))


@pytest.mark.parametrize("harm", ["missing", "foreign", "altered"])
def test_a_key_that_is_not_the_one_is_refused(healthy, tmp_path, harm):
    folder = shutil.copytree(healthy, tmp_path / "data")
    text = (folder / "key").read_text()
    (folder / "key").unlink()
    if harm == "foreign":
        write_key(folder, new_key())
    elif harm == "altered":
        write_key(folder, bytes.fromhex(text)[:-1] + bytes([bytes.fromhex(text)[-1] ^ 1]))

    with pytest.raises(WrongKey):
        Store.open(folder)
    assert "key" in {finding.what for finding in examine(folder)}


@pytest.mark.parametrize("left", [0, 1, 511, 4_096, 100_000])
def test_a_file_that_was_cut_off_never_opens_as_if_nothing_were_missing(healthy, tmp_path, left):
    folder = shutil.copytree(healthy, tmp_path / "data")
    with (folder / FILE).open("rb+") as file:
        file.truncate(left)

    with pytest.raises((Damaged, KeyError)):
        asyncio.run(_load(folder))


def test_a_new_installation_key_signs_everything_again(tmp_path):
    folder = make_healthy(tmp_path / "data")
    before, old = asyncio.run(_load(folder)), (folder / "key").read_text()

    rotate_key(folder)

    assert [] == examine(folder)
    assert before == asyncio.run(_load(folder))
    (folder / "key").write_text(old)
    with pytest.raises(WrongKey):
        Store.open(folder)


def test_a_damaged_row_keeps_the_key_from_being_changed(healthy, tmp_path):
    folder = shutil.copytree(healthy, tmp_path / "data")
    edit(folder, EDITS["an agent's level"])
    key = (folder / "key").read_text()

    with pytest.raises(Damaged):
        rotate_key(folder)
    with pytest.raises(Damaged):
        asyncio.run(_load(folder))
    assert key == (folder / "key").read_text()


def test_damage_found_while_serving_stops_writing_and_says_what_to_do(desk, tmp_path):
    desk.run(desk.app.store.backup(tmp_path / "backup"))
    assert 200 == desk.kf5.get("/groups.json").status_code
    assert 200 == desk.plain().get("/ready").status_code
    _make_administrator(desk)

    found = desk.run(desk.app.store.check())

    assert {"roster", "checksum"} == {finding.what for finding in found}
    refused = desk.kf5.post("/groups.json", json={"group": {"name": "new"}})
    assert (503, True) == (refused.status_code, "writing has stopped" in refused.text)
    assert 200 == desk.kf5.get("/groups.json").status_code
    assert 503 == desk.plain().get("/ready").status_code
    (line,) = [msgspec.json.decode(line) for line in desk.log.getvalue().splitlines() if '"critical"' in line]
    assert ("damaged", "stopped") == (line["event"], line["writing"])
    assert f"deskroster restore {tmp_path / 'backup'} --data" in line["to_do"]
    assert 1 == desk.roster().number


def test_a_company_whose_rows_cannot_be_trusted_is_not_served_at_all(desk):
    """In a server that runs already, a company is loaded when it is first asked for."""
    _make_administrator(desk)

    refused = desk.kf5.get("/groups.json")

    assert 503 == refused.status_code
    assert 503 == desk.plain().get("/ready").status_code


@pytest.mark.proof
@pytest.mark.parametrize("page", [1, 2, 8])
def test_serve_does_not_start_on_a_broken_file_and_says_which_backup_to_restore(healthy, tmp_path, page):
    folder, backup = shutil.copytree(healthy, tmp_path / "data"), tmp_path / "backup"
    asyncio.run(_back_up(folder, backup))
    with (folder / FILE).open("rb+") as file:
        file.seek(4_096 * (page - 1) + (100 if page == 1 else 0))
        file.write(b"\xff" * 64)

    ended = finished("serve", "--data", str(folder), "--port", "0")

    assert 7 == ended.code
    assert f"deskroster restore {backup} --data" in ended.err
    assert "Traceback" not in ended.err


def test_a_backup_of_damaged_data_does_not_count(healthy, tmp_path):
    folder = shutil.copytree(healthy, tmp_path / "data")
    edit(folder, OTHERS["a membership"][0])
    store = Store.open(folder)
    with pytest.raises(BadBackup, match="roster"):
        asyncio.run(store.backup(tmp_path / "backup"))
    store._engine.close()

    assert not (tmp_path / "backup").exists()


def _make_administrator(desk):
    """Change a row behind the server's back, as a failing disk or a foreign hand would."""
    desk.app.store._engine.write_now(lambda db: db.execute("UPDATE agents SET level = 'admin' WHERE id = 2"))


async def _load(folder):
    store = Store.open(folder, lambda: NOW)
    try:
        return state((await store.load(1)).roster)
    finally:
        store._engine.close()  # nothing is written on leaving


async def _crash(folder):
    async with opened(folder.with_name("running")) as (_, ledger):
        for n in range(20):
            await ledger.submit(work(new_group(f"group {n}")))
        shutil.copytree(folder.with_name("running"), folder)


async def _back_up(folder, backup):
    async with opened(folder) as (store, _):
        await store.backup(backup)


async def _change_token(folder):
    async with opened(folder) as (_, ledger):
        await ledger.submit(work(lambda roster, caller: changed(roster.keys[1], secret=Secret("another token"))))
