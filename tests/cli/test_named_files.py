"""Files that an option names, and that are not there or cannot be read."""

import pytest

pytestmark = pytest.mark.once

UNREADABLE = "/proc/self/mem"  # a file that even root cannot read: there is nothing at address 0


@pytest.fixture
def naming(command, tmp_path):
    """Run the command of an option with a file for it."""
    there = tmp_path / "there.pem"
    there.write_text("")
    commands = {
        "--tls-cert": ("serve", "--tls-key", str(there)),
        "--tls-key": ("serve", "--tls-cert", str(there)),
        "--metrics-token-file": ("serve",),
        "--key-file": ("restore", str(tmp_path / "backup")),
    }
    return lambda option, file: command(*commands[option], option, str(file))


OPTIONS = pytest.mark.parametrize("option", ["--tls-cert", "--tls-key", "--metrics-token-file", "--key-file"])


@OPTIONS
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_said_of_the_data(naming, option):
    refused = naming(option, UNREADABLE)

    assert (1, f"Error: {UNREADABLE}: Input/output error\n") == (refused.code, refused.err)


@OPTIONS
@pytest.mark.parametrize("name", ["absent", ".", "there.pem/below"])
def test_a_file_that_is_not_there_is_not_found(naming, tmp_path, option, name):
    refused = naming(option, tmp_path / name)

    assert (3, f"Error: there is no file {tmp_path / name}\n") == (refused.code, refused.err)
