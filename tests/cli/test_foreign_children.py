"""What a server inherits: other children than its workers, and signals that are ignored or blocked."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.cli.program import PATIENCE, environment
from tests.cli.test_workers import alive, wait_for

pytestmark = pytest.mark.once

SERVE = (sys.executable, "-m", "deskroster", "serve")
ANY_CHILD = (sys.executable, "-m", "tests.cli.altered", "all_children_are_ours", "serve")


class Family:
    """A server that was a shell, with a child of the shell that ends when `child_ends` is called."""

    def __init__(self, process, event):
        self.process, self._event = process, event

    def ready(self):
        self.url = httpx2.URL(self.process.stdout.readline().split('"url":"')[-1].split('"')[0])
        (self.foreign,) = (pid for pid in self.children() if command_line(pid).startswith(b"cat"))
        return self

    def children(self):
        pid = self.process.pid
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def workers(self):
        return self.children() - {self.foreign}

    def child_ends(self):
        """End the foreign child, and wait until it has been reaped."""
        self._event.write_text("")  # it reads this fifo
        wait_for(lambda: self.process.poll() is not None or self.foreign not in self.children())

    def answers(self):
        """Answer a connection of its own, by whichever worker takes it."""
        return self.process.poll() is None and httpx2.get(f"{self.url}/live", trust_env=False).status_code == 200

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def family(data, tmp_path, *options, program=SERVE, before="", **how):
    """Serve by a shell that has started a child, and then becomes the server. `before` is what the shell does first."""
    event = tmp_path / "event"
    os.mkfifo(event)
    script = f'{before} cat "$0" >/dev/null & exec "$@"'
    process = subprocess.Popen(
        ["sh", "-c", script, str(event), *program, "--data", str(data), "--port", "0", "--json", *options],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        **how,
    )  # fmt: skip
    server = Family(process, event)
    try:
        yield server.ready()
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
        if command_line(server.foreign).startswith(b"cat"):
            os.kill(server.foreign, signal.SIGKILL)


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_foreign_child_that_ends_ends_no_worker(nowhere, shared_acme, tmp_path):
    with family(nowhere.data, tmp_path, "--workers", "2") as server:
        before = server.workers()
        server.child_ends()
        answers, after = server.answers(), server.workers()
        os.kill(min(after), signal.SIGKILL)
        wait_for(lambda: len(server.workers() - {min(after)}) == 2)
        ended = server.stop()

    assert answers
    assert (2, before) == (len(before), after)
    assert 0 == ended


@pytest.mark.proof
def test_control_a_server_that_takes_every_child_for_its_own_is_noticed(nowhere, shared_acme, tmp_path):
    with family(nowhere.data, tmp_path, "--workers", "2", program=ANY_CHILD) as server:
        server.child_ends()
        wait_for(lambda: server.process.poll() is not None)

    assert 0 != server.process.returncode


@pytest.mark.proof
def test_a_foreign_child_that_goes_on_keeps_no_server_from_ending(nowhere, shared_acme, tmp_path):
    with family(nowhere.data, tmp_path, "--workers", "2") as server:
        assert 0 == server.stop()
        assert alive(server.foreign)


@pytest.mark.proof
def test_a_foreign_child_of_a_single_process_is_left_no_zombie(command, tmp_path):
    with family(command.data, tmp_path) as server:
        server.child_ends()

        assert server.answers()
        assert set() == server.workers()
        assert 0 == server.stop()


@pytest.mark.proof
@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "two workers"])
@pytest.mark.parametrize("inherited", ["ignored", "blocked"])
def test_sigterm_ends_a_server_that_was_started_with_it_ignored_or_blocked(
    nowhere, shared_acme, tmp_path, workers, inherited
):
    blocked = {signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP}
    how = {"before": "trap '' TERM CHLD;"}
    if inherited == "blocked":
        how = {"preexec_fn": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, blocked)}
    with family(nowhere.data, tmp_path, *workers, **how) as server:
        if workers:
            lost = min(server.workers())
            os.kill(lost, signal.SIGKILL)
            wait_for(lambda: len(server.workers() - {lost}) == 2)
        ended = server.stop()

    assert 0 == ended


@pytest.mark.proof
@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_ctrl_c_is_not_for_a_server_that_a_shell_has_put_into_the_background(nowhere, shared_acme, tmp_path, workers):
    with family(nowhere.data, tmp_path, *workers, before="trap '' INT;") as server:
        for pid in {server.process.pid, *server.workers()}:
            os.kill(pid, signal.SIGINT)
        server.child_ends()

        assert server.answers()
        assert 0 == server.stop()


@pytest.mark.proof
def test_a_worker_that_was_stopped_ends_with_the_others(nowhere, shared_acme, tmp_path):
    with family(nowhere.data, tmp_path, "--workers", "2") as server:
        stopped = min(server.workers())
        os.kill(stopped, signal.SIGSTOP)
        wait_for(lambda: " (" in (state := Path(f"/proc/{stopped}/stat").read_text()) and ") T" in state)

        assert 0 == server.stop()
