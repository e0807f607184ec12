"""How clients prove who they are: by one value of a dialect for printed commands, its page and the testing clients."""

import html
import json
import re
import subprocess
from base64 import b64decode

import pytest

from deskroster.dialects import DIALECTS
from deskroster.testing import Emulator
from tests.answers import check
from tests.contracts import BY_NAME, CONTRACTS, lists

pytestmark = pytest.mark.once

FORMS = [pytest.param(name, form, id=f"{name} {form}") for name in CONTRACTS for form in CONTRACTS[name].forms]


@pytest.fixture(scope="module")
def emulator():
    with Emulator(empty=True) as running:
        yield running


@pytest.mark.parametrize(("dialect", "form"), FORMS)
def test_a_printed_curl_is_accepted_in_every_form_and_each_time_that_it_is_run(emulator, dialect, form):
    admin, credentials = emulator.admin, CONTRACTS[dialect].forms[form]
    command = credentials.curl(admin.email, admin.token, emulator.url + lists(dialect))

    for _ in range(2):
        answer = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout

        assert CONTRACTS[dialect].answers.success == json.loads(answer).get("code")
        assert CONTRACTS[dialect].named.names(json.loads(answer)) is not None


@pytest.mark.parametrize(("dialect", "form"), FORMS)
def test_a_proof_never_sends_the_token_as_a_parameter(dialect, form):
    proof = CONTRACTS[dialect].forms[form].prove("a@b.cn", "the-token", 1_700_000_000, "n")

    assert "the-token" not in proof.parameters.values()
    assert bool(proof.parameters) != bool(proof.headers)
    assert set(proof.parameters) <= BY_NAME[dialect].signature


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_page_of_a_dialect_proves_who_calls_as_its_clients_do(quiet_desk, dialect):
    page = quiet_desk.plain().get(f"/docs/{dialect.name}").text
    signing = json.loads(html.unescape(re.search(r'data-credentials="([^"]*)"', page)[1]))

    assert ("digest" in signing) == bool(dialect.signature)
    if "suffix" in signing:
        name = b64decode(dialect.credentials.prove("a@b.cn", "t", 0, "").headers["Authorization"].split()[1]).decode()
        assert f"a@b.cn{signing['suffix']}:t" == name
    else:
        values = {"email": "a@b.cn", "token": "t", "timestamp": "1700000000", "nonce": "n", **signing["fixed"]}
        proof = dialect.credentials.prove("a@b.cn", "t", 1_700_000_000, "n").parameters
        assert [*proof] == [part for part in signing["parts"] if part != "token"] + ["sign"]
        assert {**values, "sign": proof["sign"]}.items() >= proof.items()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_shows_a_list_with_its_credentials(emulator, dialect):
    check(dialect.name, getattr(emulator, dialect.name).get(dialect.example), "ok")
