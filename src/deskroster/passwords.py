"""Login passwords: hashed with Argon2id off the event loop, remembered while their hash stands, guessed only slowly.

All times are those of a clock that only goes forward, in seconds. All counts are those of this process.
"""

import asyncio
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, TypeVar

from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.core.records import Secret

T = TypeVar("T")

MAX_FAILURES = 20  # in a window, for one account or one address
MAX_MISSES = 100  # in a window, for one account from an address where it has signed in lately
WINDOW = 60  # seconds
REMEMBERED_FOR = 300  # seconds in which a password that was verified is not hashed again
KNOWN_FOR = 8 * 86_400  # seconds since the last sign-in from an address; a weekly job keeps its way in
MAX_REMEMBERED = 10_000  # accounts
MAX_PLACES = 16  # addresses of one account
MAX_COUNTED = 50_000  # accounts and addresses
MAX_ADDRESS = 64  # characters of an address that is no IP address
AT_ONCE = 2  # hashes; each takes 64 MiB and up to four threads for some tens of milliseconds


class TooManyGuesses(Exception):
    """An account or an address has failed too often; the next guess is heard in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Place(NamedTuple):
    """Where an account has signed in: a digest of the password and its hash, and how long that counts for what."""

    digest: bytes
    fresh_until: float  # served without hashing
    known_until: float  # heard although others are guessing


_NOWHERE = _Place(bytes(32), 0.0, 0.0)
_NOTHING: Mapping[str, _Place] = {}
_NO_MISSES = ("misses", None, "")  # counted where nobody has signed in, so that it costs the same


class Passwords:
    """The one place where passwords are hashed and compared."""

    def __init__(self) -> None:
        self._hasher = Argon2Hasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._process_key = secrets.token_bytes(32)
        self._remembered: OrderedDict[Hashable, OrderedDict[str, _Place]] = OrderedDict()
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._nobody: str | None = None  # a hash that no password has, compared with where there is no account

    async def hash(self, password: str) -> Secret:
        """Return the Argon2id hash of a password."""
        return Secret(await self._off_loop(self._hasher.hash, password))

    async def verify(self, account: Hashable, password: str, stored: Secret | None, address: str, now: float) -> bool:
        """Tell whether `stored` is the hash of the password; a stranger (None) costs as much as a wrong one.

        Raises TooManyGuesses, unless this account has signed in from this address lately, with this password.
        """
        address = network(address)
        if self._recognizes(account, password, stored, address, now):
            return True
        async with self._turns:  # many at once are judged by what those before them turned out to be
            if self._recognizes(account, password, stored, address, now):
                return True
            return await self._verified(account, password, stored, address, now)

    def failed(self, account: Hashable, address: str, now: float) -> None:
        """Count a wrong guess: against its address, and, until that is slowed down, against the account.

        So one address cannot make the counts of others be forgotten by guessing at account after account.
        """
        if not self._waits(("address", address), now):
            self._count(account, now)
        self._count(("address", address), now)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _recognizes(self, account: Hashable, password: str, stored: Secret | None, address: str, now: float) -> bool:
        """Tell whether a password was verified so lately that it need not be hashed.

        Raises TooManyGuesses where guesses wait, for every password but the one that signed in from there. So a wrong
        one is answered alike, and at the same cost, whether the account exists and has signed in from there or not.
        """
        place = self._remembered.get(account, _NOTHING).get(address, _NOWHERE)
        same = compare_digest(place.digest, self._digest(password, stored)) and stored is not None
        try:
            self._slow_down(account, address, now)
        except TooManyGuesses:
            known = now < place.known_until
            misses = ("misses", account, address) if known else _NO_MISSES
            if self._waits(misses, now):
                raise
            if not (same and known):
                self._count(misses, now, MAX_MISSES)
                raise
        return same and now < place.fresh_until

    async def _verified(
        self, account: Hashable, password: str, stored: Secret | None, address: str, now: float
    ) -> bool:
        if self._nobody is None:
            self._nobody = await self._off_loop(self._hasher.hash, secrets.token_urlsafe(32))
        wanted = self._nobody if stored is None else stored.reveal()
        right = await self._off_loop(self._hasher.verify, password, wanted) and stored is not None
        if right and stored is not None:
            self._remember(account, password, stored, address, now)
        else:
            self.failed(account, address, now)
        return right

    def _count(self, key: Hashable, now: float, most: int = MAX_FAILURES) -> None:
        self._failures.setdefault(key, deque(maxlen=most)).append(now)
        self._failures.move_to_end(key)
        while len(self._failures) > MAX_COUNTED:
            self._failures.popitem(last=False)

    def _slow_down(self, account: Hashable, address: str, now: float) -> None:
        for key in (account, ("address", address)):
            if seconds := self._waits(key, now):
                raise TooManyGuesses(seconds)

    def _waits(self, key: Hashable, now: float) -> int:
        """Return the seconds until the next guess is heard, 0 if it is now."""
        times = self._failures.get(key)
        if times is None or len(times) != times.maxlen or now - times[0] >= WINDOW:
            return 0
        return max(1, math.ceil(times[0] + WINDOW - now))

    def _remember(self, account: Hashable, password: str, stored: Secret, address: str, now: float) -> None:
        places = self._remembered.setdefault(account, OrderedDict())
        places[address] = _Place(self._digest(password, stored), now + REMEMBERED_FOR, now + KNOWN_FOR)
        places.move_to_end(address)
        self._remembered.move_to_end(account)
        while len(places) > MAX_PLACES:
            places.popitem(last=False)
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _digest(self, password: str, stored: Secret | None) -> bytes:
        hashed = "" if stored is None else stored.reveal()
        secret = f"{hashed}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(secret, key=self._process_key, digest_size=32).digest()

    async def _off_loop(self, work: Callable[..., T], *arguments: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def network(address: str) -> str:
    """Return what is counted as one address: of IPv6 the first 64 bits, as a subscriber has at least so many."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:MAX_ADDRESS]
    if isinstance(found, IPv6Address):
        return f"{IPv6Address(int(found) >> 64 << 64)}/64" if found.ipv4_mapped is None else str(found.ipv4_mapped)
    return str(found)
