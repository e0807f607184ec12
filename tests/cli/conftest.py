"""Fixtures of the command line's tests."""

import gettext
import sys

import pytest
import typer.rich_utils

from tests.cli.program import CommandLine, initialized


@pytest.fixture
def nowhere(monkeypatch, capsys, tmp_path):
    """Give the command line, and a folder that is not there yet."""
    return CommandLine(monkeypatch, capsys, tmp_path / "data")


@pytest.fixture
def command(nowhere):
    """Give the command line on an installation with the company `acme`."""
    initialized(nowhere)
    return nowhere


@pytest.fixture
def acme(nowhere):
    """Give the first administrator of a company; the command line works on the same folder."""
    return initialized(nowhere)


@pytest.fixture
def shared_acme(nowhere, databases, database):
    """Give the first administrator of a company on PostgreSQL; the command line works on its folder."""
    return initialized(nowhere, "--database", databases.url(database))


@pytest.fixture
def in_chinese(nowhere, monkeypatch):
    """Give the command line where the locale is Chinese, and a folder that is not there yet."""
    for name, value in (("LANGUAGE", ""), ("LC_ALL", "zh_CN.UTF-8")):
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "typer.rich_utils")  # it takes its headings from gettext when it is imported
    monkeypatch.delattr(typer, "rich_utils")
    yield nowhere
    gettext.textdomain("messages")
