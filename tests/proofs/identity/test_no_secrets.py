"""Promise 7: no secret where it does not belong, in whatever form."""

import json
import os
import secrets as randomness
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
import structlog
from msgspec.structs import replace

import deskroster
from deskroster.core import agents, keys
from deskroster.desk import Desk
from deskroster.dialects import DIALECTS
from deskroster.ledger.disk import log
from deskroster.ledger.disk.vault import FILE, Vault
from deskroster.passwords import Passwords
from deskroster.telemetry import Telemetry
from deskroster.testing import Account, Clients
from tests.contracts import CONTRACTS
from tests.in_process import InProcess, signed
from tests.proofs.identity.guarded import speak
from tests.proofs.identity.leaks import Leak, find, forms
from tests.proofs.identity.life import PATIENCE, Life, password
from tests.world import ADMIN

pytestmark = pytest.mark.once

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
    "PYTHONPATH": str(Path(deskroster.__file__).parent.parent), "NO_COLOR": "1", "COLUMNS": "200",
}  # fmt: skip


def command(*arguments: object, told: str | None = None) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "deskroster", *map(str, arguments)]
    return subprocess.run(
        line, env=ENVIRONMENT, input=told, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give what became of a day that a real server had: its life, and every place where a secret might have got to."""
    folder = tmp_path_factory.mktemp("run")
    data, places = folder / "data", {}
    secret = password("first")
    told = command("init", "--data", data, "--label", "demo", "--name", "x", "--email", ADMIN.email, "--ask-password",
                   "--json", told=secret + "\n")  # fmt: skip
    assert told.returncode == 0, told.stderr
    admin = Account(id=1, email=ADMIN.email, password=secret, token=json.loads(told.stdout)["admin"]["token"])
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        line = [sys.executable, "-m", "deskroster", "serve", "--data", str(data), "--port", "0", "--json"]
        server = subprocess.Popen([*line, "--log-requests"], env=ENVIRONMENT, stdout=out, stderr=log)
        try:
            url = ready(folder / "out", server)
            life = Life(
                lambda account: Clients(url, account, time.time, lambda: httpx2.HTTPTransport(verify=False)),
                lambda: httpx2.Client(base_url=url, trust_env=False, verify=False),
            )
            life.live(admin)
            life.close()
            operate(data, folder / "backup", life, places)
            speak_nonsense(url, life)
            for path in ("/metrics", "/live", "/ready", "/docs/udesk", "/nothing"):
                places[f"answer of {path}"] = httpx2.get(url + path, trust_env=False).content
            places |= titles(server.pid)
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()
    places |= {"standard output": (folder / "out").read_bytes(), "log": (folder / "log").read_bytes()}
    places["change log"] = change_log(shutil.copytree(data, folder / "copy", ignore=shutil.ignore_patterns("*.sock")))
    places |= files(data) | files(folder / "backup")
    key = (data / FILE).read_text().strip()
    life.secrets |= {"the installation key": key}
    return SimpleNamespace(life=life, places=places, key=bytes.fromhex(key), log=(folder / "log").read_text())


def ready(out: Path, server: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if b"\n" in out.read_bytes():
            return str(json.loads(out.read_text())["url"])
        assert server.poll() is None
        time.sleep(0.05)
    raise AssertionError("the server does not answer")


def operate(data: Path, backup: Path, life: Life, places: dict[str, bytes]) -> None:
    """Do as an operator what is told of secrets to the command line, and list what there is."""
    made = command("key", "create", ADMIN.email, "--name", "x", "--data", data, "--json")
    life.secrets["a token of the command line"] = json.loads(made.stdout)["secret"]
    secret, sip = life.secret("told to the command line"), life.secret("a SIP password, told")
    does = {
        "password": (("password", "2"), secret), "sip": (("agent", "sip", "2", "--password"), sip),
        "revoke": (("key", "revoke", "1", "--json"), None), "keys": (("key", "list", "--json"), None),
        "agents": (("agent", "list", "--json"), None), "agent": (("agent", "show", "2", "--json"), None),
        "companies": (("company", "list", "--json"), None), "doctor": (("doctor", "--json"), None),
        "backup": (("backup", str(backup), "--json"), None),
    }  # fmt: skip
    with ThreadPoolExecutor(3) as threads:
        begun = {
            name: threads.submit(command, *words, "--data", data, told=None if typed is None else typed + "\n")
            for name, (words, typed) in does.items()
        }
        told = {name: one.result() for name, one in begun.items()}
    for name, one in told.items():
        assert one.returncode == 0, (name, one.stdout, one.stderr)
        places[f"output of {name}"] = (one.stdout + one.stderr).encode()
    places["errors of create"] = made.stderr.encode()


def speak_nonsense(url: str, life: Life) -> None:
    """Send what is hardly HTTP, with credentials in it."""
    host, _, port = url.removeprefix("http://").partition(":")
    secret = "f" + randomness.token_hex(20)
    life.secrets["in broken HTTP"] = secret
    for sent in (
        f"GET /open_api_v1/user_groups?sign={secret} HTTP/9.9\r\n\r\n",
        f"GET /open_api_v1/user_groups?sign={secret}\r\n\r\n",
        f"GET /apiv2/groups.json HTTP/1.1\r\nHost: x\r\nAuthorization Basic {secret}\r\n\r\n",
        f"GET /apiv2/groups.json HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {secret}\0\r\n\r\n",
        f"POST /open_api_v1/log_in HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{secret}",
        f"{secret}\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(sent.encode())
            connection.settimeout(0.2)
            try:
                life.answers[f"answer to nonsense {len(life.answers)}"] = connection.recv(65_536)
            except OSError:
                continue


def titles(pid: int) -> dict[str, bytes]:
    """Return what any user of the machine, or its owner alone, can read about a process."""
    about = Path(f"/proc/{pid}")
    found = [about / name for name in ("cmdline", "comm", "environ", "status", "stat")] + [*about.glob("task/*/comm")]
    return {f"{path}": path.read_bytes() for path in found} if about.exists() else process_list(pid)


def process_list(pid: int) -> dict[str, bytes]:
    return {"process list": subprocess.run(["ps", "eww", str(pid)], capture_output=True, check=False).stdout}


def change_log(data: Path) -> bytes:
    """Return the log's tables as text."""
    with closing(sqlite3.connect(next(data.glob("*.db")))) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_schema where type = 'table'")]
        rows = {table: db.execute(f'select * from "{table}"').fetchall() for table in tables}
    assert {"commits", "changes", "secrets", "replies"} <= set(rows)
    assert all(rows[table] for table in ("commits", "changes", "secrets", "replies"))
    return repr({table: rows[table] for table in ("commits", "changes", "companies", "agents", "keys")}).encode()


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder but for the one that is there to hold the key, and what they are called."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != FILE]
    return {f"{folder.name}/{path.name}": path.read_bytes() for path in found} | {
        f"listing of {folder.name}": "\n".join(path.name for path in found).encode()
    }


@pytest.mark.proof
def test_no_secret_is_where_it_does_not_belong(run):
    places = run.places | run.life.answers

    assert [] == run.life.leaked(find(run.life.secrets, places))
    assert [] == [place for place, content in places.items() if run.key in content]


@pytest.mark.proof
def test_no_hash_of_a_password_is_where_it_can_be_tried(run):
    assert [] == [place for place, content in (run.places | run.life.answers).items() if b"argon2" in content]


@pytest.mark.proof
def test_control_the_run_uses_every_kind_of_secret_and_answer(run):
    assert {200, 201, 400, 401, 404, 405, 409, 413, 415, 422, 429} <= run.life.statuses
    assert len(run.life.secrets) > 120
    assert {"data/deskroster.db", "data/deskroster.db-wal", "data/nonces", "backup/deskroster.db"} <= set(run.places)
    assert run.log.count('"event": "answered"') > 100


@pytest.mark.proof
def test_control_what_is_planted_is_found(run):
    for place, content in run.places.items():
        for form, planted in forms(run.life.secrets["token 0"]).items():
            leaks = find({"token": run.life.secrets["token 0"]}, {place: content[:50] + planted + content[50:]})
            assert form in {leak.form for leak in leaks}, (place, form)


@pytest.mark.proof
def test_control_a_secret_on_a_command_line_is_found():
    token = randomness.token_hex(20)
    line = [sys.executable, "-c", "print(flush=True); input()", token]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has got its own command line by now
        found = {leak.secret for leak in find({"token": token}, titles(process.pid))}
        process.communicate(b"\n")

    assert {"token"} == found


# ── what fails that should not, and controls that leak ───────────────────────────────────────────────────────────

BROKEN = [
    (agents, "create"), (agents, "update"), (keys, "create"), (keys, "tried"), (Passwords, "hash"),
    (Passwords, "verify"), (Desk, "log_in"), (Desk, "submit"),
    *(of_dialect for contract in CONTRACTS.values() for of_dialect in contract.in_hand),
]  # fmt: skip


def day(desk: InProcess, admin: Account = ADMIN) -> Life:
    """Let an installation in this process have its day; it may answer what it likes."""
    life = Life(desk.of, desk.plain)
    for part in life.parts(admin):
        try:
            part()
        except (KeyError, UnboundLocalError, json.JSONDecodeError):  # what goes on from an answer that was none
            continue
    life.secrets |= {"the administrator's password": ADMIN.password, "the administrator's token": ADMIN.token}
    return life


@pytest.fixture
def living(prepared, tmp_path):
    """Give an installation that may log incidents."""
    shutil.copytree(prepared, tmp_path / "data")
    desk = InProcess(tmp_path / "data", time.time)
    yield desk
    desk.close()


@pytest.mark.proof
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_no_secret_is_told_of_credentials_that_cannot_be_judged(living, dialect):
    speak(living, replace(dialect, authenticate=failing))

    life = day(living)

    assert living.incidents
    assert [] == life.leaked(find(life.secrets, life.answers | {"log": living.log.getvalue().encode()}))


@pytest.mark.proof
@pytest.mark.parametrize(("where", "name"), BROKEN, ids=lambda one: getattr(one, "__name__", one))
def test_an_internal_error_reveals_no_secret(living, where, name, monkeypatch):
    monkeypatch.setattr(where, name, failing)

    life = day(living)

    assert living.incidents
    assert [] == life.leaked(find(life.secrets, life.answers | {"log": living.log.getvalue().encode()}))


def failing(*arguments, **named):
    """Fail with secrets in hand."""
    in_hand = [str(one) for one in arguments]
    raise ZeroDivisionError(len(in_hand))


@pytest.mark.proof
def test_control_a_log_that_shows_what_was_in_hand_is_noticed(living, monkeypatch):
    monkeypatch.setattr(Passwords, "hash", failing)
    living.app.telemetry.log = structlog.wrap_logger(
        structlog.PrintLogger(living.log),
        processors=[
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=True)),
            structlog.processors.JSONRenderer(),
        ],
    )

    life = day(living)

    assert find_first(life, {"log": living.log.getvalue().encode()})


