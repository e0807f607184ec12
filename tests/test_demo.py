"""The demo: a believable company, its credentials, and a `curl` for each dialect that works as it is printed."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from contextlib import closing

import httpx2
import pytest

from deskroster.dialects import DIALECTS
from deskroster.testing import Account, Clients, KF5Password
from tests.answers import check
from tests.cli.program import PATIENCE, CommandLine, Program, environment, finished, started
from tests.contracts import CONTRACTS
from tests.examples import made

pytestmark = pytest.mark.once

SHELLS = [name for name in ("sh", "dash", "bash", "zsh", "ksh", "busybox") if shutil.which(name)]


# ── the company ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return made(tmp_path_factory.mktemp("demo") / "data")[0]


def test_about_60_agents_work_in_8_groups_none_of_which_is_empty(company):
    assert 60 == len(company.agents)
    assert 8 == len(company.groups)
    assert all(len(group.member_ids) >= 5 for group in company.groups)


def test_some_names_are_chinese_and_some_english(company):
    english = [agent for agent in company.agents if agent.name.isascii()]

    assert 10 < len(english) < 30
    assert {"en"} == {agent.language for agent in english}


def test_two_are_administrators_and_some_are_disabled_in_review_or_gone(company):
    states = [(agent.state, agent.employed is not False) for agent in company.agents]

    assert [1, 2] == list(company.administrators)
    assert states.count(("disabled", True)) >= 2
    assert states.count(("review", True)) >= 2
    assert states.count(("disabled", False)) >= 3
    assert states.count(("enabled", True)) > 40


def test_there_are_positions_roles_permission_sets_and_a_tree_of_departments(company):
    assert all(len(company.table(kind)) >= 4 for kind in ("position", "role", "permission_set"))
    assert {None, 1, 2, 8} == {department.parent_id for department in company.departments}
    assert all(agent.position_id and agent.role_ids and agent.department_ids for agent in company.agents)


def test_profile_fields_of_many_types_have_values(company):
    filled = {company.profile_fields[id].type for record in company.profile_records for id, _ in record.values}

    assert 61 == len(company.profile_records)
    assert filled == {field.type for field in company.profile_fields}
    assert {"staff", "lookup", "cascade", "multi_listbox", "percent"} < filled


def test_one_record_of_each_kind_can_be_removed(company):
    """So that the deletions in the API reference work as they stand there."""
    kinds = ("position", "role", "permission_set", "department", "profile_record")
    values_of = {id for record in company.profile_records for id, _ in record.values}

    assert all([*company.table(kind).ids][-1] not in company.agents_with[kind] for kind in kinds)
    assert [*company.profile_fields.ids][-1] not in values_of


def test_it_is_the_same_company_each_time(company, tmp_path):
    again, _ = made(tmp_path / "data")

    kinds = ("role", "position", "permission_set", "department", "profile_field", "profile_record", "group", "agent")
    assert [repr(list(company.table(kind))) for kind in kinds] == [repr(list(again.table(kind))) for kind in kinds]


def test_it_is_made_in_one_commit(company):
    assert 1 == company.number


def test_credentials_follow_from_the_installation_key(tmp_path):
    _, first = made(tmp_path / "data")
    _, again = made(tmp_path / "data")
    _, elsewhere = made(tmp_path / "other")

    assert first == again
    assert None not in (first.admin.password, first.admin.token, first.agent.password, first.agent.token)
    assert not {first.admin.password, first.admin.token} & {elsewhere.admin.password, elsewhere.admin.token}


def test_the_empty_company_has_an_administrator_a_position_and_a_role(tmp_path):
    roster, accounts = made(tmp_path / "data", empty=True)

    assert [[1], [1], [1]] == [list(roster.table(kind).ids) for kind in ("agent", "position", "role")]
    assert [1] == list(roster.administrators)
    assert 0 == len(roster.groups)
    assert accounts.agent is None


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def running():
    with Program("demo", "--port", "0", "--json") as program:
        yield program


def account(program, who="admin"):
    return Account(**program.ready[who])


def clients(program, who="admin"):
    """Give an account's clients, closed in the end."""
    signed = Clients(program.ready["url"], account(program, who), time.time, httpx2.HTTPTransport)
    return closing(signed)


