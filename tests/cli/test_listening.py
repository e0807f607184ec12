"""Where a server listens: IPv6 and IPv4, and what it says of plain HTTP."""

import io
import json
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

import httpx2
import pytest

from deskroster import server
from deskroster.cli.serving import Addresses, _warn_of_plain_http
from deskroster.core.records import Secret
from deskroster.guards.quotas import unmapped
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry
from deskroster.testing import Account, Clients
from tests.cli.program import Program
from tests.cli.test_serving import self_signed, serving

pytestmark = pytest.mark.once


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return socket.has_dualstack_ipv6()
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def answers(url: str, account: Account) -> int:
    """Return the code of a signed call."""
    with closing(Clients(url, account, time.time, httpx2.HTTPTransport)) as clients:
        return clients.udesk.get("/agent_roles").json()["code"]


def warnings(err: str) -> list[dict]:
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "plain HTTP"]


@needs_ipv6
def test_all_addresses_of_ipv6_are_those_of_ipv4_too(nowhere, acme):
    with serving(nowhere.data, "--host", "::") as program:
        at = urlsplit(program.ready["url"])
        codes = [answers(f"http://{host}:{at.port}", acme) for host in ("127.0.0.1", "[::1]")]
        seen_by = [httpx2.get(f"http://{host}:{at.port}/metrics", trust_env=False) for host in ("127.0.0.1", "[::1]")]

    assert ("::", [1000, 1000]) == (at.hostname, codes)
    assert [200, 200] == [
        answer.status_code for answer in seen_by
    ]  # it is for this machine: its address is known as such


@pytest.mark.proof
@needs_ipv6
def test_who_comes_by_ipv4_to_such_a_server_is_known_by_that_address(nowhere, acme):
    with serving(nowhere.data, "--host", "::", "--trusted-proxy", "127.0.0.0/8") as program:
        url = f"http://127.0.0.1:{urlsplit(program.ready['url']).port}"
        with httpx2.Client(base_url=url, trust_env=False) as client:
            forwarded = client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})

    assert 200 != forwarded.status_code  # the proxy is believed that somebody else asks


@pytest.mark.proof
@needs_ipv6
def test_one_address_of_ipv6_is_that_alone(nowhere, acme):
    with serving(nowhere.data, "--host", "::1") as program:
        at = urlsplit(program.ready["url"])
        with pytest.raises(httpx2.ConnectError):
            answers(f"http://127.0.0.1:{at.port}", acme)
        assert 1000 == answers(program.ready["url"], acme)


@needs_ipv6
@pytest.mark.parametrize("host", ["::", "0::0"])
def test_an_address_is_kept_for_several_processes_that_take_both(host):
    with server.reserved(host, 0) as port, server.listen(host, port, True), server.listen(host, port, True):
        for one in ("127.0.0.1", "::1"):
            socket.create_connection((one, port)).close()


@needs_ipv6
def test_control_a_socket_for_ipv6_alone_is_noticed(monkeypatch):
    monkeypatch.setattr(server, "_is_dual_stack", lambda host: False)
    with server.listen("::", 0, False) as listening, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listening.getsockname()[1]))


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        (None, None),
        (("127.0.0.1", 5), ("127.0.0.1", 5)),
        (("::ffff:192.0.2.1", 5), ("192.0.2.1", 5)),
        (("::1", 5), ("::1", 5)),
        (("2001:db8::ffff:1", 5), ("2001:db8::ffff:1", 5)),
    ],
)
def test_an_address_is_shown_as_its_family_writes_it(peer, shown):
    assert shown == unmapped(peer)


API, METRICS = "http://0.0.0.0:8321", "http://0.0.0.0:9321"
LOCAL, SECURE = "http://127.0.0.1:8321", "https://0.0.0.0:8321"


@pytest.mark.parametrize(
    ("at", "settings", "expected"),
    [
        (Addresses(API, None), {}, [(API, "--tls-cert")]),
        (Addresses(API, METRICS), {}, [(API, "--tls-cert"), (METRICS, "--metrics-token-file")]),
        (Addresses(SECURE, METRICS), {}, [(METRICS, "--metrics-token-file")]),
        (Addresses(SECURE, METRICS), {"metrics_token": Secret("x")}, [(METRICS, "the token of the metrics")]),
        (Addresses(API, METRICS), {"trusted_proxies": ("10.0.0.0/8",)}, [(METRICS, "--metrics-token-file")]),
        (Addresses(LOCAL, METRICS), {"worker": 0}, [(METRICS, "--metrics-token-file")]),
        (Addresses(API, METRICS), {"worker": 1}, []),
        (Addresses(SECURE, "http://[::1]:9321"), {}, []),
    ],
)
def test_each_address_that_others_can_reach_by_plain_http_is_warned_of(tmp_path, at, settings, expected):
    log = io.StringIO()
    with closing(Telemetry(stream=log)) as telemetry:
        _warn_of_plain_http(at, Settings(data=tmp_path, **settings), telemetry)

    said = warnings(log.getvalue())
    assert [url for url, _ in expected] == [line["url"] for line in said]
    assert all(advice in line["advice"] for (_, advice), line in zip(expected, said, strict=True))


@pytest.mark.proof
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "0.0.0.0"], 1),
        ([], 0),
        (["--host", "127.0.0.2"], 0),
        (["--host", "0.0.0.0", "--trusted-proxy", "10.0.0.0/8"], 0),
    ],
    ids=str,
)
def test_plain_http_that_others_can_reach_is_said_once_at_the_start(nowhere, acme, options, expected):
    with serving(nowhere.data, *options) as program:
        err = program.stop().err

    said = warnings(err)
    assert expected == len(said)
    assert all("warning" == line["level"] and "--tls-cert" in line["advice"] for line in said)


@pytest.mark.proof
def test_https_logs_no_warning_about_plain_http(nowhere, acme, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(certificate, key)
    secure = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with serving(nowhere.data, "--host", "0.0.0.0", *secure) as program:
        assert [] == warnings(program.stop().err)


@pytest.mark.proof
def test_the_demo_stays_on_this_machine(nowhere):
    with Program("demo", "--port", "0", "--json") as program:
        assert [] == warnings(program.stop().err)
