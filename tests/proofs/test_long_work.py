"""A check and a backup of a served company of 100,000 agents hold up no write for a second, and leave none in doubt."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from tests.proofs.durability.served import Served, environment
from tests.proofs.load.company import ADMIN
from tests.proofs.tries import in_one_of_three_tries

pytestmark = [pytest.mark.proof, pytest.mark.once]  # on PostgreSQL others read and write by other connections

LIMIT = 1.0  # seconds that a write may wait, beyond the longest of those that were made just before
QUIET = 5.0  # seconds
ALTERED = ("-m", "tests.proofs.durability.altered", "in_place")


class Waits(NamedTuple):
    """How long writes and reads took, in seconds, and what was answered to them."""

    writes: list[float]
    reads: list[float]
    statuses: Counter[int]

    @property
    def longest(self) -> float:
        return max(self.writes)

    def told(self) -> str:
        self.reads.sort()
        slow = self.reads[int(0.99 * len(self.reads))]
        return (
            f"{len(self.writes)} writes, the longest {self.longest:.3f} s; "
            f"{len(self.reads)} reads, 99 % within {slow:.3f} s; {dict(self.statuses)}"
        )


@pytest.mark.parametrize("command", ["doctor", "backup"])
def test_a_check_and_a_backup_hold_up_no_write_and_leave_none_in_doubt(own_large_folder: Path, command: str) -> None:
    with Served(own_large_folder) as server:

        @in_one_of_three_tries
        def held() -> None:
            quiet = while_running(server, ["-c", f"import time; time.sleep({QUIET})"])
            waits = while_running(server, arguments(command, own_large_folder))
            print(f"quiet: {quiet.told()}\n{command}: {waits.told()}")

            assert {200, 201} >= set(waits.statuses), waits.told()
            assert waits.longest < LIMIT + quiet.longest, waits.told()

        held()


def test_control_a_check_in_the_thread_that_writes_is_noticed(own_large_folder: Path) -> None:
    with Served(own_large_folder, program=ALTERED) as server:

        @in_one_of_three_tries
        def noticed() -> None:
            quiet = while_running(server, ["-c", f"import time; time.sleep({QUIET})"])
            waits = while_running(server, arguments("doctor", own_large_folder))
            print(f"quiet: {quiet.told()}\nin place: {waits.told()}")

            assert waits.longest > LIMIT + quiet.longest

        noticed()


def arguments(command: str, data: Path) -> list[str]:
    where = [str(data.with_name(f"backup-{time.monotonic_ns()}"))] if command == "backup" else []
    return ["-m", "deskroster", command, *where, "--data", str(data)]


def while_running(server: Served, program: Sequence[str]) -> Waits:
    """Write and read until a program ends, which it must do well."""
    ended = threading.Event()
    waits = Waits([], [], Counter())
    threads = [threading.Thread(target=go_on, args=(server, kind, waits, ended)) for kind in ("plain", "key", "read")]
    process = subprocess.Popen(
        [sys.executable, *program], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    for thread in threads:
        thread.start()
    said, _ = process.communicate()
    ended.set()
    for thread in threads:
        thread.join()
    assert 0 == process.returncode, said.decode()
    return waits


def go_on(server: Served, kind: str, waits: Waits, ended: threading.Event) -> None:
    with server.clients(ADMIN).kf5 as client:
        while not ended.is_set():
            began = time.perf_counter()
            status = read(client) if kind == "read" else write(client, kind)
            (waits.reads if kind == "read" else waits.writes).append(time.perf_counter() - began)
            waits.statuses[status] += 1
            time.sleep(0.01)


def read(client: httpx2.Client) -> int:
    return client.get("/groups.json").status_code


def write(client: httpx2.Client, kind: str) -> int:
    name = f"{kind}-{time.monotonic_ns()}"
    headers = {"Idempotency-Key": name} if kind == "key" else {}
    return client.post("/groups.json", json={"group": {"name": name}}, headers=headers).status_code
