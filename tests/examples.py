"""The examples of the OpenAPI documents, tried on the demo's company. `make examples` writes down what it answers."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from deskroster import demo
from deskroster.app import opened
from deskroster.cli.opening import installation_of
from deskroster.core.roster import Roster
from deskroster.dialect import Dialect, Route, examples
from deskroster.dialect.examples import Example, key_of
from deskroster.dialects import DIALECTS
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.testing import Account, StillClock
from tests.in_process import InProcess

NOW = 1_700_000_000
HOST = "127.0.0.1:8321"
SECRETS = {"secret", "open_api_auth_token"}  # in an answer
PLACEHOLDER = "00000000-0000-4000-8000-000000000000"
PASSWORD = "the password that the demo prints"


def made(folder: Path, *, empty: bool = False) -> tuple[Roster, demo.Accounts]:
    """Make the demo's company in a folder, or find it there; return its roster and accounts."""

    async def prepared() -> tuple[Roster, demo.Accounts]:
        async with opened(Settings(data=folder), Telemetry(), StillClock(NOW)) as app:
            installation = installation_of(app)
            accounts = await demo.prepared(installation, empty, uuid4().hex)
            return (await installation.desk("demo")).roster, accounts

    return asyncio.run(prepared())


class Demo:
    """A folder with the demo's company, of which each call gets a copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        accounts = made(folder)[1]
        assert accounts.admin is not None
        assert accounts.admin.token is not None
        assert accounts.admin.password is not None
        self._admin = Account(
            id=1, email=accounts.admin.email, password=accounts.admin.password, token=accounts.admin.token
        )

    @contextmanager
    def copied(self) -> Iterator[InProcess]:
        """Give the company anew."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self._folder, f"{folder}/data")
            desk = InProcess(Path(folder) / "data", StillClock(NOW))
            yield desk
            desk.close()

    def send(self, desk: InProcess, dialect: Dialect, route: Route, example: Example) -> httpx2.Response:
        """Send an example as the demo's administrator."""
        client = getattr(desk.of(self._admin, HOST), dialect.name)
        path = route.path
        for name, value in example.path.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=","))
        body: Any = None if example.body is UNSET else example.body
        if route.needs is None:
            body = {name: self._admin.password if value == PASSWORD else value for name, value in body.items()}
        query = {name: str(value).lower() if value is True else value for name, value in example.query.items()}
        return client.request(route.method, path, params=query, json=body)


def shown(response: httpx2.Response) -> tuple[Any, Any]:
    """Return an answer and its `Location` as an example shows them."""
    answer = {
        name: PLACEHOLDER if name in SECRETS else value for name, value in response.json().items()
    }  # secrets stand at the top
    return answer, response.headers.get("location", UNSET)


def main() -> None:
    """Write the answers of all examples anew."""
    with tempfile.TemporaryDirectory() as folder:
        company = Demo(Path(folder) / "data")
        for dialect in DIALECTS:
            written = {}
            for route in dialect.routes:
                example = examples.of(dialect)[key_of(route)]
                with company.copied() as desk:
                    response = company.send(desk, dialect, route, example)
                answer, location = shown(response)
                if response.status_code != route.status or answer.get("code", 1000) not in (200, 1000):
                    sys.exit(f"{dialect.name} {key_of(route)}: {response.status_code} {response.text}")
                written[key_of(route)] = replace(example, answer=answer, location=location)
            assert dialect.examples is not None
            dialect.examples.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n")


if __name__ == "__main__":
    main()
