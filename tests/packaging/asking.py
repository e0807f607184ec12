"""Call a server as its clients do: python -m tests.packaging.asking URL ACCOUNT."""

import json
import sys
import time
from contextlib import closing

import httpx2

from deskroster.dialects import DIALECTS
from deskroster.testing import Account, Clients
from tests.answers import check


def ask(url: str, account: Account) -> None:
    """Call every dialect with a signature, and get its page. Raises AssertionError unless all are answered."""
    with closing(Clients(url, account, time.time, httpx2.HTTPTransport)) as clients:
        for dialect in DIALECTS:
            check(dialect.name, getattr(clients, dialect.name).get(dialect.example), "ok")
            assert 200 == httpx2.get(f"{url}/docs/{dialect.name}", trust_env=False).status_code


if __name__ == "__main__":
    ask(sys.argv[1], Account(**json.loads(sys.argv[2])))
