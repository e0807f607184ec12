"""Login passwords: hashed with Argon2id in a thread pool, cached once they are verified, and rate-limited.

All times are seconds of a monotonic clock. All counts are of this process.
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

MAX_FAILURES = 20  # per window, for one account or one address
MAX_MISSES = 100  # per window, for one account from an address where it has signed in lately
WINDOW = 60  # seconds
CACHE_SECONDS = 300  # in which a verified password is not hashed again
KNOWN_SECONDS = 8 * 86_400  # since the last sign-in from an address: others cannot lock it out; covers a weekly job
MAX_CACHED_ACCOUNTS = 10_000
MAX_ADDRESSES = 16  # in the cache, per account
MAX_COUNTERS = 50_000  # of failures, for accounts and addresses
MAX_ADDRESS = 64  # characters of an address that is no IP address
MAX_HASHES = 2  # at the same time; each takes 64 MiB and up to four threads for some tens of milliseconds


class TooManyGuesses(Exception):
    """An account or an address has failed too often; the next attempt is allowed in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _SignIn(NamedTuple):
    """The last sign-in of an account from an address."""

    digest: bytes  # of the password and its hash
    fresh_until: float  # until then the password is not hashed again
    known_until: float  # until then the password is accepted although others guess


_NO_SIGN_IN = _SignIn(bytes(32), 0.0, 0.0)
_NO_SIGN_INS: Mapping[str, _SignIn] = {}
_NO_MISSES = ("misses", None, "")  # counted where nobody has signed in, so that it takes as long


class Passwords:
    """Hashes and verifies passwords. Nothing else does."""

    def __init__(self) -> None:
        self._hasher = Argon2Hasher()
        self._thread_pool = ThreadPoolExecutor(MAX_HASHES, thread_name_prefix="argon2")
        self._semaphore = asyncio.Semaphore(MAX_HASHES)
        self._process_key = secrets.token_bytes(32)
        self._cache: OrderedDict[Hashable, OrderedDict[str, _SignIn]] = OrderedDict()  # by account and address
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._decoy: str | None = None  # a hash of a random password, verified where there is no account

    async def hash(self, password: str) -> Secret:
        """Return the Argon2id hash of a password."""
        return Secret(await self._in_thread(self._hasher.hash, password))

    async def verify(self, account: Hashable, password: str, stored: Secret | None, address: str, now: float) -> bool:
        """Return whether `stored` is the hash of the password. None, for no account, takes as long as a wrong password.

        Raises TooManyGuesses, unless this account has signed in from this address lately, with this password.
        """
        address = network(address)
        if self._is_cached(account, password, stored, address, now):
            return True
        async with self._semaphore:
            # The calls before this one may have cached the password, or reached a limit.
            if self._is_cached(account, password, stored, address, now):
                return True
            return await self._verify_hash(account, password, stored, address, now)

    def failed(self, account: Hashable, address: str, now: float) -> None:
        """Count a failure for its address and, as long as the address is below its limit, for the account.

        So one address cannot evict the counters of others by guessing at account after account.
        """
        if not self._seconds_to_wait(("address", address), now):
            self._count(account, now)
        self._count(("address", address), now)

    def close(self) -> None:
        self._thread_pool.shutdown(wait=False, cancel_futures=True)

    def _is_cached(self, account: Hashable, password: str, stored: Secret | None, address: str, now: float) -> bool:
        """Return whether a password was verified less than CACHE_SECONDS ago.

        Raises TooManyGuesses where a limit is reached, for every password but the one that signed in from this address.
        So a wrong one gets the same answer, in the same time, whether the account exists and has signed in from there
        or not.
        """
        sign_in = self._cache.get(account, _NO_SIGN_INS).get(address, _NO_SIGN_IN)
        same = compare_digest(sign_in.digest, self._digest(password, stored)) and stored is not None
        try:
            self._check_rate(account, address, now)
        except TooManyGuesses:
            known = now < sign_in.known_until
            misses = ("misses", account, address) if known else _NO_MISSES
            if self._seconds_to_wait(misses, now):
                raise
            if not (same and known):
                self._count(misses, now, MAX_MISSES)
                raise
        return same and now < sign_in.fresh_until

    async def _verify_hash(
        self, account: Hashable, password: str, stored: Secret | None, address: str, now: float
    ) -> bool:
        if self._decoy is None:
            self._decoy = await self._in_thread(self._hasher.hash, secrets.token_urlsafe(32))
        wanted = self._decoy if stored is None else stored.reveal()
        right = await self._in_thread(self._hasher.verify, password, wanted) and stored is not None
        if right and stored is not None:
            self._store(account, password, stored, address, now)
        else:
            self.failed(account, address, now)
        return right

    def _count(self, key: Hashable, now: float, limit: int = MAX_FAILURES) -> None:
        self._failures.setdefault(key, deque(maxlen=limit)).append(now)
        self._failures.move_to_end(key)
        while len(self._failures) > MAX_COUNTERS:
            self._failures.popitem(last=False)

    def _check_rate(self, account: Hashable, address: str, now: float) -> None:
        for key in (account, ("address", address)):
            if seconds := self._seconds_to_wait(key, now):
                raise TooManyGuesses(seconds)

    def _seconds_to_wait(self, key: Hashable, now: float) -> int:
        """Return the seconds until the next attempt is allowed; 0 if it is now."""
        times = self._failures.get(key)
        if times is None or len(times) != times.maxlen or now - times[0] >= WINDOW:
            return 0
        return max(1, math.ceil(times[0] + WINDOW - now))

    def _store(self, account: Hashable, password: str, stored: Secret, address: str, now: float) -> None:
        sign_ins = self._cache.setdefault(account, OrderedDict())
        sign_ins[address] = _SignIn(self._digest(password, stored), now + CACHE_SECONDS, now + KNOWN_SECONDS)
        sign_ins.move_to_end(address)
        self._cache.move_to_end(account)
        while len(sign_ins) > MAX_ADDRESSES:
            sign_ins.popitem(last=False)
        while len(self._cache) > MAX_CACHED_ACCOUNTS:
            self._cache.popitem(last=False)

    def _digest(self, password: str, stored: Secret | None) -> bytes:
        hashed = "" if stored is None else stored.reveal()
        secret = f"{hashed}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(secret, key=self._process_key, digest_size=32).digest()

    async def _in_thread(self, function: Callable[..., T], *arguments: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread_pool, function, *arguments)


def network(address: str) -> str:
    """Return what counts as one address: for IPv6 the /64 network, as a subscriber has at least that many addresses."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:MAX_ADDRESS]
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64" if parsed.ipv4_mapped is None else str(parsed.ipv4_mapped)
    return str(parsed)
