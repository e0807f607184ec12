"""Each decision record says its status, and what it names of our source is there, or marked as changed."""

import ast
import builtins
import keyword
import re
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "src" / "deskroster"
MODULES = sorted(PACKAGE.rglob("*.py"))
RECORDS = sorted((TOP / "docs" / "explanation" / "decisions").glob("[0-9]*.md"))

ONE = r"\[\d{4}\]\(\d{4}-[\w-]+\.md\)"
OTHERS = rf"{ONE}(?:(?:,| and) {ONE})*"
STATUS = re.compile(
    rf"# \d{{4}}: [^\n]+\n\nStatus: (?:accepted(?:; in part replaced by {OTHERS})?|replaced by {OTHERS})\."
    r"(?: Names since changed: (?P<changed>[^\n]+)\.)?\n\n"
)
CHANGED = re.compile(r"`(?P<before>[^`]+)` is (?:gone|now `[^`]+`(?:(?:,| and) `[^`]+`)*)")
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]*(?:/[\w.-]+)*\.(?:py|toml|md)(?!\w)")
FOLDER = re.compile(r"[a-z]\w*(?:/\w+)+/?")
NAME = re.compile(r"(?:(?P<path>[\w/.]+\.py): )?(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(\))?")

NOT_OURS = {
    "LISTEN", "NOTIFY", "QueueListener", "credentials_file", "deskroster_log_lines_dropped_total", "httpx.Client",
    "httpx.HTTPError", "logging.handlers.QueueHandler", "pg_dump", "ttl",
}  # fmt: skip
"""Names in the records that belong to other programs, or are made by one of them."""

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem[:4])


@each_record
def test_a_decision_record_says_its_status(record):
    status = STATUS.match(record.read_text(encoding="utf-8"))

    assert status, "the line below the title has none of the forms that decisions/index.md lists"
    for one in (status["changed"] or "").split("; "):
        assert not one or CHANGED.fullmatch(one), f"neither '`old` is now `new`' nor '`old` is gone': {one}"


@each_record
def test_what_a_decision_record_names_is_in_the_source_or_marked_as_changed(record):
    gone = names_that_are_gone(record.read_text(encoding="utf-8"))

    assert [] == gone, (
        f"{record.relative_to(TOP)} names what is not in the source. Leave its text as it is, and end its line "
        f"'Status: …' with: Names since changed: {'; '.join(f'`{one}` is now `…`' for one in gone)}. "
        "(Or: `…` is gone. The name of another program belongs into NOT_OURS in tests/test_decision_records.py.)"
    )


def test_control_a_name_that_is_gone_is_noticed_unless_it_is_marked():
    gone = ["old.py", "core/old.py", "core/old", "Roster.renamed_since", "roster.py: Agent", "RenamedSince"]
    there = ["core/roster.py: Roster", "core/roster.py", "core/", "Roster.fill", "deskroster.testing", "len()"]
    text = ", ".join(f"`{name}`" for name in gone + there)
    marks = "; ".join(f"`{name}` is now `core/ids.py: Ids`" for name in gone)

    assert gone == names_that_are_gone(f"# 0000: Title\n\nStatus: accepted.\n\n{text}")
    assert [] == names_that_are_gone(f"# 0000: Title\n\nStatus: accepted. Names since changed: {marks}.\n\n{text}")


def test_control_the_new_name_of_something_is_looked_up_as_well():
    record = "# 0000: Title\n\nStatus: accepted. Names since changed: `old.py` is now `older.py`.\n\n`old.py`"

    assert ["older.py"] == names_that_are_gone(record)


def names_that_are_gone(record: str) -> list[str]:
    """Return the files, folders and names of code in a record that neither exist nor are marked as changed."""
    status = STATUS.match(record)
    marked = {change["before"] for change in CHANGED.finditer((status and status["changed"]) or "")} | NOT_OURS
    gone: list[str] = []
    for quoted in QUOTED.findall(record):
        if quoted in marked:
            continue
        paths = PATH.findall(quoted)
        gone += [path for path in paths if path not in marked and not files_at(path)]
        if is_gone(quoted) and not any(path in marked or path in gone for path in paths):
            gone.append(quoted)
    return list(dict.fromkeys(gone))


def is_gone(quoted: str) -> bool:
    """Return whether a text is the name of a folder, or a name of code, that does not exist."""
    if FOLDER.fullmatch(quoted):
        return (PACKAGE / quoted.partition("/")[0]).is_dir() and not (PACKAGE / quoted).is_dir()
    name = NAME.fullmatch(quoted)
    if name is None or PATH.fullmatch(quoted):
        return False
    known = set().union(*map(defined, files_at(name["path"]))) if name["path"] else known_names()
    return not set(name["name"].split(".")) <= known


def files_at(path: str) -> list[Path]:
    """Return the file at a path of the repository, or the modules whose path ends so."""
    return [TOP / path] if (TOP / path).is_file() else [module for module in MODULES if module.match(path)]


def defined(module: Path) -> set[str]:
    """Return the names that a module defines."""
    names = set()
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@cache
def known_names() -> set[str]:
    """Return the names that our code uses, with the words of its strings, but not of its comments and docstrings."""
    names = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "deskroster", *(module.stem for module in MODULES)}
    for module in MODULES:
        tree = ast.parse(module.read_bytes())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) not in docstrings:
                for value in vars(node).values():
                    names |= set(re.findall(r"\w+", value)) if isinstance(value, str) else set()
    return names
