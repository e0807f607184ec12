"""The command line where the locale is Chinese: what it shows is Chinese, and what is for programs is not touched."""

import io
import json
import re
import shutil
import sys

import pytest
from rich.cells import cell_len

from deskroster.cli import secret
from deskroster.ledger.upkeep import check
from deskroster.testing import StillClock
from deskroster.texts import said
from tests.cli.program import finished, initialized, started
from tests.cli.test_help import COMMANDS
from tests.english import english_in
from tests.served import Served

pytestmark = pytest.mark.once

CHINESE = re.compile(r"[\u4e00-\u9fff]")
GROUPS = ["", "company", "agent", "key", "field", "position", "role", "permission-set", "department"]


def in_one_line(shown: str) -> str:
    """Return what panels and paragraphs say, without frames, lines and examples."""
    shown = re.sub(r"例如：.*?╭", "", shown, flags=re.DOTALL)
    return re.sub(r"[│╭╮╰╯─*]|\s+", " ", shown)


@pytest.mark.parametrize("path", [*(one.values[0] for one in COMMANDS), *((group,) for group in GROUPS)], ids=" ".join)
def test_the_help_of_every_command_is_chinese_and_whole(in_chinese, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", "80")

    shown = in_chinese(*filter(None, path), "--help")

    assert 0 == shown.code
    assert all(map(CHINESE.search, re.findall(r"^╭─ (.*?) ─", shown.out, re.MULTILINE)))
    assert "用法：" in shown.out
    assert "显示此帮助并退出。" in shown.out
    assert "" == english_in(shown.out)
    assert "" == english_in(in_one_line(shown.out))
    assert {"url", "company", "admin", "agent"} >= set(re.findall(r'"?(\w*)"?\W{0,2}…', shown.out)) - {""}
    assert {80} >= {cell_len(line) for line in shown.out.splitlines() if line.startswith(("│", "╭", "╰"))}


WRONG = {
    "a command": ("agnt",),
    "a command of a group": ("agent", "lst"),
    "an option": ("agent", "list", "--dta", "x"),
    "an unknown option": ("--nonsense",),
    "a missing option": ("init",),
    "a missing argument": ("agent", "show"),
    "a missing choice": ("agent", "level", "1"),
    "a choice": ("agent", "level", "1", "chef"),
    "a number": ("serve", "--port", "x"),
    "too great a number": ("serve", "--port", "70000"),
    "too small a number": ("serve", "--port", "-1"),
    "one argument too many": ("agent", "list", "a", "b"),
    "an option without its value": ("agent", "list", "--company"),
    "a flag with a value": ("agent", "list", "--json=3"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_usage_is_told_in_chinese(in_chinese, arguments):
    told = in_chinese(*arguments)

    assert (2, "") == (told.code, told.out)
    assert "─ 错误 ─" in told.err
    assert CHINESE.search(told.err.partition("错误")[2])
    assert "" == english_in(in_one_line(told.err))


REFUSED = {
    "no agent": ("agent", "show", "nobody@acme.com"),
    "no key": ("key", "revoke", "99"),
    "no company": ("agent", "list", "--company", "other"),
    "nothing to set": ("company", "set", "acme"),
    "nothing to set for an agent": ("agent", "sip", "1"),
    "the last administrator": ("agent", "level", "1", "agent"),
    "a type": ("field", "add", "x", "x", "--type", "colour"),
    "a dialect": ("key", "create", "1", "--dialect", "klingon"),
    "a time": ("key", "create", "1", "--expires", "soon"),
    "a company twice": ("company", "add", "acme", "--name", "A", "--email", "a@a.com"),
    "no password": ("password", "1"),
    "an installation twice": ("init", "--label", "b", "--name", "B", "--email", "b@b.com"),
    "several processes": ("serve", "--workers", "2"),
    "half of TLS": ("serve", "--tls-cert", "chain.pem"),
    "no file": ("serve", "--metrics-token-file", "/nowhere/token"),
    "a network": ("serve", "--trusted-proxy", "there"),
    "a host": ("serve", "--allowed-host", "a b"),
    "an address": ("serve", "--host", "203.0.113.1"),
    "the demo for others": ("demo", "--host", "203.0.113.1"),
    "the demo on others' data": ("demo", "--port", "0"),
    "no backup": ("restore", "/nowhere"),
    "a move to nowhere": ("move", "--to", "sqlite"),
    "a move to no address": ("move", "--to", "host=a,b port=1,2,3 dbname=c"),
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_in_chinese(in_chinese, tmp_path, arguments):
    initialized(in_chinese)
    more = ("--data", str(in_chinese.data)) if arguments[0] == "demo" and "--host" not in arguments else ()

    told = in_chinese(*arguments, *more)

    assert told.code not in (0, 130)
    assert told.err.startswith("错误：")
    assert all(CHINESE.search(line.partition("：")[2]) for line in told.err.splitlines())
    assert "" == english_in(told.err)


def test_a_folder_that_is_no_installation_is_told_in_chinese(in_chinese):
    told = in_chinese("doctor")

    assert 3 == told.code
    assert f"错误：{in_chinese.data} 中没有安装实例\n提示：创建安装实例：deskroster init" in told.err


DONE = {
    "company add": ("company", "add", "beta", "--name", "Beta", "--email", "b@beta.com"),
    "company set": ("company", "set", "acme", "--name", "新名称"),
    "agent level": ("agent", "level", "1", "admin"),
    "agent sip": ("agent", "sip", "1", "--number", "6003"),
    "password": ("password", "1"),
    "key create": ("key", "create", "1"),
    "field add": ("field", "add", "hired_on", "入职日期"),
    "position add": ("position", "add", "组长"),
    "position rename": ("position", "rename", "1", "专员"),
    "role add": ("role", "add", "质检", "--description", "检查"),
    "permission-set add": ("permission-set", "add", "报表"),
    "department add": ("department", "add", "华东"),
    "rotate": ("rotate-installation-key",),
    "backup": ("backup",),
    "doctor": ("doctor",),
}


@pytest.mark.parametrize("arguments", DONE.values(), ids=DONE)
def test_what_was_done_is_told_in_chinese(in_chinese, arguments):
    initialized(in_chinese)

    told = in_chinese(*arguments, stdin="correct horse battery\n")

    assert (0, "") == (told.code, told.err)
    assert CHINESE.search(told.out)
    assert "" == english_in(told.out)


@pytest.mark.parametrize("group", GROUPS[1:])
def test_the_headings_of_a_table_are_chinese_and_its_columns_stand_below_one_another(in_chinese, monkeypatch, group):
    initialized(in_chinese)
    for name, value in {"_force_terminal": True, "_width": 400, "_height": 50}.items():
        monkeypatch.setattr(f"deskroster.cli.console.out.{name}", value)
    in_chinese("field", "add", "hired_on", "入职日期")

    shown = in_chinese(group, "list")

    heading, *rows = re.sub(r"\x1b\[[\d;]*m", "", shown.out).splitlines()
    assert CHINESE.search(heading)
    assert "" == english_in(heading)
    widths = [cell_len(heading[: found.start()]) for found in re.finditer(r"(?<=  )\S", heading)]
    for row in rows:
        starts = {cell_len(row[: found.start()]) for found in re.finditer(r"(?<=  )\S", row)}
        assert starts <= set(widths)


def test_the_demo_shows_its_screen_in_chinese(in_chinese):
    with started("demo", "--port", "0") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        shown = "".join([next(lines) for _ in range(15)])
        process.terminate()

    assert "演示已启动：http://127.0.0.1:" in shown
    assert "管理员（id 1）\n  邮箱      admin@example.com\n  密码      " in shown
    assert "各个 API" in shown
    assert "" == english_in(shown)


def test_a_secret_is_asked_for_in_chinese_until_both_are_the_same(in_chinese, monkeypatch):
    answers, asked = iter(["one", "two", "same", "same"]), []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(secret.typer, "prompt", lambda text, **how: asked.append(text) or next(answers))

    assert "same" == secret.read_password()
    assert ["密码：", "再次输入以确认："] * 2 == asked


def test_what_doctor_finds_is_told_in_chinese(in_chinese, monkeypatch):
    initialized(in_chinese)
    where = said("the log of company {company_id} is broken at commit {number}", company_id=1, number=2)
    monkeypatch.setattr(check, "everything", lambda db, key: [check.Finding("log", 1, where)])

    told = in_chinese("doctor")

    assert 1 == told.code
    assert "异常  变更日志    acme 公司 1 的变更日志在提交 2 处损坏" in told.out
    assert "错误：检查发现异常\n提示：在改动该目录之前，请先保留整个目录的副本。" in told.err


def test_a_damaged_folder_is_told_in_chinese(in_chinese):
    initialized(in_chinese)
    database = in_chinese.data / "deskroster.db"
    database.write_bytes(database.read_bytes()[:5000] + b"\xff" * 20_000)

    told = in_chinese("position", "list")

    assert 7 == told.code
    assert "提示：请保留整个目录的副本，然后把最近的备份恢复到新目录：deskroster restore BACKUP" in told.err
    assert "" == english_in(told.err)


def test_a_server_answers_in_the_language_of_the_command(in_chinese, prepared, tmp_path):
    shutil.copytree(prepared, in_chinese.data)

    with Served(in_chinese.data, StillClock()):
        looked = in_chinese("doctor")
        refused = in_chinese("backup", str(tmp_path))
        unknown = in_chinese("position", "rename", "99", "x")

    assert "正常  外键        每一行引用的行都存在" in looked.out
    assert f"错误：{tmp_path} 已存在\n" == refused.err
    assert "错误：岗位不存在\n" == unknown.err


def test_json_is_the_same_in_every_language(in_chinese, monkeypatch):
    initialized(in_chinese)
    commands = (("doctor",), ("agent", "list"), ("key", "list"), ("company", "list"))
    chinese = [in_chinese(*one, "--json").json for one in commands]
    monkeypatch.setenv("LC_ALL", "C")

    english = [in_chinese(*one, "--json").json for one in commands]

    assert english[1:] == chinese[1:]
    assert [(one["what"], one["ok"]) for one in english[0]["checks"]] == [
        (one["what"], one["ok"]) for one in chinese[0]["checks"]
    ]
    assert not CHINESE.search(json.dumps(chinese[0], ensure_ascii=False))


@pytest.mark.parametrize("encoding", ["ascii", "big5", "gb18030"])
def test_an_output_that_cannot_encode_chinese_gets_english(in_chinese, monkeypatch, encoding):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=encoding, write_through=True))

    in_chinese("agent", "list", "--help")

    assert ("按 id 列出客服" if encoding == "gb18030" else "List the agents") in printed.getvalue().decode(encoding)


def test_what_is_done_for_a_shell_is_told_in_chinese(in_chinese, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "bash")

    installed = in_chinese("--install-completion")

    assert 0 == installed.code
    assert f"已在 {tmp_path}/.bash_completions/deskroster.sh 安装 bash 的命令补全" in installed.out.replace("\n", " ")
    assert "" == english_in(installed.out)
    assert (tmp_path / ".bash_completions" / "deskroster.sh").exists()


@pytest.mark.parametrize(("locale", "told"), [("zh-Hans", "用法："), ("zh_TW.UTF-8", "用法："), ("C", "Usage: ")])
def test_the_program_heeds_the_locale(monkeypatch, locale, told):
    for name, value in (("LANGUAGE", ""), ("LC_ALL", locale), ("PYTHONIOENCODING", "utf-8")):
        monkeypatch.setenv(name, value)

    shown = finished("agent", "--nonsense")

    assert 2 == shown.code
    assert shown.err.startswith(told)


def test_control_a_text_that_is_not_translated_is_seen(in_chinese, monkeypatch):
    monkeypatch.setattr("deskroster.cli.agents.said", lambda message, **values: said(f"Sorry, {message}", **values))
    initialized(in_chinese)

    assert "there is" == english_in(in_chinese("agent", "show", "nobody@acme.com").err)
