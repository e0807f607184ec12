"""Who gets `/metrics`: this machine, an address of its own, or whoever has the token."""

import json
import signal
from contextlib import contextmanager

import httpx2
import pytest

from tests.cli.program import PATIENCE, Program, finished
from tests.cli.test_workers import children

TOKEN = "a token of sixteen or more".replace(" ", "-")
OURS = "deskroster_log_lines_dropped"


@contextmanager
def serving(data, *options):
    """Serve; give the program, the address of the API, and that of the metrics if the log tells one."""
    with Program("serve", "--data", str(data), "--port", "0", "--json", *options) as program:
        yield program, program.ready["url"], program.ready.get("metrics")


def get(url, **headers):
    return httpx2.get(f"{url}/metrics", headers=headers, trust_env=False, timeout=PATIENCE)


def test_without_options_this_machine_gets_them_and_nobody_behind_a_proxy(desk):
    client = desk.plain()

    assert 200 == client.get("/metrics").status_code
    for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"):
        assert 404 == client.get("/metrics", headers={header: "10.0.0.9"}).status_code
    desk.address = "10.0.0.9"
    assert 404 == client.get("/metrics").status_code


@pytest.mark.once
def test_with_an_address_of_their_own_they_are_there_and_nowhere_else(command):
    with serving(command.data, "--metrics-port", "0") as (program, url, metrics):
        at_home, elsewhere = get(metrics), get(url)
        other = httpx2.get(f"{metrics}/deskroster/v1/agents", trust_env=False)
        live = httpx2.get(f"{metrics}/live", trust_env=False)
        ended = program.stop()

    assert metrics.startswith("http://127.0.0.1:")
    assert (200, 404) == (at_home.status_code, elsewhere.status_code)
    assert OURS in at_home.text
    assert (404, 404) == (other.status_code, live.status_code)
    assert 0 == ended.code


@pytest.mark.once
def test_an_address_of_their_own_is_limited_to_allowed_hosts_and_addresses_unless_there_is_a_token(command, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    hosts = ["127.0.0.1", "localhost:9321", "[::1]", "desk.example.com", "evil.test", "127.0.0.1.evil.test"]
    limited = ("--metrics-port", "0", "--allowed-host", "desk.example.com")
    with serving(command.data, *limited) as (_, _, metrics):
        without = [get(metrics, Host=host).status_code for host in hosts]
    with serving(command.data, *limited, "--metrics-token-file", str(file)) as (_, _, metrics):
        with_ = {get(metrics, Host=host, Authorization=f"Bearer {TOKEN}").status_code for host in hosts}

    assert [200, 200, 200, 200, 400, 400] == without
    assert {200} == with_


@pytest.mark.once
def test_who_has_the_token_gets_them_from_anywhere_and_nobody_else(command, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with serving(command.data, "--metrics-token-file", str(file)) as (program, url, _):
        right = get(url, Authorization=f"Bearer {TOKEN}", **{"X-Forwarded-For": "10.0.0.9"})
        wrong = [get(url), get(url, Authorization=f"Bearer {TOKEN}x"), get(url, Authorization=f"Basic {TOKEN}")]
        ended = program.stop(signal.SIGTERM)

    assert 200 == right.status_code
    assert OURS in right.text
    assert [401, 401, 401] == [one.status_code for one in wrong]
    assert {"Bearer"} == {one.headers["www-authenticate"] for one in wrong}
    assert TOKEN not in ended.err + right.text


@pytest.mark.proof
@pytest.mark.once
def test_several_workers_answer_at_the_metrics_address_for_all(nowhere, shared_acme):
    with serving(nowhere.data, "--workers", "2", "--metrics-port", "0") as (program, url, metrics):
        answered = {get(metrics).status_code for _ in range(10)}
        lost = min(children(program))
        elsewhere = get(url).status_code

    assert lost
    assert {200} == answered
    assert 404 == elsewhere


@pytest.mark.once
@pytest.mark.parametrize("content", [None, "", "short\n", "two lines of\nsixteen or more\n", "sechzehn-Zeichen-ä\n"])
def test_a_file_that_holds_no_token_is_refused(command, tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, "utf-8")

    refused = command("serve", "--metrics-token-file", str(file))

    assert refused.code == (3 if content is None else 2)
    assert str(file) in refused.err
    assert content is None or content.strip() not in refused.err or not content


@pytest.mark.proof
@pytest.mark.once
def test_a_metrics_address_in_use_is_said_to_be(command):
    with serving(command.data) as (_, url, _):
        port = url.rpartition(":")[2]
        made = command.data.parent / "other"
        command("init", "--data", str(made), "--label", "b", "--name", "B", "--email", "a@b.com")
        refused = finished("serve", "--data", str(made), "--port", "0", "--metrics-port", port)

    assert 5 == refused.code
    assert f"port {port} is in use" in refused.err
    assert "--metrics-port 0 takes a free one" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.proof
@pytest.mark.once
def test_the_log_tells_the_address(command):
    with serving(command.data, "--metrics-port", "0") as (program, _, metrics):
        told = [json.loads(line) for line in program.stop().err.splitlines()]

    assert [metrics] == [one["metrics"] for one in told if one["event"] == "ready"]
