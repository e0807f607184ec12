"""Desk: what a dialect is handed for one company. Desks: finds a company and loads it on first use."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from hmac import compare_digest
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from deskroster.clocks import Clock
from deskroster.core import access, keys
from deskroster.core.access import Caller, Identity, Verb
from deskroster.core.changes import Done, Origin
from deskroster.core.problems import Busy, Doubt, Unauthenticated
from deskroster.core.records import Company, Language, Secret
from deskroster.core.roster import Roster
from deskroster.core.text import MAX_EMAIL, MAX_PASSWORD, may_be_email
from deskroster.ledger import Last, Ledger, Store, Work
from deskroster.ledger.beside.last_seen import Observed
from deskroster.ledger.engines import REQUEST_TIMEOUT
from deskroster.passwords import Passwords

MAX_HOSTS = 10_000  # remembered with their company
MAX_HOST = 260  # characters of one that is remembered: a name of 253, a colon and a port

Shape = Callable[[Roster, Done], bytes]
"""Makes the reply to a verb, of what it did."""


class Signed(Struct, frozen=True, gc=False):
    """Proof that a request was made with a key. Its nonce, if it has one, is still to be spent."""

    identity: Identity
    nonce: str | None = None
    form: str = ""


class Keyed(NamedTuple):
    """An idempotency key: whose it is, and with which request it came."""

    caller: str
    key: str
    request: bytes


class Login(Struct, frozen=True, gc=False):
    """The claim that a password is an agent's, still to be verified."""

    email: str
    password: str
    nonce: None = None  # there is none to spend


Proof = Signed | Login


class Admitted(Struct, frozen=True, gc=False):
    """Who asks, and the nonce that the request has spent, if it has one."""

    identity: Identity
    nonce: str | None = None


class HasAddress(Protocol):
    """A request, as far as a desk has to know it: the address of its client."""

    @property
    def address(self) -> str: ...


A = TypeVar("A", bound=HasAddress)


class Desk:
    """One company: its roster to read, `submit` for verbs, `authenticate`, and the clock."""

    def __init__(self, ledger: Ledger, store: Store, passwords: Passwords, clock: Clock) -> None:
        self.roster = ledger.roster
        self._ledger = ledger
        self._store = store
        self._passwords = passwords
        self._clock = clock

    def now(self) -> int:
        return int(self._clock())

    async def authenticate(self, prove: Callable[[A, Roster, int], Proof], request: A) -> Admitted:
        """Return who asks. Raises Unauthenticated, TooManyGuesses or Busy, and what `prove` raises.

        `prove` is a dialect's pure reading of the credentials. They are checked, then the roster is brought up to date
        with the database, and they are checked again if that has changed it. Only a right signature spends its nonce.
        """
        roster, now = self.roster, int(self._clock())
        number, nonce, unused = roster.number, None, True
        try:
            proof = prove(request, roster, now)
        except Unauthenticated:
            await self.fresh()
            if roster.number == number:
                raise
        else:
            nonce = proof.nonce
            unused = await self.fresh(nonce)
        if roster.number != number:
            proof = prove(request, roster, now)
            if proof.nonce != nonce:
                unused = await self.fresh(proof.nonce)
        if isinstance(proof, Signed):
            return Admitted(self._signed_by(proof, unused, now), proof.nonce)
        return Admitted(await self.log_in(proof, request.address))

    async def fresh(self, nonce: str | None = None) -> bool:
        """Catch up with all that was durable at the call; spend a nonce, False if it was used before. Raises Busy."""
        unused = self._store.fresh(self._ledger, nonce)
        return unused if isinstance(unused, bool) else await unused

    async def release(self, nonce: str) -> None:
        """Make a nonce unused again: the request that has spent it is refused, and may be sent again as it is."""
        await self._store.release(self.roster.company.id, nonce)

    def _signed_by(self, proof: Signed, unused: bool, now: int) -> Identity:
        if not unused:
            raise Unauthenticated(Doubt.NONCE_USED)
        if proof.identity.key_id is not None:
            self._ledger.key_used(proof.identity.key_id, proof.form, now)
        return proof.identity

    async def log_in(self, login: Login, address: str) -> Identity:
        """Verify a password; return whose it is. Raises Unauthenticated or TooManyGuesses.

        A live key of the same agent in the password's place is refused, and is no guess.
        """
        roster, now = self.roster, self._clock.steady()
        password = login.password[: MAX_PASSWORD + 1]  # a longer one nobody has, however much of it is read
        if self._is_key(login.email, password):
            raise Unauthenticated(Doubt.WRONG)
        agent = roster.agents.get(roster.by_email.get(login.email.lower(), 0)) if may_be_email(login.email) else None
        stored = agent.password if agent is not None and agent.active else None
        right = await self._passwords.verify(self._account(login.email), password, stored, address, now)
        if not right or agent is None or stored is None:
            raise Unauthenticated(Doubt.WRONG)
        self._ledger.logged_in(agent.id, self.now())
        return Identity(agent_id=agent.id, password_hash=stored.reveal())

    def _is_key(self, email: str, secret: str) -> bool:
        given = secret.encode("utf-8", "surrogatepass")
        is_key = False
        for key in keys.tried(self.roster, email, None, self.now()):
            is_key |= compare_digest(key.secret.reveal().encode(), given) and key.id > 0
        return is_key

    def caller(self, identity: Identity) -> Caller:
        """Return what the identity may now. Raises Unauthenticated."""
        return access.resolve(self.roster, identity, int(self._clock()))

    async def count_call(self, limit: int) -> int:
        """Count a call against a limit a minute; return the seconds until there is room, 0 if there is. Raises Busy."""
        seconds = self._store.count_call(self.roster.company.id, limit)
        return seconds if isinstance(seconds, int) else await seconds

    def submit(
        self, identity: Identity | None, origin: Origin, verb: Verb, shape: Shape, once: Keyed | None = None
    ) -> Coroutine[Any, Any, bytes]:
        """Run a verb and return its reply, shaped on the roster as the verb left it, once it is durable.

        Without an identity it is the operator's. Raises the verb's Problem, Busy or Unknown.
        """
        kept = None if once is None else self._ledger.once(*once)
        return self._ledger.submit(Work(identity, origin, verb, shape, kept))

    def last_logins(self, agent_ids: Iterable[int]) -> dict[int, int]:
        """Return when those of the agents that ever did last logged in by password, in Unix seconds."""
        return {id: last.at for id, last in self._ledger.observed.among("agent", agent_ids).items()}

    def last(self, kind: Observed, id: int) -> Last | None:
        """Return when a key was last used, or an agent last logged in."""
        return self._ledger.observed.last(kind, id)

    async def hash_password(self, password: str) -> Secret:
        return await self._passwords.hash(password)

    def _account(self, email: str) -> tuple[str, int, str]:
        return ("account", self.roster.company.id, email[: MAX_EMAIL + 1].lower())  # the limit bounds what is kept


