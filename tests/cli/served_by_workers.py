"""What the tests of installations on PostgreSQL share."""

import time
from contextlib import closing

import httpx2

from deskroster.ledger import location
from deskroster.testing import Clients
from tests.cli.program import Program


def workers(data, count=3, *options):
    return Program("serve", "--data", str(data), "--port", "0", "--json", "--workers", str(count), *options)


def clients(program, account):
    """Give an account's clients, whose every request comes by a connection of its own."""

    def transport():
        return httpx2.HTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0))

    return closing(Clients(program.ready["url"], account, time.time, transport))


def copied(data, folder):
    """Return a folder of another machine on the same database."""
    folder.mkdir()
    for name in ("key", location.ELSEWHERE):
        (folder / name).write_bytes((data / name).read_bytes())
        (folder / name).chmod(0o600)
    return folder
