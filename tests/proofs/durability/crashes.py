"""The loop: write through all dialects at once, end the server at a random moment, start it again, and compare."""

import random
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx2

from deskroster.ledger import location
from tests.contracts import CONTRACTS
from tests.faults.disk import Disk
from tests.proofs.durability import image
from tests.proofs.durability.served import SERVER, Served, plain_client
from tests.proofs.durability.world import Known
from tests.proofs.durability.writers import DIALECTS, Lost, Outcome, Writer, again

WRITERS = 2  # for each dialect
LONGEST = 0.6  # seconds of writing in a round


class Found(NamedTuple):
    """What a run of rounds came to."""

    rounds: int
    acknowledged: int
    doubtful: int  # sent, and not answered when the server was killed
    doubtful_done: int  # of these, the ones that were done
    replays: int  # of signed requests used before, refused afterwards


def run(prepared: Path, folder: Path, library: Path, rounds: int, seed: int, program: Sequence[str] = SERVER) -> Found:
    """Run so many rounds on a copy of a folder. Raises Lost. Every other one also loses what SQLite did not sync."""
    data = folder / "data"
    shutil.copytree(prepared, data)
    shared = location.url_of(data)
    disk = Disk(library, folder / "faults", data)
    pick = random.Random(seed)
    foreign = image.taken(data).tables
    writers: list[Writer] = []  # of all rounds
    found = Found(0, 0, 0, 0, 0)
    server = Served(data, disk, program)
    try:
        for round in range(rounds):
            fresh = [Writer(d, f"r{round}{d}{n}-", pick.random()) for d in DIALECTS for n in range(WRITERS)]
            writers += fresh
            _write_until_killed(server, fresh, pick.uniform(0.05, LONGEST))
            if round % 2 and shared is None:
                disk.lose_power(data / "deskroster.db-wal")
            after = image.taken(data)
            settled = _compared(after, foreign, writers)
            server = Served(data, disk, program)
            with plain_client() as client:
                replays = sum(_refuses_replays(client, server, writer) for writer in fresh)
                for writer in fresh:
                    writer.settle(client, server.url, after.of(writer.tag))
                _shows(client, server, fresh, pick)
            found = Found(
                round + 1,
                found.acknowledged + sum(writer.outcomes.count(Outcome.DONE) for writer in fresh),
                found.doubtful + sum(Outcome.LOST in writer.outcomes for writer in fresh),
                found.doubtful_done + settled,
                found.replays + replays,
            )
    finally:
        server.kill()
    return found


def _write_until_killed(server: Served, writers: list[Writer], seconds: float) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(server, stop)) for writer in writers]
    for thread in threads:
        thread.start()
    while not any(writer.outcomes for writer in writers):
        time.sleep(0.005)
    time.sleep(seconds)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()


def _compared(after: image.Image, foreign: Known, writers: list[Writer]) -> int:
    """Compare what is in the files with what every writer knows; return how many doubtful requests were done."""
    if after.tables != after.log:
        raise Lost(f"the log and the tables differ: {sorted(after.tables ^ after.log)}")
    there = done = 0
    for writer in writers:
        own, possible = after.of(writer.tag), writer.possible()
        if own not in possible:
            raise Lost(f"{writer.tag} lacks {possible[0] - own} and has {own - possible[0]} ({writer.doubtful})")
        there += len(own)
        done += len(possible) == 2 and own == possible[1]
    rest = len(after.tables - foreign)
    if there != rest:
        raise Lost(f"there are {rest} agents and groups, and {there} that anybody tried to make")
    return done


def _refuses_replays(client: httpx2.Client, server: Served, writer: Writer) -> int:
    """Send again what was signed with a nonce and answered before the crash. Return how often that was refused."""
    doubts = CONTRACTS[writer.dialect].doubts
    if "replay" not in doubts:
        return 0
    for request in writer.answered:
        replayed = client.send(again(request, server.url))
        if replayed.json()["code"] != doubts["replay"]:
            raise Lost(f"a nonce that was used before the crash is taken after it: {replayed.text}")
    return len(writer.answered)


def _shows(client: httpx2.Client, server: Served, writers: list[Writer], pick: random.Random) -> None:
    """See that the server shows, through each dialect, what a few of the writers know."""
    clients = server.clients()
    for writer in pick.sample(writers, 2):
        for id, (_, name) in list(writer.world.agents.items())[:5]:
            names = set()
            for dialect, contract in CONTRACTS.items():
                if "agent" in contract.looks:
                    look = contract.looks["agent"]
                    names.add(look.read(getattr(clients, dialect).get(look.path.format(id)).json()).name)
            if names != {name}:
                raise Lost(f"agent {id} is shown as {names}, and is {name}")
    clients.close()
