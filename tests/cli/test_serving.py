"""`serve`: a server in a process of its own, and commands that reach it by the socket in its folder."""

import errno
import json
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deskroster.admin import sockets
from deskroster.cli.console import Refused
from deskroster.cli.opening import refusing
from deskroster.cli.serving import _refusing_listen_errors
from deskroster.server import CannotListen, _tls
from deskroster.settings import Settings
from deskroster.testing import Account, Clients
from tests.cli.program import PATIENCE, Program, environment, finished, started


def serving(data, *options):
    return Program("serve", "--data", str(data), "--port", "0", "--json", *options)


def clients(program, account):
    """Give an account's clients, closed in the end."""
    return closing(Clients(program.ready["url"], account, time.time, httpx2.HTTPTransport))


def test_commands_reach_a_served_folder_and_what_they_write_is_served_at_once(nowhere, acme):
    with (
        serving(nowhere.data) as program,
        clients(program, acme) as served,
    ):
        nowhere("role", "add", "质检")
        roles = served.udesk.get("/agent_roles").json()["agent_roles"]
        nowhere("key", "revoke", "1")
        refused = served.udesk.get("/agent_roles").json()["code"]
        backup = nowhere("backup", str(nowhere.data.parent / "backup"))
        doctor = nowhere("doctor")

    assert {"event": "ready", "url": program.ready["url"], "company": "acme"} == program.ready
    assert ["客服", "质检"] == [role["name"] for role in roles]
    assert 2059 == refused
    assert (0, 0) == (backup.code, doctor.code)


@pytest.mark.proof
def test_the_socket_is_its_owner_s_alone_and_gone_when_the_server_is(nowhere, acme):
    with serving(nowhere.data) as program:
        file = nowhere.data / sockets.FILE
        mode = file.stat().st_mode
        ended = program.stop()

    assert stat.S_ISSOCK(mode)
    assert 0o600 == stat.S_IMODE(mode)
    assert (0, "") == (ended.code, ended.out)
    assert not file.exists()


@pytest.mark.once
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.proof) for one in (signal.SIGINT, signal.SIGHUP))]
)
def test_a_signal_stops_it_in_good_order(nowhere, acme, number):
    with serving(nowhere.data) as program:
        ended = program.stop(number)

    assert (0, "") == (ended.code, ended.out)
    assert acme.token not in ended.err
    assert '"event": "ready"' in ended.err
    assert 0 == nowhere("doctor").code


def signalled_while_starting(data, times, seconds, *faults):
    """Return how servers end that are sent a signal at some moment of their start: exit codes, None for who stays."""
    command = [sys.executable, "-m", "tests.cli.signalled", str(data), str(times), str(seconds), *faults]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment())
    return set(json.loads(ended.stdout))


@pytest.mark.proof
@pytest.mark.once
def test_a_signal_at_any_moment_of_its_start_ends_it(nowhere, acme):
    """An exception that a signal raises in the midst of the loop's work may be lost, or keep the loop from closing."""
    assert {130} <= signalled_while_starting(nowhere.data, 150, PATIENCE) <= {0, 130, -signal.SIGTERM}


@pytest.mark.proof
@pytest.mark.once
def test_control_a_server_whose_signals_raise_wherever_they_come_is_noticed(nowhere, acme):
    assert not signalled_while_starting(nowhere.data, 40, 5, "raising") <= {0, 130, -signal.SIGTERM}


@pytest.mark.proof
def test_the_socket_of_a_killed_server_confuses_nobody(nowhere, acme):
    with serving(nowhere.data) as program:
        program.stop(signal.SIGKILL)

    left = (nowhere.data / sockets.FILE).exists()
    in_process = nowhere("position", "list")
    with serving(nowhere.data):
        by_socket = nowhere("position", "list")

    assert left
    assert (0, 0) == (in_process.code, by_socket.code)


@pytest.mark.once
@pytest.mark.proof
def test_a_folder_with_a_long_path_is_served_too(nowhere, tmp_path):
    nowhere.data = tmp_path / ("long" * 20) / ("path" * 20)
    where = ("--data", str(nowhere.data))
    nowhere("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", *where)

    with serving(nowhere.data):
        listening = sockets.answers(nowhere.data)
        listed = nowhere("position", "list", *where)

    assert listening
    assert 0 == listed.code


@pytest.mark.proof
@pytest.mark.once
def test_commands_reach_a_server_that_was_told_where_the_data_is_and_its_folder_not(nowhere, databases, tmp_path):
    url = databases.create("told")
    company = ("--label", "acme", "--name", "Acme", "--email", "admin@acme.com")
    nowhere("init", "--data", str(tmp_path / "first"), "--database", url, *company)
    second = tmp_path / "second"
    second.mkdir(mode=0o700)
    (second / "key").write_bytes((tmp_path / "first" / "key").read_bytes())
    (second / "key").chmod(0o600)

    with serving(second, "--database", url):
        listed = nowhere("position", "list", "--data", str(second))
    without = nowhere("position", "list", "--data", str(second))
    databases.drop("told")

    assert (0, 3) == (listed.code, without.code), listed.err


def test_a_folder_is_served_by_one_process(nowhere, acme):
    with serving(nowhere.data):
        second = finished("serve", "--data", str(nowhere.data), "--port", "0", "--json")

    assert (5, "") == (second.code, second.out)


@pytest.mark.proof
@pytest.mark.once
def test_a_port_in_use_is_said_to_be(nowhere, acme):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = finished("serve", "--data", str(nowhere.data), "--port", str(taken.getsockname()[1]))

    assert 5 == refused.code
    assert "in use" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.once
