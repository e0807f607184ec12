"""What the architecture promises about the code, held against the code itself."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "src" / "deskroster"
DRAWING = TOP / "docs" / "explanation" / "architecture.md"

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50
FORBIDDEN_ENDINGS = ("Service", "Manager", "Handler", "Repository", "Util", "Utils", "Helper", "Helpers", "Base")

THE_EDGE = {"dialect", "dialects", "admin", "app", "guards", "server"}
AT_HOME_ONLY_IN = {"sqlalchemy": {"ledger"}, "alembic": {"ledger"}, "starlette": THE_EDGE, "uvicorn": THE_EDGE}
CORE_MAY_IMPORT = sys.stdlib_module_names | {"msgspec", "email_validator", "deskroster"}
CORE_MAY_NOT_IMPORT = {
    "asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "subprocess",
    "tempfile", "threading", "time", "uuid",
}  # fmt: skip
"""The doors to I/O, the clock and randomness."""

FOLDER_OF_A_MACHINE = re.compile(rf"(?<![\w.~}}-])/(?:(?:home|Users)/[a-z][\w.-]*|root)/|{re.escape(str(TOP))}/")
LINE_OF_A_DRAWING = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\S+) *(?P<remark>.*)")
NOT_WORTH_DRAWING = {"__init__.py", "__pycache__", "py.typed"}


def test_imports_keep_to_the_contracts(monkeypatch, capsys):
    monkeypatch.chdir(TOP)

    status = lint_imports(no_cache=True, no_logo=True)

    assert 0 == status, capsys.readouterr().out


@pytest.mark.parametrize("library", AT_HOME_ONLY_IN)
def test_a_library_is_imported_only_where_it_is_at_home(library):
    strangers = {
        str(path.relative_to(TOP))
        for path in modules()
        if library in imports(path) and part_of(path) not in AT_HOME_ONLY_IN[library]
    }

    assert set() == strangers


def test_an_engine_is_imported_by_no_module_outside_the_engines():
    """A further engine is one folder: what knows an engine by name would have to know that one too."""
    engines = sorted(
        folder.name for folder in (PACKAGE / "ledger" / "engines").iterdir() if (folder / "__init__.py").exists()
    )
    outside = [path for path in modules() if not path.is_relative_to(PACKAGE / "ledger" / "engines")]
    strangers = {
        f"{path.relative_to(TOP)}: {name}"
        for path in outside
        for name in imported_modules(path)
        if name.startswith(tuple(f"deskroster.ledger.engines.{engine}" for engine in engines))
    }

    assert {"postgresql", "sqlite"} <= set(engines)
    assert set() == strangers


@pytest.mark.parametrize(("driver", "engine"), [("sqlite3", "sqlite"), ("psycopg", "postgresql")])
def test_a_driver_is_imported_only_by_its_engine(driver, engine):
    """And by `copy_file`: a copy of an installation is a file of SQLite, whichever engine has the data."""
    home = (f"ledger/engines/{engine}/", "ledger/engines/copy_file.py")
    strangers = {path.relative_to(PACKAGE).as_posix() for path in modules() if driver in imports(path)}

    assert strangers
    assert [] == [path for path in strangers if not path.startswith(home)]


def test_the_core_imports_nothing_that_does_io_or_knows_the_time():
    imported = {(str(path.relative_to(TOP)), name) for path in modules("core") for name in imports(path)}

    forbidden = {(path, name) for path, name in imported if name in CORE_MAY_NOT_IMPORT or name not in CORE_MAY_IMPORT}

    assert set() == forbidden


def test_only_the_core_makes_pages_so_that_each_says_what_it_was_read_from():
    makers = {
        f"{path.relative_to(TOP)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("Page", "page")
    }

    assert makers
    assert {maker for maker in makers if not maker.startswith("src/deskroster/core/")} == set()


def test_no_file_is_longer_than_one_can_keep_in_mind():
    too_long = {
        str(path.relative_to(TOP)): lines for path in modules() if (lines := count_lines(path)) > MOST_LINES_OF_A_FILE
    }

    assert {} == too_long


def test_no_function_is_longer_than_a_screen():
    too_long = {
        f"{path.relative_to(TOP)}:{function.lineno} {function.name}": lines
        for path in modules()
        for function in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := function.end_lineno - function.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }

    assert {} == too_long


def test_every_class_has_a_name_that_says_something():
    vague = {
        f"{path.relative_to(TOP)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(FORBIDDEN_ENDINGS)
    }

    assert set() == vague


def test_the_tree_in_the_docs_is_the_tree_on_disk():
    assert DRAWING.exists(), (
        f"{DRAWING.relative_to(TOP)} draws the tree: a fenced block that starts with src/deskroster/"
    )
    drawn = drawn_tree(DRAWING.read_text(encoding="utf-8"))

    not_drawn, not_on_disk = differences(drawn, PACKAGE)

    assert {"not drawn": [], "not on disk": []} == {"not drawn": not_drawn, "not on disk": not_on_disk}


def test_a_drawing_may_close_a_folder_without_modules_and_one_that_is_the_same_as_the_one_before(tmp_path):
    for file in ("a/one.py", "a/two.py", "b/one.py", "b/three.py", "e/four.py", "assets/page.css"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    drawing = "\n".join(
        [
            "A drawing:",
            "```text",
            "src/deskroster/",
            "├── a/            the first",
            "│   ├── one.py    of two",
            "│   └── two.py",
            "├── b/            the same two",
            "├── e/            its own",
            "├── assets/       made elsewhere",
            "└── gone.py",
            "```",
        ]
    )

    not_drawn, not_on_disk = differences(drawn_tree(drawing), tmp_path)

    assert ["b/three.py", "e/four.py"] == not_drawn
    assert ["b/two.py", "gone.py"] == not_on_disk


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    found = {
        f"{path.relative_to(TOP)}:{number} {match.group()}"
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (match := FOLDER_OF_A_MACHINE.search(line))
    }

    assert set() == found


def test_every_version_is_pinned_and_no_registry_is_named():
    pins = [line for line in (TOP / "constraints.txt").read_text().splitlines() if not line.startswith("#")]

    assert [] == [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]


def modules(folder: str = "") -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


def part_of(path: Path) -> str:
    """Name the part of the package that a module belongs to: `core` for `core/text.py`, `desk` for `desk.py`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Name the top-level package of each import in a module."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def imported_modules(path: Path) -> Iterator[str]:
    """Name each module that a module imports, in full."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def count_lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def tracked_files() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=False).stdout.decode()
    if not names:
        pytest.skip("not a clone")
    return [TOP / name for name in names.split("\0") if name and (TOP / name).is_file()]


def text_of(path: Path) -> str:
    """Return a file's text, empty for one that is not text."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def drawn_tree(page: str) -> dict[str, str]:
    """Read the drawing: the remark beside each path, folders with a slash at their end."""
    block = re.search(r"^```\w*\nsrc/deskroster/\s*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert block, "no fenced block that starts with src/deskroster/"
    parents: list[str] = []
    tree: dict[str, str] = {}
    for line in block.group(1).splitlines():
        if entry := LINE_OF_A_DRAWING.match(line):  # else the rest of a remark
            parents = [*parents[: len(entry["indent"]) // 4], entry["name"]]
            tree["".join(parents)] = entry["remark"]
    return tree


def differences(drawn: dict[str, str], top: Path) -> tuple[list[str], list[str]]:
    """Return what is on disk and not drawn, and what is drawn and not on disk.

    A folder may be drawn without its content when it holds no modules, or "the same" as the folder before it.
    """
    expected = {path for path in drawn if Path(path).name not in NOT_WORTH_DRAWING}
    for folder in [path for path, remark in drawn.items() if remark.startswith("the same")]:
        before = folder_before(folder, drawn)
        expected |= {folder + path.removeprefix(before) for path in expected if path.startswith(before)}
    closed = tuple(
        folder
        for folder in drawn
        if folder.endswith("/")
        and not any(path.startswith(folder) and path != folder for path in expected)
        and not any((top / folder).rglob("*.py"))
    )
    on_disk = {
        path.relative_to(top).as_posix() + "/" * path.is_dir()
        for path in top.rglob("*")
        if not NOT_WORTH_DRAWING & set(path.relative_to(top).parts)
    }
    on_disk = {path for path in on_disk if path in closed or not path.startswith(closed)}
    return sorted(on_disk - expected), sorted(expected - on_disk)


def folder_before(folder: str, drawn: dict[str, str]) -> str:
    """Return the folder that is drawn last before this one in the same folder."""
    earlier = list(drawn)[: list(drawn).index(folder)]
    return [path for path in earlier if path.endswith("/") and Path(path).parent == Path(folder).parent][-1]
