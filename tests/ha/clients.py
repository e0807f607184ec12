"""Clients of both processes at once: those that write, those that only look, and one that sends again what was used."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2

from deskroster.testing import Account
from tests.contracts import BY_NAME, CONTRACTS, lists
from tests.ha import views
from tests.ha.desks import Desk
from tests.ha.notes import Notes
from tests.ha.views import LOOKS, Record
from tests.proofs.durability.served import plain_client
from tests.proofs.durability.world import View
from tests.proofs.durability.writers import DIALECTS, Outcome, Writer, again, auth_of, made_id, outcome_of

PACE = 0.03  # seconds between two turns
SPENDING = {name: contract.doubts["replay"] for name, contract in CONTRACTS.items() if "replay" in contract.doubts}
"""Dialects whose requests have a nonce, and the code for one that was used."""


class Client(threading.Thread):
    """One that takes turns until told to stop. What goes wrong is noted, and ends it."""

    def __init__(self, desks: Sequence[Desk], account: Account, notes: Notes, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._desks = desks
        self._account = account
        self._notes = notes
        self._stopped = stop
        self._random = random.Random()

    def run(self) -> None:
        with plain_client() as self._http:
            while not self._stopped.is_set():
                try:
                    self.turn()
                except (AssertionError, LookupError, TypeError, ValueError) as error:
                    self._notes.find("wrong answers", f"{type(error).__name__}: {error}")
                self._stopped.wait(PACE)

    def turn(self) -> None:
        raise NotImplementedError

    def _two(self) -> tuple[Desk, Desk]:
        first, second = self._random.sample(self._desks, 2)
        return (first, second) if first.up else (second, first)

    def _look(self, desk: Desk, record: Record, judge: Callable[[View | None], bool], due: str) -> None:
        """Have a record shown by some dialect, and note it as stale if it should not be shown so."""
        dialect = self._random.choice(list(LOOKS[record.kind]))
        look = LOOKS[record.kind][dialect]
        request = self._signed(dialect, desk.url + BY_NAME[dialect].prefix + look.path.format(record.id))
        try:
            with self._notes.timed():
                answer = self._http.send(request)
        except httpx2.TransportError:
            return
        if outcome_of(answer) in (Outcome.BUSY, Outcome.UNKNOWN):
            self._notes.count("reads put off")
            return
        if dialect in SPENDING:
            self._notes.spent.append((dialect, request))
        self._notes.count("reads")
        view = views.shown(dialect, answer, look)
        if not judge(view):
            self._notes.find("stale reads", f"{record} is shown by {desk.url} as {view}, and is {due}")

    def _signed(self, dialect: str, url: str) -> httpx2.Request:
        auth = auth_of(dialect, self._account, self._random)
        return next(auth.auth_flow(httpx2.Request("GET", url, headers={"Accept-Language": "en"})))


class Writing(Client):
    """Writes through one dialect to either process, and looks at the other what came of it."""

    def __init__(self, dialect: str, tag: str, *shared: object) -> None:
        super().__init__(*shared)
        self._dialect = dialect
        self._tag = tag
        self.writers = [self._fresh(0)]  # the last one writes

    def turn(self) -> None:
        here, there = self._two()
        writer = self.writers[-1]
        before = writer.world.copy()
        with self._notes.timed():
            outcome = writer.write(self._http, here.url)
        if outcome is Outcome.DONE:
            self._done(here, writer.answered[-1])
            for record in views.changed(before, writer.world):
                due = views.due(writer.world, record)
                self._look(there if there.up else here, record, lambda view, due=due: view == due, f"{due}")
        elif outcome is Outcome.REFUSED:
            self._notes.find("wrong answers", f"refused {writer.refusal}")
        elif outcome is not Outcome.BUSY:
            self._notes.count("in doubt")
            self._ask_again(there, here)

    def _done(self, desk: Desk, request: httpx2.Request) -> None:
        self._notes.acknowledge(desk)
        if self._dialect in SPENDING:
            self._notes.spent.append((self._dialect, request))

    def _ask_again(self, *desks: Desk) -> None:
        """Find out by its idempotency key what was made. What makes nothing has no key: it stays in doubt."""
        writer = self.writers[-1]
        assert writer.doubtful is not None
        call = writer.doubtful[1]
        answers = [answer for desk in desks if call.id_at and (answer := self._insist(desk))]
        if not answers:
            self.writers.append(self._fresh(len(self.writers)))
            return
        if len({answer.text.replace(f"{answer.request.url.port}", "") for answer in answers}) > 1:
            self._notes.find("done twice", " and ".join(answer.text for answer in answers))
        call.effect(writer.world, made_id(answers[0], call))
        writer.doubtful = None
        self._notes.count("found by key")

    def _insist(self, desk: Desk) -> httpx2.Response | None:
        """Ask a process under the key until it knows; None if told to stop before it does."""
        while not self._stopped.is_set():
            try:
                with self._notes.timed():
                    answer = self.writers[-1].repeat(self._http, desk.url)
            except httpx2.TransportError:
                self._stopped.wait(PACE)
                continue
            outcome = outcome_of(answer)
            if outcome is Outcome.DONE:
                self._done(desk, answer.request)
                return answer
            assert outcome is not Outcome.REFUSED, f"{self._dialect} refused under its key by {desk.url}: {answer.text}"
            self._stopped.wait(PACE)
        return None

    def _fresh(self, number: int) -> Writer:
        tag = f"{self._tag}{self._dialect}-{number}-"
        return Writer(self._dialect, tag, self._random.random(), account=self._account)


class Looking(Client):
    """Looks at what the others have written, at any moment."""

    def __init__(self, writing: Sequence[Writing], *shared: object) -> None:
        super().__init__(*shared)
        self._writing = writing

    def turn(self) -> None:
        desk, _ = self._two()
        writer = self._random.choice(self._random.choice(self._writing).writers)
        records = views.records(writer.world)
        if not records:
            return
        record = self._random.choice(records)
        due = views.due(writer.world.copy(), record)
        if due is None:
            return

        def judge(view: View | None) -> bool:
            if view is None:
                return views.may_be_gone(writer, record)
            return _count(view.name, writer) >= _count(due.name, writer)

        self._look(desk, record, judge, f"{due} or later")


def _count(name: str, writer: Writer) -> int:
    """Return the number of the writer's call that gave this name."""
    assert name.startswith(writer.tag), name
    return int(name.removeprefix(writer.tag))


