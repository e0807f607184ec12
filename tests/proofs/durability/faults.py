"""Writing while the disk fails: every answer is compared with what is there afterwards."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.disk import Calls, Disk, Fault
from tests.proofs.durability import image
from tests.proofs.durability.served import Served, plain_client
from tests.proofs.durability.writers import DIALECTS, Lost, Outcome, Writer
from tests.proofs.tries import TRIES

HEALTHY_SECONDS = 5.0  # after the end of a fault, in one of three tries
NEVER = 4 * HEALTHY_SECONDS
PATIENCE = 60.0  # seconds for what happens at once on an idle machine
LASTING = 0.15  # seconds of a fault that stays


class Struck(NamedTuple):
    """What came of one fault."""

    outcomes: Counter[Outcome]  # of what was under way or sent until it was over
    failed: int  # calls that failed
    seconds: float  # from the end of the fault to the first write that was done


def strike(
    server: Served, disk: Disk, fault: Fault, skip: int, times: int, writers: Sequence[Writer], calls: Calls = Calls.ALL
) -> Struck:
    """Let the disk fail while all writers write.

    Raises Lost if an answer was not the truth, or if it takes too long until a write is done, three times running.
    """
    for _ in range(TRIES):
        struck = _struck(server, disk, fault, skip, times, writers, calls)
        if struck.seconds < HEALTHY_SECONDS:
            return struck
    raise Lost(f"no write was done within {HEALTHY_SECONDS} s of the fault's end: {server.log[-500:]}")


def _struck(
    server: Served, disk: Disk, fault: Fault, skip: int, times: int, writers: Sequence[Writer], calls: Calls
) -> Struck:
    stop = threading.Event()
    before = [len(writer.outcomes) for writer in writers]
    threads = [threading.Thread(target=_go_on, args=(writer, server, stop)) for writer in writers]
    disk.fail(fault, skip, times, calls)
    for thread in threads:
        thread.start()
    patience = time.monotonic() + PATIENCE
    while not disk.failed:
        assert time.monotonic() < patience, "no call has failed"
        time.sleep(0.002)
    time.sleep(LASTING if times < 0 else 0)
    disk.mend()
    ended = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join()
    seconds = _healthy(server, ended)
    compare(server, writers)
    outcomes = Counter(o for writer, n in zip(writers, before, strict=True) for o in writer.outcomes[n:])
    return Struck(outcomes, disk.failed, seconds)


def compare(server: Served, writers: Sequence[Writer]) -> None:
    """Compare what every writer knows with what is there, and find out what became of what is in doubt. Raises Lost."""
    now = image.taken(server.folder)
    if now.tables != now.log:
        raise Lost(f"the log and the tables differ: {sorted(now.tables ^ now.log)}")
    with plain_client() as client:
        for writer in writers:
            own, possible = now.of(writer.tag), writer.possible()
            if own not in possible:
                raise Lost(
                    f"{writer.tag} lacks {possible[0] - own} and has {own - possible[0]}: {writer.outcomes[-4:]}"
                )
            writer.settle(client, server.url, own)


def several(prefix: str, passwords: bool = False) -> list[Writer]:
    """Return two writers for each dialect."""
    return [Writer(d, f"{prefix}{d}{n}-", n, passwords) for d in DIALECTS for n in range(2)]


def _go_on(writer: Writer, server: Served, stop: threading.Event) -> None:
    with plain_client() as client:
        while not stop.is_set() and writer.write(client, server.url) in (Outcome.DONE, Outcome.BUSY):
            pass


def _healthy(server: Served, since: float) -> float:
    """Wait until a write is done; return after how many seconds. Raises Lost if none ever is."""
    writer = Writer("kf5", f"healthy{since:.6f}-".replace(".", "-"), 1)
    with plain_client() as client:
        while writer.write(client, server.url) is not Outcome.DONE:
            if time.monotonic() - since > NEVER:
                raise Lost(f"no write was done within {NEVER} s of the fault's end: {server.log[-500:]}")
            time.sleep(0.02)
    return time.monotonic() - since
