"""How a server ends: everything drains at the same time, and a signal ends what hangs afterwards."""

import asyncio
import subprocess
import sys
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from deskroster import server
from deskroster.admin import AdminApp, sockets
from deskroster.app import opened
from deskroster.cli import serving
from deskroster.cli.opening import installation_of
from deskroster.settings import Settings
from deskroster.telemetry import SharedCounts, Telemetry
from tests.cli.program import PATIENCE, environment

pytestmark = pytest.mark.once

DEAF = 1.0  # seconds after which a control is taken for one that does not end


@contextmanager
def closing(data, *flaws):
    """Give a server that was told to stop, has finished its requests, and hangs as it closes the data."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.altered", ",".join(flaws), "serve", "--data", str(data), "--port", "0"],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "answers" in process.stdout.readline()
        process.terminate()
        assert "closing\n" in iter(process.stderr.readline, "")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(
    "flaw", ["closing_waits_for_ever", pytest.param("closing_blocks_for_ever", marks=pytest.mark.proof)]
)
def test_a_signal_ends_a_server_that_hangs_after_it_has_finished_its_requests(command, flaw):
    with closing(command.data, flaw) as process:
        process.terminate()

        assert 130 == process.wait(PATIENCE)
    assert 0 == command("doctor").code


@pytest.mark.proof
def test_control_a_server_that_ignores_signals_while_closing_is_noticed(command):
    with closing(command.data, "closing_waits_for_ever", "deaf_at_the_end") as process:
        process.terminate()

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(DEAF)


class Held:
    """An app whose answers wait until they are let go."""

    def __init__(self, app):
        self._app = app
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._app, name)

    async def __call__(self, scope, receive, send):
        self.asked.set()
        await self.let_go.wait()
        await self._app(scope, receive, send)


async def refused(connect):
    """Wait until nobody listens any more."""
    with suppress(ConnectionRefusedError):
        while True:
            with suppress(ConnectionResetError):  # it waited in the backlog
                _, writer = await connect()
                writer.close()
                await writer.wait_closed()


async def drained(data):
    """Stop a server while it answers a request; return how that was answered when nothing else was served any more."""
    settings = Settings(data=data, port=0, metrics_port=0)
    url = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(PATIENCE), opened(settings, Telemetry()) as app:
        held, admin, metrics = Held(app), sockets.bind(data), server.listen("127.0.0.1", 0, False)
        port = metrics.getsockname()[1]
        running = asyncio.create_task(
            server.run(held, settings, AdminApp(installation_of(app)), admin, url.set_result, metrics)
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(await url).port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        await held.asked.wait()
        running.cancel()
        await refused(lambda: asyncio.open_connection("127.0.0.1", port))
        await refused(lambda: asyncio.open_unix_connection(data / sockets.FILE))
        held.let_go.set()
        answer = await reader.read()
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await running
        return answer.split()[1]


def test_the_sockets_of_metrics_and_commands_drain_while_the_api_does(command):
    assert b"200" == asyncio.run(drained(command.data))


def tasks_while_saving(settings, telemetry):
    async def counted():
        async with serving._sharing_counters(settings, telemetry):
            return len(asyncio.all_tasks()) - 1

    return asyncio.run(counted())


def test_only_a_server_of_several_workers_saves_its_counts_for_others(tmp_path):
    shared = Telemetry()
    shared.share(SharedCounts(2), 0)

    assert 0 == tasks_while_saving(Settings(data=tmp_path), Telemetry())
    assert 1 == tasks_while_saving(Settings(data=tmp_path, worker=0), shared)
