"""Several processes that serve one address."""

import base64
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from tests.cli.program import PATIENCE, finished, started
from tests.cli.served_by_workers import clients, workers

pytestmark = pytest.mark.once


def children(program):
    """Return the ids of the processes that serve."""
    pid = program._process.pid
    return {int(id) for id in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def alive(pid):
    """Tell whether a process is there, and not only waited for."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(true: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def answering(program):
    """Return which processes have answered a connection, of many."""
    port = int(program.ready["url"].rpartition(":")[2])
    answered = set()
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", port)) as connected:
            connected.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connected.recv(4096).startswith(b"HTTP/1.1 200")
            answered |= {pid for pid in children(program) if _holds(pid, connected)}
    return answered


def _holds(pid, connected):
    """Tell whether a process has the other end of a connection open."""
    local, peer = (_in_kernel(address) for address in (connected.getpeername(), connected.getsockname()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inodes = {line[9] for line in lines if (line[1], line[2]) == (local, peer)}
    return any(_target(file) == f"socket:[{inode}]" for file in Path(f"/proc/{pid}/fd").iterdir() for inode in inodes)


def _in_kernel(address):
    host, port = address
    return f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"


def _target(file):
    try:
        return os.readlink(file)
    except FileNotFoundError:
        return ""


def test_several_processes_answer_and_commands_reach_them_and_all_end_in_good_order(nowhere, shared_acme):
    with workers(nowhere.data) as program, clients(program, shared_acme) as served:
        pids = children(program)
        answered = answering(program)
        nowhere("role", "add", "质检")
        roles = [role["name"] for role in served.udesk.get("/agent_roles").json()["agent_roles"]]
        doctor = nowhere("doctor")
        ended = program.stop()

    assert {"event": "ready", "url": program.ready["url"], "company": "acme"} == program.ready
    assert 3 == len(pids)
    assert 2 <= len(answered)
    assert answered <= pids
    assert ["客服", "质检"] == roles
    assert 0 == doctor.code
    assert (0, "") == (ended.code, ended.out)
    assert not any(map(alive, pids))
    assert not (nowhere.data / "admin.sock").exists()


def test_what_one_process_writes_every_other_has_for_the_next_request(nowhere, shared_acme):
    with workers(nowhere.data) as program, clients(program, shared_acme) as served:
        for number in range(30):
            made = served.kf5.post("/groups.json", json={"group": {"name": f"{number}"}}).json()["group"]["id"]

            assert made in [group["id"] for group in served.kf5.get("/groups.json?per_page=100").json()["groups"]]


@pytest.mark.proof
def test_two_processes_whose_first_writes_meet_a_broken_session_answer_what_is_in_the_database(
    nowhere, shared_acme, databases, database
):
    with workers(nowhere.data, 2) as program, databases.connect(database) as raw, _by_process(program) as (one, other):
        raw.execute("""
            CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END';
            CREATE TRIGGER wait BEFORE INSERT ON commits FOR EACH ROW EXECUTE FUNCTION wait();
        """)
        answered, rounds = {}, 0
        while 2 != len(answered):  # on a machine that is too busy one may be told to try again later
            answered = _break_the_first_of(raw, shared_acme, f"a{rounds}", one, f"b{rounds}", other)
            shown = [_groups(line, shared_acme) for line in (one, other)]
            rounds += 1

            assert shown[0] == shown[1]
            assert set(answered) <= set(shown[0])
        raw.execute("SELECT set_config('deskroster.company', '1', false)")
        durable = [name for (name,) in raw.execute("SELECT name FROM groups ORDER BY id")]
        ids = [id for (id,) in raw.execute("SELECT request_id FROM commits")]
        raw.execute("DROP TRIGGER wait ON commits; DROP FUNCTION wait")

    assert durable == shown[0]
    assert len(ids) == len({id.partition("/")[0] for id in ids}) == len({id.partition("/")[2] for id in ids})
    assert 0 == nowhere("doctor").code


def _break_the_first_of(raw, account, name, one, other_name, other):
    """Let two processes write, and end the session of the first while it writes; return what was done."""
    raw.execute("SELECT pg_advisory_lock(7)")
    writing = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(_write, one, account, name)
        wait_for(lambda: first.done() or raw.execute(writing).fetchall())
        waiting = raw.execute(writing).fetchall()
        second = threads.submit(_write, other, account, other_name)
        wait_for(lambda: first.done() or second.done() or 2 <= len(raw.execute(writing).fetchall()))
        for (pid,) in waiting:
            raw.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        raw.execute("SELECT pg_advisory_unlock(7)")
        return [called for called, status in ((name, first.result()), (other_name, second.result())) if status == 201]


def _write(line, account, name):
    return _asked(line, account, "POST", "/apiv2/groups.json", json.dumps({"group": {"name": name}})).status


def _groups(line, account):
    """Return the groups that the process at the other end of a connection shows."""
    return [group["name"] for group in json.loads(_asked(line, account, "GET", "/apiv2/groups.json").told)["groups"]]


def _asked(line, account, method, path, body=None):
    secret = base64.b64encode(f"{account.email}/token:{account.token}".encode()).decode()
    line.request(method, path, body, {"Authorization": f"Basic {secret}", "Content-Type": "application/json"})
    answer = line.getresponse()
    return SimpleNamespace(status=answer.status, told=answer.read())


@contextmanager
def _by_process(program):
    """Give a connection to each of the processes that serve."""
    found = {}
    with ExitStack() as stack:
        while len(found) < len(children(program)):
            line = stack.enter_context(
                closing(HTTPConnection("127.0.0.1", int(program.ready["url"].rpartition(":")[2])))
            )
            line.request("GET", "/live")
            line.getresponse().read()
            found |= {pid: line for pid in children(program) if _holds(pid, line.sock)}
        yield list(found.values())


@pytest.mark.proof
def test_the_place_of_a_killed_process_is_taken_and_clients_go_on(nowhere, shared_acme):
    with workers(nowhere.data) as program, clients(program, shared_acme) as served:
        before = children(program)
        lost = min(before)
        os.kill(lost, signal.SIGKILL)
        wait_for(lambda: lost not in children(program))
        meanwhile = [served.udesk.get("/agent_roles").json()["code"] for _ in range(20)]
        wait_for(lambda: len(children(program)) == 3)
        after = children(program)
        wait_for(lambda: after - before <= answering(program))
        ended = program.stop()

    assert {1000} == set(meanwhile)
    assert before - {lost} < after
    assert 0 == ended.code


@pytest.mark.proof
def test_workers_end_when_the_first_process_is_killed(nowhere, shared_acme):
    with workers(nowhere.data, 2) as program:
        pids = children(program)
        program.stop(signal.SIGKILL)
        wait_for(lambda: not any(map(alive, pids)))

    with workers(nowhere.data, 2):
        assert 0 == nowhere("position", "list").code


@pytest.mark.proof
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_a_signal_ends_it_too_while_a_killed_process_is_being_replaced(nowhere, shared_acme, pause):
    with workers(nowhere.data, 2) as program:
        os.kill(min(children(program)), signal.SIGKILL)
        time.sleep(pause)
        ended = program.stop()

    assert 0 == ended.code


@pytest.mark.proof
def test_a_signal_ends_it_while_it_starts(nowhere, shared_acme):
    for after in (0.9, 1.2, 1.6):
        process = started("serve", "--data", str(nowhere.data), "--port", "0", "--json", "--workers", "3")
        time.sleep(after)
        process.terminate()
        process.communicate(timeout=PATIENCE)
        with workers(nowhere.data, 1):
            pass


@pytest.mark.proof
def test_several_processes_on_sqlite_are_refused(command):
    refused = finished("serve", "--data", str(command.data), "--port", "0", "--workers", "2")

    assert (2, "") == (refused.code, refused.out)
    assert "SQLite" in refused.err
    assert "deskroster move" in refused.err


@pytest.mark.proof
def test_a_port_in_use_is_told_once(nowhere, shared_acme):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = finished("serve", "--data", str(nowhere.data), "--port", port, "--workers", "3")

    assert (5, "") == (refused.code, refused.out)
    assert 1 == refused.err.count("in use")
    assert "Traceback" not in refused.err


@pytest.mark.proof
def test_a_folder_is_served_by_one_set_of_processes(nowhere, shared_acme):
    with workers(nowhere.data, 2):
        second = finished("serve", "--data", str(nowhere.data), "--port", "0", "--json", "--workers", "2")

    assert (5, "") == (second.code, second.out)


@pytest.mark.proof
def test_a_nonce_is_used_once_whichever_process_is_asked(nowhere, shared_acme):
    with workers(nowhere.data) as program, clients(program, shared_acme) as served:
        for _ in range(5):
            signed = next(served.udesk.auth.auth_flow(served.udesk.build_request("GET", "/agent_roles")))
            plain = [httpx2.get(signed.url, trust_env=False).json()["code"] for _ in range(8)]

            assert [1000] == [code for code in plain if code == 1000]
            assert 1000 == plain[0]
