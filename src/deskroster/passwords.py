"""Login passwords: hashed with Argon2id off the event loop, remembered while their hash stands, guessed only slowly."""

import asyncio
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from hmac import compare_digest
from typing import TypeVar

from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.core.records import Secret

T = TypeVar("T")

MAX_FAILURES = 20  # in a window, for one account or one address
WINDOW = 60  # seconds
REMEMBERED_FOR = 300  # seconds
MAX_REMEMBERED = 10_000
MAX_COUNTED = 50_000  # accounts and addresses
AT_ONCE = 2  # hashes; each takes 64 MiB and up to four threads for some tens of milliseconds


class TooManyGuesses(Exception):
    """An account or an address has failed too often; the next guess is heard in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Passwords:
    """The one place where passwords are hashed and compared."""

    def __init__(self) -> None:
        self._hasher = Argon2Hasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._process_key = secrets.token_bytes(32)
        self._remembered: OrderedDict[Hashable, tuple[bytes, float]] = OrderedDict()
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._nobody: str | None = None  # a hash that no password has, compared with where there is no account

    async def hash(self, password: str) -> Secret:
        """Return the Argon2id hash of a password."""
        return Secret(await self._off_loop(self._hasher.hash, password))

    async def verify(self, account: Hashable, password: str, stored: Secret | None, address: str, now: float) -> bool:
        """Tell whether `stored` is the hash of the password; a stranger (None) costs as much as a wrong one.

        Raises TooManyGuesses, unless this password has been verified lately.
        """
        if stored is not None and self._remembers(account, password, stored, now):
            return True
        self._slow_down(account, address, now)
        async with self._turns:  # many at once are judged by what those before them turned out to be
            if stored is not None and self._remembers(account, password, stored, now):
                return True
            self._slow_down(account, address, now)
            return await self._verified(account, password, stored, address, now)

    def failed(self, account: Hashable, address: str, now: float) -> None:
        """Count a wrong guess: against its address, and, until that is slowed down, against the account.

        So one address cannot make the counts of others be forgotten by guessing at account after account.
        """
        if not self._waits(("address", address), now):
            self._count(account, now)
        self._count(("address", address), now)
        while len(self._failures) > MAX_COUNTED:
            self._failures.popitem(last=False)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _verified(
        self, account: Hashable, password: str, stored: Secret | None, address: str, now: float
    ) -> bool:
        if self._nobody is None:
            self._nobody = await self._off_loop(self._hasher.hash, secrets.token_urlsafe(32))
        wanted = self._nobody if stored is None else stored.reveal()
        right = await self._off_loop(self._hasher.verify, password, wanted) and stored is not None
        if right and stored is not None:
            self._remember(account, password, stored, now)
        else:
            self.failed(account, address, now)
        return right

    def _count(self, key: Hashable, now: float) -> None:
        self._failures.setdefault(key, deque(maxlen=MAX_FAILURES)).append(now)
        self._failures.move_to_end(key)

    def _slow_down(self, account: Hashable, address: str, now: float) -> None:
        for key in (account, ("address", address)):
            if seconds := self._waits(key, now):
                raise TooManyGuesses(seconds)

    def _waits(self, key: Hashable, now: float) -> int:
        """Return the seconds until the next guess is heard, 0 if it is now."""
        times = self._failures.get(key)
        if times is None or len(times) < MAX_FAILURES or now - times[0] >= WINDOW:
            return 0
        return max(1, math.ceil(times[0] + WINDOW - now))

    def _remembers(self, account: Hashable, password: str, stored: Secret, now: float) -> bool:
        digest, until = self._remembered.get(account, (b"", 0.0))
        return now < until and compare_digest(digest, self._digest(password, stored))

    def _remember(self, account: Hashable, password: str, stored: Secret, now: float) -> None:
        self._remembered[account] = (self._digest(password, stored), now + REMEMBERED_FOR)
        self._remembered.move_to_end(account)
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _digest(self, password: str, stored: Secret) -> bytes:
        secret = f"{stored.reveal()}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(secret, key=self._process_key, digest_size=32).digest()

    async def _off_loop(self, work: Callable[..., T], *arguments: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
