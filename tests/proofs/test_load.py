"""Promise 10: 300 signed reads and 30 writes a second at 100,000 agents, without an error, p99 under 100 ms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Server
from tests.proofs.load.holding import RATE, WORK, Held, first_in_turn, hold, serving, witnessing

pytestmark = pytest.mark.proof

SECONDS = 30
SPOILED_SECONDS = 6
LIMIT = 0.100  # seconds, beyond what the machine lets anybody have at the same time
SLACK = 2  # times the witness: how long the slowest of a hundred take is not the same twice
MISSES = 3


def is_slow(held: Held) -> bool:
    return held.p99 > LIMIT + SLACK * held.witness_p99


def tries(server: Server, seconds: int) -> Iterator[Held]:
    """Put the load on a server again and again, beside a witness that takes as much of the machine as it did before."""
    with witnessing(WORK) as witness:
        work = hold(server, witness, SPOILED_SECONDS).work
    for _ in range(MISSES):
        with witnessing(work) as witness:
            held = hold(server, witness, seconds)
        print(held)
        yield held
        work = held.work


def test_300_reads_and_30_writes_a_second_are_held(own_large_folder: Path) -> None:
    with first_in_turn(), serving(own_large_folder) as server:
        for held in tries(server, SECONDS):
            if not is_slow(held) and held.answered > 0.95 * RATE * SECONDS:
                assert 0 == held.refused, held.sample
                assert not held.leaks, held.files
                break
        else:
            pytest.fail(str(held))


def test_control_a_server_that_is_held_up_and_leaks_is_noticed(own_large_folder: Path) -> None:
    with first_in_turn(), serving(own_large_folder, "tests.proofs.load.spoiled") as server:
        for held in tries(server, SPOILED_SECONDS):
            if is_slow(held) and held.leaks:
                break
        else:
            pytest.fail(str(held))
