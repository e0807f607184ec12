"""The load that is held: ten reads to one write, of all dialects in turn. It is run as `bench.load` is."""

import random
from base64 import b64encode

from bench import calls, load
from bench.calls import Make
from bench.data import EMAIL, TOKEN
from tests.proofs.load.company import AGENTS, GROUPS

READS, WRITES = 300, 30  # a second
WRITABLE = GROUPS - 1  # the crowded group keeps its name


def mixed(offset: int = 0) -> Make:
    """Return what makes the requests of the mix, one after the other."""
    reads = [
        calls.udesk_groups(GROUPS, 20), calls.kf5_groups(GROUPS, 10), calls.servicego_groups(GROUPS, 20),
        calls.udesk_agents(AGENTS, 20), calls.kf5_users(AGENTS, 100), calls.servicego_staff(AGENTS, 20),
        calls.udesk_members(GROUPS), _kf5_get("/users/{}.json", AGENTS), _servicego_get("/v1/user/{}", AGENTS),
        _own_agents,
    ]  # fmt: skip
    writes = [
        calls.udesk_rename(WRITABLE), _kf5_rename, _servicego_rename, calls.udesk_create(), _kf5_rename_group,
        _own_rename,
    ]  # fmt: skip
    share = READS // WRITES + 1

    def make(dice: random.Random, number: int, unique: str) -> bytes:
        turn, at = divmod(number + offset, share)
        chosen = writes[turn % len(writes)] if at == 0 else reads[(turn * (share - 1) + at) % len(reads)]
        if number % (share * WRITES) == 1:  # once a second somebody searches
            chosen = _kf5_search
        return chosen(dice, number, unique)

    return make


def _kf5_get(path: str, most: int) -> Make:
    return lambda dice, number, unique: calls._get(f"{calls.KF5}{path.format(dice.randint(1, most))}", _BASIC)


def _servicego_get(path: str, most: int) -> Make:
    return lambda dice, number, unique: calls._get(
        f"{calls.SERVICEGO}{path.format(dice.randint(1, most))}?{calls._servicego_sign()}"
    )


def _kf5_search(dice: random.Random, number: int, unique: str) -> bytes:
    return calls._get(f"{calls.KF5}/users/search.json?query=example.com&per_page=10&page={dice.randint(1, 9)}", _BASIC)


def _own_agents(dice: random.Random, number: int, unique: str) -> bytes:
    return calls._get(f"/deskroster/v1/agents?per_page=20&page={dice.randint(1, AGENTS // 20)}", _OWN_BASIC)


def _kf5_rename(dice: random.Random, number: int, unique: str) -> bytes:
    body = b'{"user":{"name":"Load %b"}}' % unique.encode()
    return _write("PUT", f"{calls.KF5}/users/{dice.randint(2, AGENTS)}.json", body)


def _kf5_rename_group(dice: random.Random, number: int, unique: str) -> bytes:
    body = b'{"group":{"name":"Load %b"}}' % unique.encode()
    return _write("PUT", f"{calls.KF5}/groups/{dice.randint(1, WRITABLE)}.json", body)


def _servicego_rename(dice: random.Random, number: int, unique: str) -> bytes:
    target = f"{calls.SERVICEGO}/v1/userGroup/{dice.randint(1, WRITABLE)}?{calls._servicego_sign()}"
    return calls._send("PUT", target, b'{"name":"Load %b"}' % unique.encode())


def _own_rename(dice: random.Random, number: int, unique: str) -> bytes:
    body = b'{"name":"Load %b"}' % unique.encode()
    return _write("PATCH", f"/deskroster/v1/positions/{dice.randint(2, 8)}", body, _OWN_BASIC)


_BASIC = f"Authorization: {calls._BASIC}\r\n"
_OWN_BASIC = f"Authorization: Basic {b64encode(f'{EMAIL}:{TOKEN}'.encode()).decode()}\r\n"


def _write(method: str, target: str, body: bytes, headers: str = _BASIC) -> bytes:
    return calls._send(method, target, body).replace(b"\r\n", f"\r\n{headers}".encode(), 1)


if __name__ == "__main__":
    calls.CALLS["mixed"] = mixed
    load._SUCCESSES += (b'{"group":{', b'{"user":{', b'{"items":[', b'{"id":')
    load.main()
