"""Fixtures of the command line's tests."""

import pytest

from tests.cli.program import CommandLine


@pytest.fixture
def nowhere(monkeypatch, capsys, tmp_path):
    """Give the command line, and a folder that is not there yet."""
    return CommandLine(monkeypatch, capsys, tmp_path / "data")


@pytest.fixture
def command(nowhere):
    """Give the command line on an installation with the company `acme`."""
    nowhere("init", "--label", "acme", "--name", "Acme", "--email", "admin@acme.com")
    return nowhere
