"""`move`: from SQLite to PostgreSQL and back, everything or nothing."""

import asyncio
import itertools
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import httpx2
import pytest
from sqlalchemy import select

from deskroster.core.problems import Refusal
from deskroster.ledger import Store, location
from deskroster.ledger.disk import tables
from deskroster.ledger.disk.writing import sql
from deskroster.ledger.upkeep import transfer
from deskroster.testing import Clients
from tests import random_verbs
from tests.cli.program import PATIENCE, Program, environment, finished, initialized
from tests.ledger.support import work

pytestmark = pytest.mark.once

_numbers = itertools.count()


@pytest.fixture
def empty(databases):
    """Give the address of an empty database."""
    name = f"moving_{next(_numbers)}"
    yield databases.create(name)
    databases.drop(name)


def filled(data, seed=0):
    """Found another company in the folder and let chance write to it."""

    async def run():
        store = Store.open(data, engine=location.engine_at(location.url_of(data)))
        chance, ledger = random.Random(seed), await store.load(2)
        for _ in range(150):
            verb = chance.choice(random_verbs.VERBS)(chance, ledger.roster)
            with suppress(Refusal):
                await ledger.submit(work(verb)._replace(shape=lambda roster, done: b""))
        await store.close()

    asyncio.run(run())


def everything(data):
    """Return every row of every table, wherever the data is, but for how the tables are declared and came there."""
    with closing(location.engine_at(location.url_of(data))(data)) as engine:
        rows = {
            table.name: sorted(map(repr, engine.read_now(lambda db: list(db.execute(sql(select(table))).fetchall()))))  # noqa: B023 - used up at once
            for table in tables.metadata.sorted_tables
        }
    of_the_place = ("'schema'", "'arrived'")
    rows["installation"] = [row for row in rows["installation"] if not any(name in row for name in of_the_place)]
    return rows


def rosters(data):
    """Return all that the rosters of both companies say."""

    async def run():
        store = Store.open(data, engine=location.engine_at(location.url_of(data)))
        found = [random_verbs.state((await store.load(id)).roster) for id in (1, 2)]
        await store.close()
        return found

    return asyncio.run(run())


def test_everything_is_moved_and_moved_back(nowhere, empty):
    admin = initialized(nowhere)
    nowhere("company", "add", "other", "--name", "Other", "--email", "admin@other.com")
    filled(nowhere.data)
    began, known = everything(nowhere.data), rosters(nowhere.data)
    kept = {"agents", "changes", "commits", "groups", "keys", "memberships", "observations", "secrets"}
    assert {"agents", "changes", "groups", "keys", "memberships", "secrets"} <= {name for name in kept if began[name]}

    there = nowhere("move", "--to", empty, "--json")
    assert (0, {"rows": there.json["rows"], "to": "postgresql"}) == (there.code, there.json)
    assert not (nowhere.data / "deskroster.db").exists()
    assert (began, known) == (everything(nowhere.data), rosters(nowhere.data))
    assert "PostgreSQL" in nowhere("doctor").out
    assert 0 == nowhere("doctor").code
    logs_in(nowhere.data, admin)

    now = everything(nowhere.data)
    back = nowhere("move", "--to", "sqlite", "--json")
    assert (0, "sqlite") == (back.code, back.json["to"])
    assert (now, known[1]) == (everything(nowhere.data), rosters(nowhere.data)[1])
    assert not (nowhere.data / location.ELSEWHERE).exists()
    assert "SQLite" in nowhere("doctor").out
    assert 0 == nowhere("doctor").code
    logs_in(nowhere.data, admin)


def logs_in(data, account):
    """Let an administrator in by token and by password, at the real server."""
    with (
        Program("serve", "--data", str(data), "--port", "0", "--json") as program,
        closing(Clients(program.ready["url"], account, time.time, httpx2.HTTPTransport)) as clients,
    ):
        url, host = program.ready["url"], {"Host": "acme.localhost"}
        by_token = clients.udesk.get("/agent_roles", headers=host).json()["code"]
        by_password = httpx2.get(
            f"{url}/apiv2/users.json", headers=host, auth=(account.email, account.password), trust_env=False
        )

    assert (1000, 200) == (by_token, by_password.status_code)


def test_a_move_to_where_the_data_is_already_is_refused(command, empty):
    here = command("move", "--to", "sqlite")
    command("move", "--to", empty)
    before = everything(command.data)
    again = command("move", "--to", empty)

    assert (4, 4) == (here.code, again.code)
    assert "already" in here.err
    assert before == everything(command.data)


def test_a_move_to_where_another_installation_is_changes_neither(command, empty, tmp_path):
    other = tmp_path / "other"
    command(*("init", "--data", str(other), "--label", "o", "--name", "O", "--email", "a@o.com", "--database", empty))
    before, theirs = everything(command.data), everything(other)

    refused = command("move", "--to", empty)

    assert 4 == refused.code
    assert (before, theirs) == (everything(command.data), everything(other))
    assert location.url_of(command.data) is None


@pytest.mark.proof
@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM secrets",
        "UPDATE agents SET name = name || '!'",
        "INSERT INTO positions (company_id, id, name, checksum) SELECT company_id, 99, name, checksum FROM positions",
        "UPDATE commits SET at = at + 1",
    ],
)
def test_a_copy_that_is_not_the_same_does_not_count(command, empty, monkeypatch, harm):
    real, before = transfer.copy, everything(command.data)

    def harmful(source, target, tell):
        real(source, target, tell)
        target.execute(harm)

    monkeypatch.setattr(transfer, "copy", harmful)
    refused = command("move", "--to", empty)
    monkeypatch.setattr(transfer, "copy", real)

    assert 4 == refused.code
    assert location.url_of(command.data) is None
    assert before == everything(command.data)
    assert 0 == command("move", "--to", empty).code
    assert before == everything(command.data)


