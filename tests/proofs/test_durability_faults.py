"""Refused means that nothing happened, and unknown says so: what is answered while the disk fails is the truth."""

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from tests.faults.disk import FOREVER, Calls, Disk, Fault
from tests.proofs.durability import faults
from tests.proofs.durability.faults import several, strike
from tests.proofs.durability.served import SERVER, Served, plain_client
from tests.proofs.durability.writers import Lost, Outcome, Writer, outcome_of
from tests.proofs.tries import TRIES

DEEP = 50  # the n-th call to the disk fails, for each n up to this
ALTERED = ("-m", "tests.proofs.durability.altered")
BUSY_LOG = (*ALTERED, "busy_log")
FULL_SECONDS = 3.0  # of a disk without room
UNKNOWN_SECONDS = 5.0  # after which a doubt is answered

pytestmark = [pytest.mark.proof, pytest.mark.once]


def may_mount() -> bool:
    """Whether this process may make file systems: root may, outside most containers."""
    with TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        if mounted:
            subprocess.run(["umount", folder], check=True)
        return mounted


@pytest.mark.parametrize(
    ("times", "deep", "program"),
    [(1, range(DEEP), SERVER), (FOREVER, range(0, DEEP, 5), BUSY_LOG)],
    ids=["once", "lasting"],
)
@pytest.mark.parametrize("fault", [Fault.EIO, Fault.ENOSPC, Fault.SHORT_WRITE], ids=lambda fault: fault.name)
def test_every_answer_is_the_truth_when_the_nth_call_fails(fault, times, deep, program, disk, tmp_path):
    writers = several("w")
    with Served(tmp_path / "data", disk, program) as server:
        struck = [strike(server, disk, fault, skip, times, writers) for skip in deep]
        server.kill()
    with Served(tmp_path / "data") as server:
        faults.compare(server, writers)
        assert server.ready()

    outcomes = sum((one.outcomes for one in struck), Counter())
    print(dict(outcomes), f"healthy after {max(one.seconds for one in struck):.2f} s at most")
    assert {Outcome.DONE, Outcome.BUSY} == set(outcomes)


def test_control_a_server_that_does_not_ask_its_log_is_noticed(disk, tmp_path):
    with (
        Served(tmp_path / "data", disk, (*ALTERED, "guessing")) as server,
        pytest.raises(Lost, match=r"and has|no write was done"),
    ):
        strike(server, disk, Fault.EIO, 2, FOREVER, several("w"), Calls.SYNC)


def test_a_disk_that_does_not_sync_makes_the_outcome_unknown_and_the_key_finds_it(disk, tmp_path):
    with Served(tmp_path / "data", disk) as server, plain_client() as client:
        writer = create(server, "unknown", disk)
        clients = server.clients()
        for answer in (clients.udesk.get("/user_groups"), clients.kf5.get("/groups.json")):
            assert Outcome.DONE is outcome_of(answer)
        assert Outcome.BUSY is outcome_of(clients.servicego.post("/v1/userGroup", json={"name": "meanwhile"}))
        clients.close()
        disk.mend()
        healthy(server)
        faults.compare(server, [writer])
        assert client.get(f"{server.url}/ready").status_code == 200


def test_an_idempotency_key_finds_the_first_answer_after_a_kill_with_unknown_outcome(disk, tmp_path):
    with Served(tmp_path / "data", disk) as server:
        writer = create(server, "killed", disk)
        server.kill()
        disk.mend()
    with Served(tmp_path / "data", disk) as server:
        assert 2 == len(writer.possible())
        faults.compare(server, [writer])
        faults.compare(server, [writer])


def test_control_a_server_that_forgets_first_answers_is_noticed(disk, tmp_path):
    with Served(tmp_path / "data", disk, (*ALTERED, "keyless")) as server:
        writer = create(server, "keyless", disk)
        disk.mend()
        healthy(server)
        with pytest.raises(Lost, match="the same key got"):
            faults.compare(server, [writer])


