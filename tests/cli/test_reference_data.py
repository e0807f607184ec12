"""`position`, `role`, `permission-set`, `department` and `field`."""

import pytest

pytestmark = pytest.mark.any_engine


@pytest.mark.parametrize("kind", ["position", "role", "permission-set", "department"])
def test_reference_data_is_added_listed_renamed_and_removed(command, kind):
    made = command(kind, "add", "质检", "--json").json
    command(kind, "rename", str(made["id"]), "质检员")
    listed = command(kind, "list", "--json").json
    removed = command(kind, "remove", str(made["id"]))

    assert "质检员" == listed[-1]["name"]
    assert 0 == removed.code
    assert len(listed) - 1 == len(command(kind, "list", "--json").json)


def test_a_list_for_people_in_a_pipe_has_a_line_for_each_and_tabs_between(command):
    command("role", "add", "质检", "--description", "quality")

    assert "ID\tName\tDescription\n1\t客服\t–\n2\t质检\tquality\n" == command("role", "list").out


def test_a_department_is_added_below_another_which_then_stays(command):
    command("department", "add", "总部")
    command("department", "add", "一部", "--parent", "1")

    assert [(1, None), (2, 1)] == [
        (one["id"], one["parent_id"]) for one in command("department", "list", "--json").json
    ]
    assert 4 == command("department", "remove", "1").code
    assert 1 == command("department", "add", "二部", "--parent", "9").code


def test_what_an_agent_has_stays_and_what_is_gone_is_not_found(command):
    assert 4 == command("position", "remove", "1").code
    assert 3 == command("position", "remove", "2").code
    assert 3 == command("position", "rename", "2", "x").code


def test_a_profile_field_is_added_listed_relabelled_and_removed(command):
    choices = ("--type", "single_listbox", "--option", "本科", "--option", "硕士")
    made = command("field", "add", "education", "学历", *choices, "--json").json
    twice = command("field", "add", "education", "学历", *choices)
    command("field", "rename", "1", "教育")

    assert ["本科", "硕士"] == made["options"]
    assert 4 == twice.code
    assert [("education", "教育")] == [
        (one["api_name"], one["label"]) for one in command("field", "list", "--json").json
    ]
    assert 0 == command("field", "remove", "1").code


def test_a_type_that_is_none_is_a_usage_error_that_lists_them(command):
    refused = command("field", "add", "x", "X", "--type", "colour")

    assert 2 == refused.code
    assert "single_line" in refused.err


@pytest.mark.parametrize(
    ("type", "option"),
    [("single_listbox", "--option NAME"), ("multi_listbox", "--option NAME"), ("cascade", "--option PARENT,CHILD")],
)
def test_a_list_box_without_options_is_told_which_option_names_them(command, type, option):
    refused = command("field", "add", "education", "学历", "--type", type)

    assert 2 == refused.code
    assert f"a field of type {type} needs options" in refused.err
    assert option in refused.err


def test_a_type_that_takes_no_options_is_told_which_do(command):
    refused = command("field", "add", "hired_on", "入职日期", "--type", "date", "--option", "x")

    assert 2 == refused.code
    assert "a field of type date takes no options" in refused.err
    assert "single_listbox, multi_listbox and cascade" in refused.err


def test_a_name_with_brackets_is_shown_as_it_is(command):
    assert "[red]x[/red]" in command("position", "add", "[red]x[/red]", "--json").json["name"]
    assert "[red]x[/red]" in command("position", "list").out
    assert "[red]x[/red]" in command("position", "add", "[red]x[/red]").out