STEPS = (
    "upkeep.transfer.clear",
    "upkeep.transfer.copy",
    "upkeep.transfer.differences",
    "disk.schema.sign",
    "location.note",
)


@pytest.mark.parametrize("step", [*(pytest.param(step, marks=pytest.mark.proof) for step in STEPS[:-1]), STEPS[-1]])
@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
def test_a_move_that_fails_at_any_step_leaves_the_data_where_it_was(command, empty, monkeypatch, step, to):
    if to == "sqlite":
        command("move", "--to", empty)
    target = empty if to == "postgresql" else "sqlite"
    before, url = everything(command.data), location.url_of(command.data)

    with monkeypatch.context() as patch:
        patch.setattr(f"deskroster.ledger.{step}", failing)
        failed = command("move", "--to", target)
    left = (everything(command.data), location.url_of(command.data))
    moved = command("move", "--to", target)

    assert failed.code not in (0, 4)
    assert (before, url) == left
    assert (0, before) == (moved.code, everything(command.data))
    assert 0 == command("doctor").code


def failing(*_):
    raise OSError(5, "the disk failed")


KILLED = """
import os, signal, sys
from importlib import import_module
from deskroster.cli import main
module = import_module("deskroster.ledger.{module}")
real = module.{name}
def killed(*arguments):
    if {after}:
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = killed
sys.argv = ["deskroster", "move", "--data", {data!r}, "--to", {to!r}]
main()
"""


@pytest.mark.proof
@pytest.mark.parametrize(
    ("step", "after"),
    [("upkeep.transfer.copy", True), ("disk.schema.sign", False), ("disk.notes.put", False)],
)
def test_a_move_that_is_killed_leaves_sqlite_in_charge_and_can_be_given_again(command, empty, step, after):
    before = everything(command.data)

    killed(command.data, empty, step, after)

    assert location.url_of(command.data) is None
    assert before == everything(command.data)
    assert 0 == command("move", "--to", empty).code
    assert before == everything(command.data)
    assert 0 == command("doctor").code


@pytest.mark.proof
@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
def test_a_move_that_is_killed_between_its_two_places_lets_neither_be_used_and_is_finished(command, empty, to):
    if to == "sqlite":
        command("move", "--to", empty)
    target = empty if to == "postgresql" else "sqlite"
    before, here = everything(command.data), location.noted_in(command.data)

    killed(command.data, target, "location.note", False)
    refused = [command(*what) for what in (("position", "list"), ("doctor",), ("serve", "--port", "0"), ("backup",))]

    assert here == location.noted_in(command.data)
    assert [1, 1, 1, 1] == [one.code for one in refused]
    assert all("deskroster move" in one.err for one in refused)
    assert 0 == command("move", "--to", target).code
    assert before == everything(command.data)
    assert 0 == command("doctor").code


@pytest.mark.proof
def test_a_move_that_was_killed_is_not_finished_at_another_place(command, empty, databases):
    killed(command.data, empty, "location.note", False)
    other = databases.create("moving_elsewhere")
    refused = command("move", "--to", other)

    assert 4 == refused.code
    assert "another place" in refused.err
    assert 0 == command("move", "--to", empty).code
    databases.drop("moving_elsewhere")


@pytest.mark.proof
def test_a_move_that_is_killed_once_it_is_noted_is_done(command, empty):
    before = everything(command.data)

    killed(command.data, empty, "location.note", True)

    assert empty == location.url_of(command.data)
    assert 0 == command("doctor").code
    assert before == everything(command.data)
    assert 4 == command("move", "--to", empty).code
    assert not (command.data / "deskroster.db").exists()


@pytest.mark.proof
def test_what_a_killed_move_has_left_is_overwritten_by_none_once_it_was_opened(command, empty, tmp_path):
    shutil.copytree(command.data, tmp_path / "copy")
    killed(command.data, empty, "location.note", True)
    command("position", "add", "质检")
    (command.data / location.ELSEWHERE).unlink()

    refused = command("move", "--data", str(tmp_path / "copy"), "--to", empty)
    finished_again = command("move", "--to", empty)

    assert 4 == refused.code
    assert "installation at the other place" in refused.err
    assert 0 == finished_again.code
    assert "质检" in command("position", "list").out


def killed(data, to, step, after):
    """Give the command in a process that kills itself at a step."""
    module, _, name = step.rpartition(".")
    code = KILLED.format(module=module, name=name, after=after, data=str(data), to=to)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, timeout=PATIENCE, check=False
    )
    assert -signal.SIGKILL == ended.returncode, ended.stderr


@pytest.mark.proof
def test_nothing_is_moved_while_a_server_has_it_open(command, empty, tmp_path):
    with Program("serve", "--data", str(command.data), "--port", "0", "--json"):
        from_sqlite = finished("move", "--data", str(command.data), "--to", empty)
    command("move", "--to", empty)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("key", location.ELSEWHERE):
        (elsewhere / name).write_bytes((command.data / name).read_bytes())
        (elsewhere / name).chmod(0o600)
    with Program("serve", "--data", str(elsewhere), "--port", "0", "--json"):
        from_postgresql = finished("move", "--data", str(command.data), "--to", "sqlite")

    assert (5, 5) == (from_sqlite.code, from_postgresql.code)
    assert empty == location.url_of(command.data)
    assert 0 == command("move", "--to", "sqlite").code
