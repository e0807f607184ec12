"""A server whose standard error is closed, full, or read by nobody answers as any other, and ends as any other."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import httpx2
import pytest

from deskroster.testing import Clients
from tests.cli.program import PATIENCE, environment
from tests.test_telemetry import filled

pytestmark = pytest.mark.once

PROGRAM = (sys.executable, "-m", "deskroster")
DIRECT = (sys.executable, "-m", "tests.cli.altered", "log_writes_directly")
IMPATIENCE = 3.0  # seconds after which a control that never answers is given up


class Running:
    """A server with a standard error of some kind."""

    def __init__(self, process, url, reader, writer):
        self.process, self.url, self.reader, self._writer = process, url, reader, writer

    def break_log(self, how):
        """Fill the pipe of its standard error, or take its reader away."""
        if how == "full pipe":
            filled(self._writer)
        else:
            os.close(self.reader)
            self.reader = None

    def stop(self):
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(data, stderr, *options, program=PROGRAM, full=True):
    """Serve with `stderr` "closed", a "full disk", or a "full pipe" that nobody reads; `full`: before it starts."""
    reader, writer = os.pipe()
    if stderr == "full pipe" and full:
        filled(writer)
    redirected = {"closed": "2>&-", "full disk": "2>/dev/full"}.get(stderr, "")
    command = [*program, "serve", "--data", str(data), "--port", "0", "--json", "--log-requests", *options]
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
    )
    server = Running(process, json.loads(process.stdout.readline())["url"], reader, writer)
    try:
        yield server
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
        for end in filter(None, (writer, server.reader)):
            os.close(end)


def ordeal(server, account, timeout=PATIENCE):
    """Read, write and watch; every answer is the right one, and every write is found once."""
    with closing(Clients(server.url, account, time.time, httpx2.HTTPTransport)) as clients:
        plain = httpx2.Client(base_url=server.url, trust_env=False, timeout=timeout)
        for client in (clients.udesk, clients.kf5):
            client.timeout = httpx2.Timeout(timeout)
        for number in range(10):
            made = clients.kf5.post("/groups.json", json={"group": {"name": f"g{number}"}})
            assert 201 == made.status_code
            assert 1000 == clients.udesk.get("/user_groups").json()["code"]
            assert 404 == clients.kf5.get("/groups/999999.json").status_code
            assert 200 == plain.get("/live").status_code
            assert 200 == plain.get("/ready").status_code
        groups = clients.kf5.get("/groups.json?per_page=100").json()["groups"]
        assert [f"g{number}" for number in range(10)] == sorted(group["name"] for group in groups)
        told = plain.get("/metrics").text
        plain.close()
    return {reason: int(float(n)) for reason, n in re.findall(r'lines_dropped_total\{reason="(\w+)"\} (\S+)', told)}


@pytest.mark.proof
@pytest.mark.parametrize("stderr", ["closed", "full disk", "full pipe", "gone"])
def test_whatever_has_become_of_its_log_a_server_starts_answers_and_ends(nowhere, acme, stderr):
    with serving(nowhere.data, stderr) as server:
        if stderr == "gone":
            server.break_log(stderr)
        dropped = ordeal(server, acme)
        ended = server.stop()

    assert 0 == ended
    assert 0 == nowhere("doctor").code
    assert 0 == dropped["queue_full"]
    assert (dropped["write_failed"] == 0) == (stderr == "full pipe")  # which may be read some day


@pytest.mark.proof
def test_a_full_log_pipe_delays_no_request_and_is_used_again_when_read(nowhere, acme):
    with serving(nowhere.data, "full pipe", full=False) as server:
        server.break_log("full pipe")
        ordeal(server, acme)
        read = b""
        while read.count(b'"answered"') < 31:
            read += os.read(server.reader, 65_536)
        ended = server.stop()

    assert 0 == ended
    lines = [line.lstrip("x") for line in read.decode().splitlines()]
    assert {"ready", "answered"} == {json.loads(line)["event"] for line in lines[:-1] if line}


@pytest.mark.proof
@pytest.mark.parametrize("how", ["full pipe", "gone"])
def test_control_a_log_that_writes_directly_is_noticed(nowhere, acme, how):
    with serving(nowhere.data, how, program=DIRECT, full=False) as server:
        server.break_log(how)
        with pytest.raises((AssertionError, httpx2.HTTPError)):
            ordeal(server, acme, IMPATIENCE)


@pytest.mark.proof
def test_lines_that_too_many_others_wait_before_are_counted_as_dropped(nowhere, acme):
    parts = "/".join(["a" * 24] * 300)
    with (
        serving(nowhere.data, "full pipe") as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=PATIENCE) as client,
    ):
        for _ in range(1_300):  # lines of 7.6 KB, of which 8 MiB may wait
            assert client.get(f"/apiv2/{parts}").status_code in (401, 404)
        told = client.get("/metrics").text
        ended = server.stop()

    assert 0 < float(re.search(r'lines_dropped_total\{reason="queue_full"\} (\S+)', told)[1]) < 1_300
    assert 0 == ended


def test_the_standard_error_of_a_server_is_nobody_else_s_when_it_was_closed(nowhere, acme):
    with serving(nowhere.data, "closed") as server:
        pid = server.process.pid
        assert os.devnull == os.readlink(f"/proc/{pid}/fd/2")
        server.stop()


@pytest.mark.proof
@pytest.mark.parametrize("stdout", [">&-", ">/dev/full", "| head -0"])
def test_a_ready_line_that_cannot_be_shown_keeps_no_server_from_serving(nowhere, acme, stdout):
    listening, told = os.pipe()
    shell = f'"$@" {stdout}'
    process = subprocess.Popen(
        ["sh", "-c", shell, "sh", *PROGRAM, "serve", "--data", str(nowhere.data), "--port", "0", "--json"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=told,
        process_group=0,
    )
    os.close(told)
    try:
        with os.fdopen(listening, encoding="utf-8") as log:
            url = next(line["url"] for line in map(json.loads, log) if line["event"] == "ready")
            assert 200 == httpx2.get(f"{url}/live", trust_env=False).status_code
            assert 0 == nowhere("position", "list").code
            os.killpg(process.pid, signal.SIGTERM)
            log.read()  # until it has ended
    finally:
        process.wait(PATIENCE)


@pytest.mark.proof
@pytest.mark.parametrize("how", ["--json", "--workers=1"])
def test_a_full_standard_output_that_nobody_reads_holds_up_neither_the_start_nor_the_end(nowhere, acme, how):
    reader, writer = os.pipe()
    filled(writer)
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--data", str(nowhere.data), "--port", "0", how],
        env=environment(), stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = json.loads(process.stderr.readline())["url"]
        assert 200 == httpx2.get(f"{url}/live", trust_env=False).status_code
        process.terminate()
        assert 0 == process.wait(PATIENCE)
    finally:
        process.kill()
        process.communicate()
        for end in (reader, writer):
            os.close(end)


@pytest.mark.proof
def test_a_server_that_cannot_start_ends_though_nobody_reads_its_error(nowhere, acme):
    reader, writer = os.pipe()
    filled(writer)
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--data", str(nowhere.data), "--host", "192.0.2.1"],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer,
    )  # fmt: skip
    try:
        assert 1 == process.wait(PATIENCE)
        assert [] == select.select([], [writer], [], 0)[1]  # it is as full as it was
    finally:
        process.kill()
        process.wait()
        for end in (reader, writer):
            os.close(end)