class Desks:
    """All companies of the installation."""

    def __init__(self, store: Store, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock
        self._desks: dict[int, Desk] = {}
        self._of_host: dict[bytes, Desk] = {}
        self.only: Desk | None = None  # where there is one company, and it is loaded
        self.changes = 0  # of the list of companies, as far as this process knows
        self._listed = store.listed
        self._loading: dict[int, asyncio.Task[Desk]] = {}  # by company
        store.listed.changed = self.companies_changed

    def at_hand(self, host: bytes) -> Desk | None:
        """Return the company of a host, as sent, that was found before."""
        return self._of_host.get(host)

    def language(self, host: str) -> Language | None:
        """Return the language of the company that a host names, or of the only one, loaded or not; None without one."""
        company = self._named(host)
        return company.language if company else None

    def origins(self) -> set[str]:
        """Return whose pages may call some company from a browser."""
        return {origin for company in self._listed.all() for origin in company.cors_origins}

    def origins_of(self, host: str) -> Collection[str]:
        """Return whose pages may call the company that a host names, or the only one, from a browser."""
        company = self._named(host)
        return company.cors_origins if company else ()

    async def of_host(self, host: str) -> Desk | None:
        """Return the company that a host names, as `find` does; from now on it is `at_hand` for everybody."""
        desk = await self.find(host)
        if desk is not None and self._named(host) is desk.roster.company:  # it may have another label by now
            self._remember(host.encode("latin-1"), desk)
        return desk

    async def find(self, host: str) -> Desk | None:
        """Return the company that the first label of a host names, or the only one there is."""
        company = self._named(host)
        if company is None and await self._listed.refresh():
            company = self._named(host)
        return None if company is None else await self.of_company(company)

    async def of_email(self, email: str) -> list[Desk]:
        """Return the companies that have an agent with this e-mail; where none has, one to say so at the same cost."""
        first = self._listed.first()
        if first is None or len(self._listed) == 1:
            return [] if first is None else [await self.of_company(first)]
        ids = await self._store.companies_with_email(email[: MAX_EMAIL + 1].lower())
        companies = filter(None, map(self._listed.get, ids))
        return [await self.of_company(company) for company in companies] or [await self.of_company(first)]

    async def of_company(self, company: Company, patience: float | None = REQUEST_TIMEOUT) -> Desk:
        """Return the desk of a company, loaded on first use.

        Raises Busy if that takes longer than `patience` seconds; loading goes on for whoever asks next. None waits for
        as long as it takes.
        """
        desk = self._desks.get(company.id)
        if desk is not None:
            return desk
        loading = self._loading.get(company.id)
        if loading is None:
            loading = self._loading[company.id] = asyncio.get_running_loop().create_task(self._load(company.id))
            loading.add_done_callback(lambda done: self._have_loaded(company.id, done))
        await asyncio.wait([loading], timeout=patience)
        if not loading.done():
            raise Busy
        return loading.result()

    async def _load(self, company_id: int) -> Desk:
        ledger = await self._store.load(company_id)
        desk = self._desks[company_id] = Desk(ledger, self._store, self._passwords, self._clock)
        self._see_whether_only()
        return desk

    def _have_loaded(self, company_id: int, done: asyncio.Task[Desk]) -> None:
        del self._loading[company_id]
        if not done.cancelled():
            done.exception()  # nobody may be waiting for it any more

    def _remember(self, host: bytes, desk: Desk) -> None:
        if len(host) > MAX_HOST:
            return
        if len(self._of_host) >= MAX_HOSTS:
            self._of_host.clear()
        self._of_host[host] = desk

    def _named(self, host: str) -> Company | None:
        """Return the company that the first label of a host names, or the only one there is."""
        if len(self._listed) == 1:
            return self._listed.first()
        return self._listed.labelled(host.partition(":")[0].partition(".")[0].lower())

    def _see_whether_only(self) -> None:
        self.only = next(iter(self._desks.values()), None) if len(self._listed) == 1 else None

    def companies_changed(self) -> None:
        """Forget which host belongs to which company: one was added, or has another label."""
        self.changes += 1
        self._see_whether_only()
        self._of_host.clear()