def test_the_ready_line_has_what_a_program_needs(running):
    assert ["event", "url", "company", "admin", "agent"] == list(running.ready)
    assert ("ready", "demo") == (running.ready["event"], running.ready["company"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", running.ready["url"])
    assert all(["id", "email", "password", "token"] == list(running.ready[who]) for who in ("admin", "agent"))
    assert 1 == running.ready["admin"]["id"]


def test_the_administrator_s_token_is_good_for_every_dialect_and_so_is_the_password_for_kf5(running):
    me = f"{running.ready['url']}/apiv2/users/me.json"

    with clients(running) as admin:
        for dialect in DIALECTS:
            check(dialect.name, getattr(admin, dialect.name).get(dialect.example), "ok")
    assert 1 == httpx2.get(me, auth=KF5Password(account(running))).json()["user"]["id"]


def test_the_agent_reads_in_kf5_and_is_no_administrator(running):
    with clients(running, "agent") as agent:
        assert 200 == agent.kf5.get("/groups.json").status_code
        assert 403 == agent.kf5.post("/groups.json", json={"group": {"name": "x"}}).status_code
        assert 2015 == agent.udesk.get("/user_groups").json()["code"]


def test_a_refused_signature_says_what_was_tried_with_the_token_masked(running):
    email, url = running.ready["admin"]["email"], running.ready["url"]
    now = str(int(time.time()))
    signature = {"email": email, "timestamp": now, "sign": "0" * 64}

    udesk = httpx2.get(
        f"{url}/open_api_v1/user_groups", params={**signature, "nonce": "n", "sign_version": "v2"}
    ).json()
    servicego = httpx2.get(f"{url}/api/v1/user", params=signature).json()

    assert "open api签名不对" == udesk["message"]
    assert f"form A: {email}&****&{now}&n&v2" == udesk["exception"]
    assert f"{email}&****&{now}" in servicego["message"]


def test_the_reference_is_served(running):
    for dialect in DIALECTS:
        assert 200 == httpx2.get(f"{running.ready['url']}/docs/{dialect.name}").status_code


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_its_temporary_folder_goes_with_it(number, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Program("demo", "--port", "0", "--json") as program:
        there = list(tmp_path.iterdir())
        ended = program.stop(number)

    assert 1 == len(there)
    assert [] == list(tmp_path.iterdir())
    assert (0, "") == (ended.code, ended.out)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_it_listens_on_loopback_only(host, monkeypatch, capsys, tmp_path):
    refused = CommandLine(monkeypatch, capsys, tmp_path)("demo", "--host", host, "--port", "0")

    assert (2, "") == (refused.code, refused.out)
    assert "loopback" in refused.err
    assert "deskroster serve --host 0.0.0.0" in refused.err
    assert "--network host" in refused.err


@pytest.mark.proof
def test_with_data_the_next_start_finds_the_company_and_what_was_changed_is_null(tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    command = CommandLine(monkeypatch, capsys, data)
    start = ("demo", "--port", "0", "--json", "--data", str(data))
    with Program(*start) as program:
        first = program.ready
        with clients(program) as admin:
            group = admin.kf5.post("/groups.json", json={"group": {"name": "新组"}}).json()["group"]["id"]
        assert 0 == program.stop().code
    command("password", "3", stdin="another password\n")
    command("key", "revoke", "1")

    with Program(*start, "--empty") as program, clients(program, "agent") as agent:
        second = program.ready
        kept = agent.kf5.get(f"/groups/{group}.json").json()["group"]["name"]

    assert "新组" == kept
    assert {**first["admin"], "token": None} == second["admin"]
    assert {**first["agent"], "password": None} == second["agent"]


@pytest.mark.proof
def test_with_empty_there_is_no_agent(tmp_path):
    with Program("demo", "--empty", "--port", "0", "--json") as program:
        assert 1 == program.ready["admin"]["id"]
        assert program.ready["agent"] is None


@pytest.mark.proof
def test_a_folder_that_is_not_the_demo_s_is_left_alone(tmp_path):
    data = str(tmp_path / "data")
    finished("init", "--data", data, "--label", "acme", "--name", "Acme", "--email", "a@b.com")

    refused = finished("demo", "--data", data, "--port", "0")

    assert (4, "") == (refused.code, refused.out)
    assert "deskroster serve" in refused.err


@pytest.mark.proof
def test_the_folder_of_a_demo_can_be_served(tmp_path):
    data = str(tmp_path / "data")
    with Program("demo", "--data", data, "--port", "0", "--json") as program:
        first = program.ready
        program.stop()

    with Program("serve", "--data", data, "--port", "0", "--json") as program:
        program.ready |= first | {"url": program.ready["url"]}
        with clients(program) as admin:
            assert 200 == admin.kf5.get("/groups.json").status_code


# ── the screen ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def screen():
    """Give what the demo shows in a terminal of 80 columns, while it is running."""
    shown, terminal = pty.openpty()
    process = started("demo", "--port", "0", stdout=terminal, stderr=terminal, env={**environment(), "COLUMNS": "80"})
    os.close(terminal)
    text = b""
    while text.count(b"\ncurl ") + text.count(b"; curl ") < len(DIALECTS) or not text.endswith(b"\n"):
        text += os.read(shown, 65_536)
    yield text.decode().replace("\r\n", "\n")
    process.terminate()
    process.wait(PATIENCE)
    os.close(shown)


def test_the_screen_shows_addresses_credentials_and_references(screen):
    assert re.search(r"http://127\.0\.0\.1:\d+", screen)
    assert "admin@example.com" in screen
    assert "agent@example.com" in screen
    for dialect in DIALECTS:
        assert dialect.title in screen
        assert f"/docs/{dialect.name}" in screen


@pytest.mark.parametrize("shell", SHELLS)
def test_a_printed_curl_works_when_it_is_pasted(screen, shell):
    commands = [line for line in screen.split("\n") if re.match(r"(t=|curl )", line)]
    interpreter = [shell, "sh"] if shell == "busybox" else [shell]

    answers = [
        json.loads(subprocess.run([*interpreter, "-c", command], capture_output=True, check=True).stdout)
        for command in commands * 2
    ]

    shown = {dialect.name: answer for dialect, answer in zip(DIALECTS, answers[: len(DIALECTS)], strict=True)}
    assert {name: contract.answers.success for name, contract in CONTRACTS.items()} == {
        name: answer.get("code") for name, answer in shown.items()
    }
    assert 8 == shown["udesk"]["meta"]["total_count"] == shown["kf5"]["count"]
    assert 60 == shown["servicego"]["paging"]["total"] == shown["own"]["total"]
    assert answers[: len(DIALECTS)] == answers[len(DIALECTS) :]


@pytest.mark.proof
@pytest.mark.parametrize("missing", ["openssl", "sha256sum"])
def test_a_printed_curl_needs_only_one_of_the_programs_that_hash(screen, missing, tmp_path):
    for tool in ("curl", "date", "od", "tr", "cut", *({"openssl", "sha256sum"} - {missing})):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    command = next(line for line in screen.split("\n") if line.startswith("t=") and "nonce" in line)

    answer = subprocess.run(["/bin/sh", "-c", command], env={"PATH": str(tmp_path)}, capture_output=True, check=True)

    assert 1000 == json.loads(answer.stdout)["code"]


@pytest.mark.proof
def test_a_demo_for_people_shows_no_log():
    process = started("demo", "--port", "0")
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        while "ServiceGo" not in process.stdout.readline():
            pass
    finally:
        process.terminate()
        _, told = process.communicate(timeout=PATIENCE)

    assert "" == told


@pytest.mark.proof
def test_the_demo_has_its_own_database_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("DESKROSTER_DATABASE", "postgresql://nobody@127.0.0.1:1/production")
    with Program("demo", "--port", "0", "--json", "--empty") as program:
        assert "demo" == program.ready["company"]


def test_a_second_demo_on_the_same_port_is_told_how_to_take_another_however_it_was_started(running):
    refused = finished("demo", "--port", running.ready["url"].rpartition(":")[2])

    assert (5, "") == (refused.code, refused.out)
    assert "deskroster demo --port 0" in refused.err
    assert 'make demo ARGS="--port 0"' in refused.err