def create(server: Served, tag: str, disk: Disk) -> Writer:
    """Make an agent or a group while nothing can be synced; return its writer, to whom the outcome is unknown."""
    writer = Writer("kf5", f"{tag}-", 0)
    with plain_client() as client:
        # The first write begins SQLite's log. If that cannot be synced nothing more is written: surely not done.
        assert Outcome.DONE is Writer("kf5", "log-", 0).write(client, server.url)
        disk.fail(Fault.EIO, 0, FOREVER, Calls.SYNC)
        began = time.monotonic()
        assert Outcome.UNKNOWN is writer.write(client, server.url)
    assert UNKNOWN_SECONDS - 0.5 < time.monotonic() - began
    return writer


def healthy(server: Served) -> None:
    """Wait until writes are taken again."""
    ended = time.monotonic()
    while not server.ready():
        assert time.monotonic() - ended < faults.PATIENCE
        time.sleep(0.02)


Full = Callable[[], AbstractContextManager[None]]


@contextmanager
def nothing_longer(disk: Disk) -> Iterator[None]:
    """Let no file become longer."""
    disk.fail(Fault.FULL, 0, FOREVER, Calls.WRITE | Calls.TRUNCATE)
    yield
    disk.mend()


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill the file system of a folder to the last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(512)):
            pass
    assert shutil.disk_usage(folder).free == 0
    yield
    ballast.unlink()


@contextmanager
def pretended(folder: Path, prepared: Path, library: Path) -> Iterator[tuple[Served, Full]]:
    """Serve on a disk that only says that it is full."""
    shutil.copytree(prepared, folder / "data")
    disk = Disk(library, folder / "faults", folder / "data")
    with Served(folder / "data", disk) as server:
        yield server, lambda: nothing_longer(disk)


@contextmanager
def mounted(folder: Path, prepared: Path, library: Path) -> Iterator[tuple[Served, Full]]:
    """Serve on a small file system, where the server's log is too."""
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    try:
        shutil.copytree(prepared, small / "data")
        with Served(small / "data") as server:
            yield server, lambda: filled(small)
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("disk_of_its_own", [pretended, *([mounted] if may_mount() else [])])
def test_on_a_full_disk_reads_go_on_and_writes_are_busy_until_there_is_room(
    disk_of_its_own, tmp_path, prepared, library
):
    with disk_of_its_own(tmp_path, prepared, library) as (server, full):
        go_through(server, full)


def test_control_a_server_that_does_not_come_back_is_noticed(disk, tmp_path):
    server = Served(tmp_path / "data", disk, (*ALTERED, "stuck"))
    with server, pytest.raises(AssertionError, match="UNKNOWN"):
        go_through(server, lambda: nothing_longer(disk))


def go_through(server: Served, full: Full) -> None:
    """Write and read before, while and after there is no room."""
    writers = several("full")
    with plain_client() as client:
        assert {Outcome.DONE} == {writer.write(client, server.url) for writer in writers}
        seconds = [filled_up(server, client, full, writers)]
        while seconds[-1] > faults.HEALTHY_SECONDS and len(seconds) < TRIES:
            seconds.append(filled_up(server, client, full, writers))
    assert min(seconds) < faults.HEALTHY_SECONDS
    faults.compare(server, writers)
    assert server.process.poll() is None


def filled_up(server: Served, client: httpx2.Client, full: Full, writers: list[Writer]) -> float:
    """Write and read while there is no room; return in how many seconds all can write again once there is some."""
    clients = server.clients()
    with full():
        ends = time.monotonic() + FULL_SECONDS
        while time.monotonic() < ends or {Outcome.BUSY} != {writer.outcomes[-1] for writer in writers}:
            assert time.monotonic() < ends + faults.PATIENCE
            for writer in writers:
                assert writer.write(client, server.url) in (Outcome.DONE, Outcome.BUSY)
            reads = (clients.udesk.get("/agents"), clients.kf5.get("/users.json"), clients.servicego.get("/v1/user/1"))
            assert {Outcome.DONE} == {outcome_of(read) for read in reads}
        assert client.get(f"{server.url}/live").status_code == 200
    clients.close()
    began = time.monotonic()
    while {Outcome.DONE} != {writer.write(client, server.url) for writer in writers}:
        assert time.monotonic() - began < faults.PATIENCE
    return time.monotonic() - began
