"""`init` and `company`."""

import stat

import pytest

from deskroster.ledger import Store


def test_init_makes_a_company_with_an_administrator_a_position_and_a_role(nowhere):
    made = nowhere("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com", "--json")

    assert 0 == made.code
    assert "acme" == made.json["company"]
    assert (1, "admin@acme.com") == (made.json["admin"]["id"], made.json["admin"]["email"])
    assert {"password", "token"} < set(made.json["admin"])
    assert ["admin"] == [one["level"] for one in nowhere("agent", "list", "--json").json]
    assert [[1], [1]] == [[one["id"] for one in nowhere(kind, "list", "--json").json] for kind in ("position", "role")]


def test_init_shows_password_and_token_and_says_that_it_is_once(nowhere):
    shown = nowhere("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com").out

    assert all(word in shown for word in ("admin@acme.com", "password", "token", "not shown again"))


@pytest.mark.once
def test_the_folder_and_the_key_are_of_their_owner_alone(command):
    modes = {stat.S_IMODE((command.data / name).stat().st_mode) for name in ("key", "deskroster.db", "lock")}

    assert {0o600} == modes
    assert 0o700 == stat.S_IMODE(command.data.stat().st_mode)


def test_init_takes_a_password_from_standard_input(nowhere):
    made = nowhere("init", "--label", "acme", "--name", "A", "--email", "a@b.com", "--ask-password", "--json",
                   stdin="my own password\n")  # fmt: skip

    assert "my own password" == made.json["admin"]["password"]


@pytest.mark.parametrize(
    ("label", "email", "stdin", "why"),
    [
        ("Acme!", "a@b.com", "long enough\n", "label"),
        ("acme", "nobody", "long enough\n", "email"),
        ("acme", "a@b.com", "short\n", "password"),
        ("acme", "a@b.com", "", "no password"),
    ],
)
def test_init_refuses_what_breaks_a_rule_and_can_be_run_again(nowhere, label, email, stdin, why):
    refused = nowhere("init", "--label", label, "--name", "A", "--email", email, "--ask-password", stdin=stdin)
    again = nowhere("init", "--label", "acme", "--name", "A", "--email", "a@b.com")

    assert refused.code in (1, 2)
    assert why in refused.err
    assert "" == refused.out
    assert 0 == again.code


def test_init_leaves_an_installation_alone(command):
    again = command("init", "--label", "other", "--name", "Other", "--email", "a@b.com")

    assert 4 == again.code
    assert "company add" in again.err
    assert ["acme"] == [one["label"] for one in command("company", "list", "--json").json]


def test_a_second_company_starts_like_the_first_and_is_named_by_its_label(command):
    added = command("company", "add", "beta", "--name", "Beta", "--email", "admin@beta.com", "--json")
    command("position", "add", "店长", "--company", "beta")

    assert "beta" == added.json["company"]
    assert ["客服专员", "店长"] == [
        one["name"] for one in command("position", "list", "--company", "beta", "--json").json
    ]
    assert 1 == len(command("position", "list", "--company", "acme", "--json").json)


def test_with_several_companies_one_must_be_named(command):
    command("company", "add", "beta", "--name", "Beta", "--email", "admin@beta.com")

    unnamed = command("position", "list")
    unknown = command("position", "list", "--company", "gamma")

    assert (2, 3) == (unnamed.code, unknown.code)
    assert "acme, beta" in unnamed.err
    assert "acme, beta" in unknown.err


def test_a_label_is_taken_once(command):
    added = command("company", "add", "acme", "--name", "Other", "--email", "a@b.com")
    command("company", "add", "beta", "--name", "Beta", "--email", "a@b.com")
    renamed = command("company", "set", "beta", "--label", "acme")

    assert (4, 4) == (added.code, renamed.code)


def test_the_settings_of_a_company_are_changed_one_by_one(command):
    command("company", "set", "acme", "--time-zone", "Europe/London", "--calls-per-minute", "60")
    command("company", "set", "acme", "--language", "en", "--signature-form", "B", "--signature-form", "A")

    assert [
        {
            "label": "acme",
            "name": "Acme",
            "language": "en",
            "time_zone": "Europe/London",
            "signature_forms": ["A", "B"],
            "calls_per_minute": 60,
            "default_position_id": 1,
            "cors_origins": [],
        }
    ] == command("company", "list", "--json").json


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", ""])
def test_a_time_zone_is_one_of_the_world(command, zone):
    refused = command("company", "set", "acme", "--time-zone", zone)

    assert 1 == refused.code
    assert "time_zone" in refused.err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("field", "add", "hired-on", "入职日期"), "api_name has the wrong format: a letter followed"),
        (("field", "add", "area", "地区", "--type", "cascade", "--option", "华东"), "an option such as PARENT,CHILD"),
        (("field", "add", "education", "学历", "--type", "multi_listbox", "--option", "a,b"), "without a comma"),
        (("company", "set", "acme", "--label", "A_B"), "lower-case letters and digits with hyphens between them"),
        (("company", "set", "acme", "--cors-origin", "example"), "an origin such as https://"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_format_is_told_the_format(command, arguments, wanted):
    refused = command(*arguments)

    assert 1 == refused.code
    assert wanted in " ".join(refused.err.split())


def test_a_company_that_is_not_there_is_not_found(command):
    assert 3 == command("company", "set", "gamma", "--name", "Gamma").code


def test_nothing_is_kept_open_after_a_command(command):
    command("company", "list")

    Store.open(command.data)._engine.close()