class Replaying(Client):
    """Sends again what was signed with a nonce and answered, and sends something new to both processes at once."""

    def turn(self) -> None:
        spent = [*self._notes.spent_before, *self._notes.spent]
        if spent:
            replay(self._http, *self._random.choice(spent), self._two()[0], self._notes)
        dialect = self._random.choice([*SPENDING])
        with ThreadPoolExecutor(2) as pool:
            request = self._signed(dialect, self._desks[0].url + lists(dialect))
            answers = [*pool.map(lambda desk: self._sent(again(request, desk.url)), self._desks)]
        taken = [answer for answer in answers if answer and outcome_of(answer) is Outcome.DONE]
        if len(taken) > 1:
            self._notes.find("replays taken", f"{request.url} by both at once")

    def _sent(self, request: httpx2.Request) -> httpx2.Response | None:
        try:
            return self._http.send(request)
        except httpx2.TransportError:
            return None


def replay(http: httpx2.Client, dialect: str, request: httpx2.Request, desk: Desk, notes: Notes) -> bool:
    """Send a request again; return whether it was answered."""
    try:
        answer = http.send(again(request, desk.url))
    except httpx2.TransportError:
        return False
    if outcome_of(answer) in (Outcome.BUSY, Outcome.UNKNOWN):
        return False
    notes.count("replays")
    if answer.json()["code"] != SPENDING[dialect]:
        notes.find("replays taken", f"{request.method} {request.url} by {desk.url}: {answer.text}")
    return True


def writing(tag: str, *shared: object) -> list[Writing]:
    """Return two that write through each dialect."""
    return [Writing(dialect, f"{tag}{n}", *shared) for dialect in DIALECTS for n in range(2)]