@pytest.mark.parametrize(
    ("host", "port", "option"),
    [("127.0.0.1", 8321, "--port"), ("127.0.0.1", 9321, "--metrics-port"), ("192.0.2.1", 9321, "--port")],
)
def test_the_hint_at_a_port_in_use_names_its_option(tmp_path, host, port, option):
    settings = Settings(data=tmp_path, host=host, metrics_host="127.0.0.1", metrics_port=9321)
    with pytest.raises(Refused) as refused, _refusing_listen_errors(settings):
        raise CannotListen(errno.EADDRINUSE, "", host, port)

    assert f"{option} 0 takes a free one." == str(refused.value.hint)


@pytest.mark.once
def test_a_certificate_that_has_become_unreadable_is_not_taken_for_the_folder(tmp_path):
    gone = Settings(data=tmp_path, tls_certificate=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    with pytest.raises(Refused) as refused, refusing(tmp_path), _refusing_listen_errors(gone):
        _tls(gone)

    assert "the certificate and its key cannot be used: No such file or directory" == str(refused.value.why)
    assert None is refused.value.hint


@pytest.mark.once
@pytest.mark.proof
def test_a_refused_signature_is_not_explained(nowhere, acme):
    stranger = Account(id=1, email=acme.email, password="", token="wrong")
    with (
        serving(nowhere.data) as program,
        clients(program, stranger) as served,
    ):
        answer = served.udesk.get("/user_groups").json()

    assert 2059 == answer["code"]
    assert "exception" not in answer


@pytest.mark.once
def test_it_serves_https_with_a_certificate(nowhere, acme, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(certificate, key)
    secure = ("--tls-cert", str(certificate), "--tls-key", str(key))

    with serving(nowhere.data, *secure) as program:
        url = program.ready["url"]
        live = httpx2.get(f"{url}/live", verify=False, trust_env=False)

    assert url.startswith("https://")
    assert 200 == live.status_code


@pytest.mark.once
@pytest.mark.proof
def test_a_client_that_is_connected_by_tls_and_silent_does_not_hold_up_the_end(nowhere, acme, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(certificate, key)
    with (
        serving(nowhere.data, "--tls-cert", str(certificate), "--tls-key", str(key)) as program,
        httpx2.Client(base_url=program.ready["url"], verify=False, trust_env=False) as silent,
    ):
        silent.get("/live")
        began = time.monotonic()
        stopped = program.stop()

    assert 0 == stopped.code
    assert time.monotonic() - began < 25  # of the 30 s that what is in flight is given


@pytest.mark.once
@pytest.mark.proof
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--host", "256.1.1.1"), "cannot listen on 256.1.1.1"),
        (("--host", "192.0.2.1"), "cannot listen on 192.0.2.1"),
        (("--tls-cert", __file__, "--tls-key", __file__), "certificate"),
    ],
)
def test_what_stands_in_the_way_of_serving_is_told_and_not_taken_for_the_folder(nowhere, acme, options, told):
    refused = finished("serve", "--data", str(nowhere.data), "--port", "0", *options)

    assert (1, "") == (refused.code, refused.out)
    assert told in refused.err
    assert str(nowhere.data) not in refused.err


@pytest.mark.once
@pytest.mark.parametrize(
    "options",
    [
        ("--tls-cert", "cert.pem"),
        ("--trusted-proxy", "somewhere"),
        ("--port", "70000"),
        ("--allowed-host", "desk.example.com:8321"),
        ("--allowed-host", "desk.*.com"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(command, options):
    assert 2 == command("serve", *options).code


@pytest.mark.proof
@pytest.mark.once
def test_forwarded_headers_are_believed_of_a_trusted_proxy_only(nowhere, acme):
    def url_of_a_group(*options):
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "desk.acme.com", "X-Forwarded-For": "10.1.1.1"}
        with serving(nowhere.data, *options) as program, clients(program, acme) as served:
            made = served.kf5.post("/groups.json", json={"group": {"name": "售前"}}, headers=forwarded)
        return made.json()["group"]["url"], program.ready["url"]

    trusted, _ = url_of_a_group("--trusted-proxy", "127.0.0.0/8")
    untrusted, own = url_of_a_group()

    assert trusted.startswith("https://desk.acme.com/")
    assert untrusted.startswith(own)


@pytest.mark.once
@pytest.mark.proof
def test_only_allowed_hosts_are_served_and_of_a_trusted_proxy_it_is_the_forwarded_one_that_counts(nowhere, acme):
    def statuses(*options):
        with (
            serving(nowhere.data, "--allowed-host", "desk.acme.com", *options) as program,
            clients(program, acme) as served,
        ):
            hosts = ("desk.acme.com", "evil.test")
            own = [served.kf5.get("/groups.json", headers={"Host": host}).status_code for host in hosts]
            forwarded = [served.kf5.get("/groups.json", headers={"X-Forwarded-Host": host}) for host in hosts]
        return own, [answer.status_code for answer in forwarded]

    assert ([200, 401], [401, 401]) == statuses()
    assert ([200, 401], [200, 401]) == statuses("--trusted-proxy", "127.0.0.0/8")


@pytest.mark.once
@pytest.mark.proof
def test_a_reader_that_has_gone_away_does_not_stop_it(nowhere, acme):
    process = started("serve", "--data", str(nowhere.data), "--port", "0", "--json", stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    url = process.stdout.readline()
    process.stdout.close()
    try:
        assert "ready" in url
        assert 0 == nowhere("position", "list").code
    finally:
        process.terminate()
        assert 0 == process.wait(PATIENCE)


def self_signed(certificate, key):
    """Write a certificate for 127.0.0.1 that signs itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
