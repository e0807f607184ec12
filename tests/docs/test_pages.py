"""The commands that the pages print do what the pages say, pasted into an interactive shell as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter

import pytest

from deskroster.dialects import DIALECTS
from tests.cli.program import environment
from tests.docs import blocks
from tests.docs.blocks import README, TOP, Block
from tests.docs.reader import Reader
from tests.docs.terminal import SHELLS, CommandFailed, Terminal

pytestmark = pytest.mark.once

IN_CI = "DESKROSTER_CI"  # set by .ci/run, which installs every shell
TUTORIALS, HOW_TOS = blocks.section("Tutorials"), blocks.section("How-to")
FOLLOWED = [README, *TUTORIALS, *HOW_TOS]
NO_COMMANDS = {*blocks.SHOWN, "dockerfile", "ini", "nginx", "python", "sql", "yaml"}
NOT_RUN = {
    "README.md": 2,
    "run-in-a-container.md": 9,
    "run-on-postgresql.md": 1,
    "run-highly-available.md": 5,
    "add-a-vendor.md": 1,
    "test-your-integration.md": 1,
}
"""How many blocks of commands are not run here, of which page; each says why in a comment before it."""


QUOTED = re.compile(r"""'[^']*'|"[^"]*["]""")
OUR_SYNC = """
import httpx2

def run(base_url, email, token):
    group = {"group": {"name": "夜班"}}
    httpx2.post(f"{base_url}/apiv2/groups.json", json=group, auth=(f"{email}/token", token)).raise_for_status()
"""


def installed(shell: str) -> None:
    """Skip what needs a shell that is not there; not in CI, which installs it."""
    if shutil.which(shell) is None:
        assert IN_CI not in os.environ, f".ci/run has to install {shell}"
        pytest.skip(f"{shell} is not installed, so nothing is pasted into it")


@pytest.fixture(params=SHELLS)
def shell(request):
    installed(request.param)
    return request.param


@pytest.fixture
def made(databases):
    """Give a function that returns the address of a database by its name on the pages, made when it is first named."""
    urls: dict[str, str] = {}

    def url(name: str) -> str:
        if name not in urls:
            urls[name] = databases.create(f"pages_{name}")
        return urls[name]

    yield url
    for name in urls:
        databases.drop(f"pages_{name}")


# ── the pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_commands_of_the_readme_run_as_printed(shell, tmp_path, made):
    with Reader(shell, tmp_path, made) as reader:
        reader.follow(README)


def test_the_commands_of_a_tutorial_run_as_printed(shell, tmp_path):
    with Reader(shell, tmp_path) as reader:
        for page in TUTORIALS:
            reader.follow(page)


def test_every_call_that_the_demo_prints_answers_when_it_is_pasted_again_and_again(shell, tmp_path):
    (shown,) = (block.text for block in blocks.of(README) if block.language == "json")
    with Reader(shell, tmp_path) as reader:
        reader.paste(next(block for block in blocks.of(README) if "make demo" in block.text))
        calls = [line for line in reader.screen.splitlines() if "curl -s" in line]
        answers = [reader.type(call) for call in calls * 2]

    assert len(DIALECTS) == len(calls)
    assert answers[0].strip().startswith(shown.strip().removesuffix("…").strip())
    assert all(isinstance(json.loads(answer), dict) for answer in answers)


def test_the_python_of_the_page_on_tests_runs_beside_a_program_of_one_s_own(tmp_path):
    (page,) = (page for page in HOW_TOS if page.name == "test-your-integration.md")
    conftest, test, emulator = (block.text for block in blocks.of(page) if block.language == "python")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_sync.py").write_text(f"import our_sync\n\n{test}")
    (tmp_path / "test_emulator.py").write_text(f"def test_emulator():\n{textwrap.indent(emulator, '    ')}")
    (tmp_path / "our_sync.py").write_text(OUR_SYNC)

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (0, True) == (ran.returncode, "2 passed" in ran.stdout), ran.stdout


@pytest.mark.proof
def test_the_commands_of_the_how_tos_run_as_printed_each_page_on_what_those_before_it_made(shell, tmp_path, made):
    with Reader(shell, tmp_path, made) as reader:
        for page in HOW_TOS:
            reader.follow(page)

    assert {page.name for page in HOW_TOS} - set(NOT_RUN) <= {block.page.name for block in reader.pasted}


def test_every_block_is_run_or_says_why_not(record_property):
    found = [block for page in FOLLOWED for block in blocks.of(page)]
    left_out = Counter(block.page.name for block in found if block.not_run)
    record_property("run", sum(block.language in blocks.SHELL and not block.not_run for block in found))
    record_property("not run", left_out.total())

    assert [] == [block.place for block in found if is_neither(block)]
    assert NOT_RUN == left_out


