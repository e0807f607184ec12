"""Promise 10: 300 signed reads and 30 writes a second at 100,000 agents, without an error, p99 under 100 ms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Server
from tests.proofs.load.holding import RATE, Held, hold, idling, serving

pytestmark = pytest.mark.proof

SECONDS = 30
SPOILED_SECONDS = 6
LIMIT = 0.100  # seconds, beyond what an idle server takes at the same time
MISSES = 3


@pytest.fixture(scope="module")
def idle() -> Iterator[Server]:
    with idling() as server:
        yield server


def is_slow(held: Held) -> bool:
    return held.p99 > LIMIT + held.control_p99


def test_300_reads_and_30_writes_a_second_are_held(own_large_folder: Path, idle: Server) -> None:
    with serving(own_large_folder) as server:
        for _ in range(MISSES):
            held = hold(server, idle, SECONDS)
            print(held)
            assert 0 == held.refused, held.sample
            assert not held.leaks, held.files
            if not is_slow(held) and held.answered > 0.95 * RATE * SECONDS:
                break
        else:
            pytest.fail(str(held))


def test_control_a_server_that_is_held_up_and_leaks_is_noticed(own_large_folder: Path, idle: Server) -> None:
    with serving(own_large_folder, "tests.proofs.load.spoiled") as server:
        held = hold(server, idle, SPOILED_SECONDS)
        print(held)

    assert is_slow(held)
    assert held.leaks
