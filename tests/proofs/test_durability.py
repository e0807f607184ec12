"""What was answered survives: `kill -9`, a lost log of the disk, a torn page. And a nonce stays used."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deskroster.testing import StillClock
from tests.faults.disk import Disk
from tests.in_process import InProcess
from tests.proofs.durability import crashes
from tests.proofs.durability.served import SERVER, Served
from tests.proofs.durability.writers import Lost

CONTROL_ROUNDS = 8  # within which a broken promise must be noticed
ATTEMPTS = 4
ALTERED = ("-m", "tests.proofs.durability.altered")
SECTOR = 512  # bytes that a disk writes at once

pytestmark = pytest.mark.proof


@pytest.mark.parametrize(
    ("rounds", "program"),
    [(13, SERVER), (12, SERVER), pytest.param(6, (*ALTERED, "busy_log"), marks=pytest.mark.once)],
    ids=["one half", "other half", "between checkpoints"],
)
def test_nothing_acknowledged_is_lost_by_kill_9_and_nothing_is_half_there(rounds, program, prepared, tmp_path, library):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    found = crashes.run(prepared, tmp_path, library, rounds, seed, program)

    print(found)
    assert rounds == found.rounds
    assert found.acknowledged > 2 * rounds
    assert found.replays > rounds
    assert found.doubtful_done < found.doubtful  # it was killed in the middle of work


@pytest.mark.parametrize(
    ("way", "notice"),
    [
        ("early", "lacks"),
        pytest.param("halved", "the log and the tables differ", marks=pytest.mark.once),
        pytest.param("unsynced", "lacks", marks=pytest.mark.once),
        pytest.param("forgetful", "a nonce that was used before", marks=pytest.mark.once),
    ],
)
def test_control_a_server_that_loses_acknowledged_writes_is_noticed(way, notice, prepared, tmp_path, library):
    told = ""
    for attempt in range(ATTEMPTS):  # what is broken may be noticed in another way first, as the kill falls
        (folder := tmp_path / f"{attempt}").mkdir()
        with pytest.raises(Lost) as lost:
            crashes.run(prepared, folder, library, CONTROL_ROUNDS, 1 + attempt, (*ALTERED, way))
        told = str(lost.value)
        if notice in told:
            break
    assert notice in told


def syncs_of_writes(server: Served, disk: Disk, count: int) -> int:
    """Return how often SQLite's log was synced while so many groups were made, one after the other."""
    client = server.clients().kf5
    client.post("/groups.json", json={"group": {"name": "first"}}).raise_for_status()  # begins the log
    before = disk.seen("deskroster.db-wal").syncs
    for number in range(count):
        client.post("/groups.json", json={"group": {"name": f"g{number}"}}).raise_for_status()
    client.close()
    return disk.seen("deskroster.db-wal").syncs - before


@pytest.mark.once
def test_each_write_that_comes_alone_costs_one_fsync(disk, tmp_path):
    with Served(tmp_path / "data", disk) as server:
        assert 40 == syncs_of_writes(server, disk, 40)


@pytest.mark.once
def test_control_a_server_that_leaves_fsync_to_the_system_is_noticed(disk, tmp_path):
    with Served(tmp_path / "data", disk, (*ALTERED, "unsynced")) as server:
        assert 0 == syncs_of_writes(server, disk, 10)


@pytest.mark.once
def test_256_concurrent_writes_cost_at_most_two_fsyncs(disk, tmp_path):
    code = f"""
import asyncio
from pathlib import Path
from deskroster.ledger import rehearsal as rules
from tests.ledger.support import new_group, opened, work

rules.MAX_REHEARSAL = 60.0  # a batch ends by its number of verbs, however slow the machine is

async def run():
    async with opened(Path({str(tmp_path / "data")!r})) as (_, ledger):
        await ledger.submit(work(new_group("first")))
        for turn in range(2):
            before = seen()
            await asyncio.gather(*(ledger.submit(work(new_group(f"g{{n}}"))) for n in range(256)))
            print(seen() - before)

def seen():
    from tests.faults.disk import read
    return read(Path({str(tmp_path / "faults")!r}), "deskroster.db-wal").syncs

asyncio.run(run())
"""
    environment = os.environ | disk.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert "2\n1\n" == ran.stdout, ran.stderr


class Written:
    """A folder as a crash leaves it after some writes: `ends[n]` is how long SQLite's log was after the n-th."""

    def __init__(self, prepared: Path, tmp_path: Path, writes: int) -> None:
        self.folder = tmp_path / "crashed"
        shutil.copytree(prepared, tmp_path / "served")
        desk = InProcess(tmp_path / "served", StillClock())
        self.first = desk.roster().number
        self.ends = [0]
        for number in range(writes):
            made = desk.kf5.post("/groups.json", json={"group": {"name": f"g{number}", "agents": [1, 2]}})
            assert 201 == made.status_code
            self.ends.append((tmp_path / "served" / "deskroster.db-wal").stat().st_size)
        shutil.copytree(tmp_path / "served", self.folder)
        self.log = (self.folder / "deskroster.db-wal").read_bytes()
        desk.close()

    def after(self, log: bytes, into: Path) -> int:
        """Return how many of the writes are there when the log is this one. The chain must verify."""
        shutil.copytree(self.folder, into)
        (into / "deskroster.db-wal").write_bytes(log)
        desk = InProcess(into, StillClock())
        names = {group.name for group in desk.roster().groups}
        count = desk.roster().number - self.first
        assert [] == desk.run(desk.app.store.check())
        assert {f"g{number}" for number in range(count)} == {name for name in names if name.startswith("g")}
        assert all(len(desk.roster().groups[id].member_ids) == 2 for id in range(4, 4 + count))
        desk.close()
        shutil.rmtree(into)
        return count


@pytest.mark.once
@pytest.mark.parametrize("tear", ["cut", "garbled"])
def test_a_torn_log_keeps_every_write_before_the_tear(prepared, tmp_path, tear):
    written = Written(prepared, tmp_path, 6)
    noise = random.Random(1).randbytes(len(written.log))

    for at in range(written.ends[4], len(written.log) + 1, SECTOR):
        log = written.log[:at] + (noise[at:] if tear == "garbled" else b"")
        expected = sum(end <= at for end in written.ends[1:])

        assert expected == written.after(log, tmp_path / "torn"), f"torn at byte {at}"


@pytest.mark.once
def test_control_a_write_that_the_log_has_lost_is_noticed(prepared, tmp_path):
    written = Written(prepared, tmp_path, 6)

    assert 3 == written.after(written.log[: written.ends[3] + SECTOR], tmp_path / "torn")  # six were answered