def is_neither(block):
    """Tell whether a block is neither run nor known to hold no commands, or is excused without need."""
    if block.language in blocks.SHELL:
        return False
    return block.language not in NO_COMMANDS or block.not_run != ""


@pytest.mark.parametrize(
    ("written", "neither"),
    [
        ("```sh\nls\n```", False),
        ("<!-- not run: it needs a tape -->\n```sh\ntar x\n```", False),
        ("```text\nls\n```", False),
        ("```fish\nls\n```", True),
        ("```\nls\n```", True),
        ("<!-- not run: it is no command -->\n```text\nls\n```", True),
    ],
)
def test_a_block_that_is_neither_run_nor_excused_is_found(tmp_path, written, neither):
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{written}\n")

    assert [neither] == [is_neither(block) for block in blocks.of(page)]


def test_no_command_of_any_page_has_a_comment_beside_it():
    assert [] == [
        f"{block.place}: {line}"
        for page in pages()
        for block in blocks.commands_of(page)
        for line in block.text.splitlines()
        if has_comment(line)
    ]


def test_a_warning_stands_before_the_commands_of_its_section():
    late = [
        f"{page.name}: {section.splitlines()[0]}"
        for page in pages()
        for section in re.split(r"^(?=#+ )", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if re.search(r"^```(?:sh|bash)\n.*^!!! (?:warning|danger)", section, re.MULTILINE | re.DOTALL)
    ]

    assert [] == late


# ── what makes a page fail ───────────────────────────────────────────────────────────────────────────────────────────


def has_comment(line: str) -> bool:
    return bool(re.search(r"(?:^|\s)#", QUOTED.sub("", line)))


def pages():
    tracked = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=TOP, capture_output=True, check=False).stdout
    if not tracked:
        pytest.skip("not a clone")
    return [TOP / name for name in tracked.decode().split("\0") if name and (TOP / name).exists()]


def opened(shell, folder):
    return Terminal(shell, folder, {"PATH": os.environ["PATH"]})


def test_a_shell_that_is_not_installed_is_skipped_and_fails_in_ci(monkeypatch):
    monkeypatch.delenv(IN_CI, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-shell is not installed"):
        installed("no-such-shell")

    monkeypatch.setenv(IN_CI, "1")
    with pytest.raises(AssertionError, match=r"\.ci/run has to install no-such-shell"):
        installed("no-such-shell")


def test_what_pasted_commands_print_is_read(shell, tmp_path):
    with opened(shell, tmp_path) as terminal:
        assert ["one", "two"] == terminal.paste("echo one\necho two").split()


@pytest.mark.parametrize(
    "wrong", ["false", "no-such-command", "true\nls /no/such/file\ntrue", 'echo "more!than"', "deskroster --wrong"]
)
def test_a_command_that_fails_is_noticed(shell, tmp_path, wrong):
    with opened(shell, tmp_path) as terminal, pytest.raises(CommandFailed):
        terminal.paste(wrong)


@pytest.mark.parametrize("wrong", ["ls  # why", "# why", "echo http://localhost/?page=1", "echo =no-such-command"])
def test_zsh_refuses_what_bash_takes(tmp_path, wrong):
    installed("zsh")
    with opened("bash", tmp_path) as terminal:
        terminal.paste(wrong)

    with opened("zsh", tmp_path) as terminal, pytest.raises(CommandFailed):
        terminal.paste(wrong)


@pytest.mark.parametrize(
    ("shows", "prints"),
    [("The key 3 is revoked.", "The key 2 is revoked."), ("token a1bb", "token"), ('{"id":9}', '{"id":19}')],
)
def test_another_output_than_the_page_shows_is_noticed(tmp_path, shows, prints):
    block = Block(README, 1, "sh", f"echo '{prints}'", "", shows)
    with Reader("bash", tmp_path) as reader, pytest.raises(AssertionError, match="the page shows"):
        reader.paste(block)


def test_secrets_times_and_what_is_left_out_may_differ(tmp_path):
    printed = "token 93bc8d77-757a-4562-9125-e79807dabe25 at 2026-11-22 09:34:33 of agent 1"
    shown = "token a1bb4bda-86e1-4359-9699-f6f7d015d4ff at 2026-11-25 01:33:23 …"
    with Reader("bash", tmp_path) as reader:
        reader.paste(Block(README, 1, "sh", f"echo '{printed}'", "", shown))


@pytest.mark.parametrize("line", ["make demo  # starts", "# starts", "echo 'a' # it's"])
def test_a_comment_is_found(line):
    assert has_comment(line)


@pytest.mark.parametrize("line", ["curl 'http://localhost/#top'", 'echo "${#name}"', "echo '# title'"])
def test_a_number_sign_elsewhere_is_none(line):
    assert not has_comment(line)