@pytest.mark.proof
def test_control_a_log_with_whole_addresses_is_noticed(living, monkeypatch):
    answered = Telemetry.answered

    def chatty(telemetry, dialect, method, path, status, seconds):
        telemetry.log.info("asked", address=chatty.address)
        answered(telemetry, dialect, method, path, status, seconds)

    monkeypatch.setattr(Telemetry, "answered", chatty)
    life = Life(living.of, living.plain)
    chatty.address = str(signed(living.udesk, "GET", "/user_groups").url)
    life.secrets["signature"] = chatty.address.rpartition("sign=")[2].partition("&")[0]

    life.ask(living.kf5, "GET", "/groups.json")

    assert Leak("signature", "log", "plain") in find(life.secrets, {"log": living.log.getvalue().encode()})


@pytest.mark.proof
def test_control_a_log_with_whole_paths_is_noticed(living, monkeypatch):
    assert [] == paths_that_leak(living)

    monkeypatch.setattr("deskroster.telemetry._masked", lambda path: path)

    assert paths_that_leak(living)


def paths_that_leak(desk: InProcess) -> list[Leak]:
    life = Life(desk.of, desk.plain)
    life.be_mistaken(ADMIN)
    return [*find(life.secrets, {"log": desk.log.getvalue().encode()})]


@pytest.mark.proof
def test_control_secrets_that_are_not_sealed_are_noticed(living, monkeypatch):
    monkeypatch.setattr(Vault, "seal", lambda _, value, bound: value)

    life = day(living)

    assert find_first(life, files(living.folder))


@pytest.mark.proof
def test_control_a_change_log_with_what_changed_is_noticed(living, monkeypatch):
    monkeypatch.setattr(log, "_ENCODER", log.msgspec.json.Encoder(enc_hook=lambda secret: {"secret": secret.reveal()}))

    life = day(living)

    assert find_first(life, files(living.folder))


def find_first(life: Life, places: dict[str, bytes]) -> Leak | None:
    return next(find(life.secrets, places), None)
