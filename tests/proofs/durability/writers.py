"""Writers: each writes agents and groups of its own through one dialect, and knows what must be there of them.

A writer has at most one request under way. So after a crash what is there of its own is what it knew before that
request, or what it would know after it, and nothing in between.
"""

import random
import threading
from enum import Enum
from uuid import uuid4

import httpx2

from deskroster.testing import Account, Signature
from tests.contracts import BY_NAME, CONTRACTS, has_nonce
from tests.proofs.durability.served import Served, plain_client
from tests.proofs.durability.world import Known, World, Write
from tests.world import ADMIN

DIALECTS = [name for name, contract in CONTRACTS.items() if contract.writer is not None]


class Outcome(Enum):
    """What an answer says. `LOST`: there was none."""

    DONE = "done"
    REFUSED = "refused"
    BUSY = "busy"
    UNKNOWN = "unknown"
    LOST = "lost"


class Lost(AssertionError):
    """What is there is not what was answered."""


NEW = 1 << 60  # the id of what was perhaps made


class Writer:
    """Writes through one dialect. `tag` begins every name and address that it ever writes."""

    def __init__(self, dialect: str, tag: str, seed: float, passwords: bool = True, account: Account = ADMIN) -> None:
        self.dialect = dialect
        self.tag = tag
        self.world = World()
        self.doubtful: tuple[httpx2.Request, Write, World] | None = (
            None  # sent, and no answer that says what became of it
        )
        self.answered: list[httpx2.Request] = []  # the last signed requests that got an answer
        self.under_way: Write | None = None
        self.refusal = ""  # the last one's text
        self.outcomes: list[Outcome] = []
        self._random = random.Random(seed)
        self._auth = auth_of(dialect, account, self._random)
        self._passwords = passwords
        self._count = 0

    def possible(self) -> list[Known]:
        """Return what may be found of it."""
        worlds = [self.world] if self.doubtful is None else [self.world, self.doubtful[2]]
        return [world.known() for world in worlds]

    def run(self, server: Served, stop: threading.Event) -> None:
        """Write until told to stop, or until there is no answer."""
        with plain_client() as client:
            while not stop.is_set() and self.write(client, server.url) in (Outcome.DONE, Outcome.BUSY):
                pass

    def write(self, client: httpx2.Client, url: str) -> Outcome:
        """Make one call and take note of what came of it."""
        call = self._next()
        request = self._signed(url, call, uuid4().hex)
        self.under_way = call
        try:
            response = client.send(request)
        except httpx2.TransportError:
            outcome = Outcome.LOST
        else:
            outcome = outcome_of(response)
            self.answered = [*self.answered[-3:], request]
        if outcome in (Outcome.LOST, Outcome.UNKNOWN):
            after = self.world.copy()
            call.effect(after, NEW)
            self.doubtful = request, call, after
        elif outcome is Outcome.DONE:
            call.effect(self.world, made_id(response, call))
        elif outcome is Outcome.REFUSED:
            self.refusal = f"{request.method} {request.url}: {response.text}"
        self.under_way = None
        self.outcomes.append(outcome)
        return outcome

    def repeat(self, client: httpx2.Client, url: str) -> httpx2.Response:
        """Send the doubtful request again, signed anew, under its idempotency key."""
        assert self.doubtful is not None
        request, call, _ = self.doubtful
        return client.send(self._signed(url, call, request.headers["Idempotency-Key"]))

    def settle(self, client: httpx2.Client, url: str, found: Known) -> None:
        """Find out what became of the doubtful request: by what is there, or where it makes something by asking again.

        Asked again under its key it gets its first answer if it was done, and is done now if it was not.
        """
        if self.doubtful is None:
            return
        _, call, after = self.doubtful
        if call.id_at:
            answers = [self.repeat(client, url) for _ in range(2)]
            if {Outcome.DONE} != {outcome_of(answer) for answer in answers} or answers[0].text != answers[1].text:
                raise Lost(f"the same key got {answers[0].text}, then {answers[1].text}")
            call.effect(self.world, made_id(answers[0], call))
        elif found == after.known():
            call.effect(self.world, 0)
        self.doubtful = None

    def _signed(self, url: str, call: Write, key: str) -> httpx2.Request:
        prefix = BY_NAME[self.dialect].prefix
        headers = {"Accept-Language": "en", "Idempotency-Key": key}
        request = httpx2.Request(call.method, url + prefix + call.path, json=call.body, headers=headers)
        return next(self._auth.auth_flow(request))

    def _next(self) -> Write:
        self._count += 1
        fresh = f"{self.tag}{self._count}"
        world = self.world
        agent = self._random.choice(list(world.agents)) if world.agents else 0
        group = self._random.choice(list(world.groups)) if world.groups else 0
        some = sorted(self._random.sample(list(world.groups), min(2, len(world.groups))))
        staff = sorted(self._random.sample(list(world.agents), min(3, len(world.agents))))
        made = CONTRACTS[self.dialect].writer(fresh, agent, group, some, staff)
        calls = {kind: call for kind, call in made.items() if self._passwords or not call.hashes}
        kinds = [kind for kind in calls if kind in ("agent", "group") or (agent if "agent" in kind else group)]
        weights = [1 if kind.startswith("-") else 2 if calls[kind].hashes else 6 for kind in kinds]
        return calls[self._random.choices(kinds, weights)[0]]


def auth_of(dialect: str, account: Account, pick: random.Random) -> Signature:
    """Return a way to sign; of several forms, one that has a nonce."""
    forms = [*CONTRACTS[dialect].forms.values()]
    with_nonce = [form for form in forms if has_nonce(form)]
    return Signature(account, pick.choice(with_nonce) if with_nonce else forms[0])


def outcome_of(response: httpx2.Response) -> Outcome:
    """Return which of the four an answer says."""
    if response.status_code == 503:
        assert response.headers["Retry-After"]
        told = response.text
        assert ("busy" in told) != ("unknown" in told), told
        return Outcome.UNKNOWN if "unknown" in told else Outcome.BUSY
    assert response.status_code < 500, response.text
    prefix = f"/{response.request.url.path.split('/')[1]}"
    answers = next(CONTRACTS[name].answers for name, dialect in BY_NAME.items() if dialect.prefix == prefix)
    done = response.status_code < 300 and response.json().get("code") == answers.success
    return Outcome.DONE if done else Outcome.REFUSED


def again(request: httpx2.Request, url: str) -> httpx2.Request:
    """Return a signed request as it was sent, byte for byte, to be sent to another server."""
    server = httpx2.URL(url)
    headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
    moved = request.url.copy_with(host=server.host, port=server.port)
    return httpx2.Request(request.method, moved, headers=headers, content=request.content)


def made_id(response: httpx2.Response, call: Write) -> int:
    """Return the id of what was made, 0 if the call makes nothing."""
    found = response.json()
    for name in call.id_at.split("."):
        found = found[name] if name else 0
    return int(found)
