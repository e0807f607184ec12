"""The requests that are measured: each signed by itself, with a nonce of its own, for a page chosen at random."""

import base64
import random
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from bench.data import EMAIL, TOKEN

Make = Callable[[random.Random, int, str], bytes]
"""Makes one request from a source of chance, its number, and a text that no other request has."""

UDESK, KF5, SERVICEGO = "/open_api_v1", "/apiv2", "/api"
_BASIC = "Basic " + base64.b64encode(f"{EMAIL}/token:{TOKEN}".encode()).decode()


def udesk_groups(groups: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the groups."""
    page = _pages(groups, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{UDESK}/user_groups?{_udesk_sign(unique)}&page={page(dice, number)}&per_page={per_page}"
    )


def udesk_members(groups: int, first: int = 1) -> Make:
    """List the agents of a random group, of those up to an id."""
    return lambda dice, number, unique: _get(
        f"{UDESK}/user_groups/{dice.randint(first, groups)}/agents?{_udesk_sign(unique)}"
    )


def udesk_agents(agents: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the agents."""
    page = _pages(agents, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{UDESK}/agents?{_udesk_sign(unique)}&page={page(dice, number)}&per_page={per_page}"
    )


def udesk_create() -> Make:
    """Create a group."""
    return lambda dice, number, unique: _send(
        "POST", f"{UDESK}/user_groups?{_udesk_sign(unique)}", b'{"name":"Load %b"}' % unique.encode()
    )


def udesk_rename(groups: int) -> Make:
    """Give a random group another name."""
    return lambda dice, number, unique: _send(
        "PUT",
        f"{UDESK}/user_groups/{dice.randint(1, groups)}?{_udesk_sign(unique)}",
        b'{"name":"Load %b"}' % unique.encode(),
    )


def kf5_groups(groups: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the groups."""
    page = _pages(groups, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{KF5}/groups.json?page={page(dice, number)}&per_page={per_page}", f"Authorization: {_BASIC}\r\n"
    )


def kf5_users(agents: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the users."""
    page = _pages(agents, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{KF5}/users.json?page={page(dice, number)}&per_page={per_page}", f"Authorization: {_BASIC}\r\n"
    )


def servicego_staff(agents: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the staff."""
    page = _pages(agents, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{SERVICEGO}/v1/user?{_servicego_sign()}&pageNum={page(dice, number)}&pageSize={per_page}"
    )


def servicego_groups(groups: int, per_page: int, sweep: bool = False) -> Make:
    """List a page of the user groups."""
    page = _pages(groups, per_page, sweep)
    return lambda dice, number, unique: _get(
        f"{SERVICEGO}/v1/userGroup?{_servicego_sign()}&pageNum={page(dice, number)}&pageSize={per_page}"
    )


CALLS: dict[str, Callable[..., Make]] = {
    make.__name__: make
    for make in (
        udesk_groups, udesk_members, udesk_agents, udesk_create, udesk_rename,
        kf5_groups, kf5_users, servicego_staff, servicego_groups,
    )
}  # fmt: skip


def _pages(records: int, per_page: int, sweep: bool) -> Callable[[random.Random, int], int]:
    """Return what chooses a page: all in turn, or one at random."""
    pages = max(1, -(-records // per_page)) if sweep else max(1, records // per_page)
    return (lambda dice, number: number % pages + 1) if sweep else (lambda dice, number: dice.randint(1, pages))


def maker(call: str, arguments: dict[str, Any]) -> Make:
    return CALLS[call](**arguments)


def _udesk_sign(nonce: str) -> str:
    now = int(time.time())
    sign = sha256(f"{EMAIL}&{TOKEN}&{now}&{nonce}&v2".encode()).hexdigest()
    return f"email={EMAIL}&timestamp={now}&sign={sign}&nonce={nonce}&sign_version=v2"


def _servicego_sign() -> str:
    now = int(time.time())
    return f"email={EMAIL}&timestamp={now}&sign={sha256(f'{EMAIL}&{TOKEN}&{now}'.encode()).hexdigest()}"


def _get(target: str, headers: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()


def _send(method: str, target: str, body: bytes) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
