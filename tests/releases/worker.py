"""A process of our version or of a later one that writes to an installation, and does what it is told line by line.

It is told by JSON on standard input, and answers by a line of JSON each time.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.releases import later

TOP = Path(__file__).parents[2]


class Worker:
    """The process, as a test sees it. `version` is "ours", "later" or "column"; `broken` says what it does wrong."""

    def __init__(self, folder: Path, url: str | None, version: str, seed: int = 0, broken: str = "") -> None:
        given = {"folder": str(folder), "url": url, "version": version, "seed": seed, "broken": broken}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.releases.worker", json.dumps(given)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TOP,
            env={**os.environ, "PYTHONPATH": str(TOP)},
        )  # fmt: skip

    def __enter__(self) -> Self:
        try:
            assert "ready" == self.answer()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it end, and wait for that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, what: str, count: int = 0) -> None:
        assert self._process.stdin is not None
        print(json.dumps([what, count]), file=self._process.stdin, flush=True)

    def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def asked(self, what: str, count: int = 0) -> Any:
        self.ask(what, count)
        return self.answer()


async def serve(given: dict[str, Any]) -> None:
    """Do what is asked until there is nothing more."""
    from random import Random

    from deskroster.ledger import Damaged, Store, location
    from tests import world
    from tests.ledger.support import NOW, origin

    folder, chance = Path(given["folder"]), Random(given["seed"])
    store = await asyncio.to_thread(Store.open, folder, lambda: NOW, location.engine_at(given["url"]))
    try:
        if store.listed.all():
            ledger = await store.load(1)
        else:
            ledger = await store.create_company(world.COMPANY, world.records(), origin())
    except Damaged as error:
        _say(str(error))
        await store.close()
        return
    _say("ready")
    grown: dict[str, Any] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, count = json.loads(line)
        if what == "write":
            for _ in range(count):
                await _write(store, ledger, chance, grown if given["version"] != "ours" else None)
            _say(grown)
        elif what == "state":
            await store.refresh(ledger)
            _say(_state(ledger.roster))
        elif what == "check":
            _say([[kind, company, str(what)] for kind, company, what in await store.check()])
    await store.close()


async def _write(store: Any, ledger: Any, chance: Any, grown: dict[str, Any] | None) -> None:
    """Run a random verb; in a later version half of them set fields that ours does not know."""
    from contextlib import suppress

    from deskroster.core.problems import Refusal
    from tests import random_verbs
    from tests.ledger.support import work

    if chance.random() < 0.3:
        await store.refresh(ledger)
    if grown is None or chance.random() < 0.5:
        verb = random_verbs.VERBS[chance.randrange(len(random_verbs.VERBS))](chance, ledger.roster)
        with suppress(Refusal):
            await ledger.submit(work(verb)._replace(shape=lambda roster, done: b""))
        return
    kind, id, new = _chosen(ledger.roster, chance)
    growing = work(_growing(kind, id, new))._replace(shape=lambda roster, done: str(len(done)).encode())
    if await ledger.submit(growing) != b"0":
        grown |= {f"{kind} {id} {name}": _plain(value) for name, value in new.items()}


def _chosen(roster: Any, chance: Any) -> tuple[str, int, dict[str, Any]]:
    """Return a record, and what fields that came later are to be; now and then their defaults."""
    from deskroster.core.records import Agent, Secret

    roles, agents = list(roster.roles.ids) or [1], list(roster.agents.ids) or [1]
    text = chance.choice(["", "she", "他", '"quoted"\\ \u2028'])
    if not hasattr(Agent, "pin"):
        return "agent", chance.choice(agents), {"pronouns": text}
    pin = chance.choice([None, Secret("1234"), Secret(str(chance.random()))])
    return chance.choice(
        [
            ("agent", chance.choice(agents), {"pronouns": text}),
            ("agent", chance.choice(agents), {"pronouns": text, "skills": tuple(text), "pin": pin}),
            ("role", chance.choice(roles), {"colour": chance.choice([None, "red", "blue"])}),
            ("company", 1, {"motto": text}),
        ]
    )


def _growing(kind: str, id: int, new: dict[str, Any]) -> Any:
    from deskroster.core.changes import Change, changed

    def verb(roster: Any, caller: object) -> list[Change]:
        record = roster.record(kind, id)
        return [] if record is None else changed(record, **new)

    return verb


def _state(roster: Any) -> dict[str, Any]:
    """Return all that a roster is, by the names of fields, whether they are known or not; secrets revealed."""
    import msgspec

    from deskroster.core.records import KINDS
    from deskroster.ledger.disk import fields

    records = {f"{kind} {one.id}": fields.all_fields(one) for kind in KINDS[1:] for one in roster.table(kind)}
    said = [fields.all_fields(roster.company), records, roster.number, dict(roster.next_ids)]
    return json.loads(msgspec.json.encode(said, enc_hook=lambda secret: secret.reveal()))


def _plain(value: Any) -> Any:
    return value.reveal() if hasattr(value, "reveal") else list(value) if isinstance(value, tuple) else value


def _break(what: str) -> None:
    from deskroster.ledger.disk import checksums, fields

    if what == "drops what it does not know":
        fields.ordered = lambda unknown: ()
    if what == "signs defaults":
        checksums._default = lambda kind, name: object()


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    given = json.loads(sys.argv[1])
    if given["version"] == "later":
        later.become()
    if given["version"] == "column":
        later.become_with_a_column()
    _break(given["broken"])
    asyncio.run(serve(given))


if __name__ == "__main__":
    main()
