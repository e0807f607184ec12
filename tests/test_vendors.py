"""A further vendor is one folder and one line in the list of dialects: every suite tries it, and none is edited for it.

`tests/dialects/fourth` is a vendor that there is not, with three calls. It is added to a run of all tests.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

import deskroster
from deskroster.dialects import DIALECTS
from tests.contract import Contract
from tests.contracts import CONTRACTS, MAY_BE_LEFT_OUT, REQUIRED, Missing, contract_of, lacks
from tests.dialects.fourth.contract import CONTRACT
from tests.dialects.fourth.dialect import DIALECT, NAME

pytestmark = pytest.mark.once

TOP = Path(__file__).parents[1]
SOURCE = Path(deskroster.__file__).parent
KNOWN = {dialect.name for dialect in DIALECTS}
OF_ONE_VENDOR = ("tests/dialects/", "tests/releases/", "tests/test_vendors.py")  # or data of earlier versions; or this
MAY_NAME_VENDORS = ("dialects", "testing", "demo")
WHOLE = ("calls", "answers", "named")  # which no dialect may lack
SILENT = """
from msgspec.structs import replace
from deskroster import dialects

dialects.DIALECTS = (*dialects.DIALECTS, replace(dialects.DIALECTS[0], name="silent", prefix="/silent"))
"""


def run(*arguments: object, path: Path = TOP) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, without those who call this test."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, arguments)]
    environment = known | {"PYTHONPATH": os.pathsep.join((str(path), str(TOP)))}
    return subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)


def test_every_suite_tries_a_further_dialect_or_fails_where_it_brings_nothing(tmp_path):
    """In one test: to collect all tests takes seconds."""
    file = tmp_path / "tried.json"
    done = run("-p", "tests.dialects.fourth.plugin", "--tried", file, "tests")
    found = [(path, test, set(of)) for path, test, of in json.loads(file.read_text("utf-8"))]
    shared = [one for one in found if len(one[2] & KNOWN) > 1 and not one[0].startswith(OF_ONE_VENDOR)]
    suites = {path for path, *_ in shared}

    assert len(suites) > 20
    assert set() == suites - {path for path, _, of in found if NAME in of}, "these do not try it"
    assert [] == [one for one in shared if NAME not in one[2] and one[2] not in having_what_it_lacks()]
    assert 0 == done.returncode, done.stdout[-5_000:]
    ran = int(re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)[1])
    assert 70 < ran <= sum(NAME in of for *_, of in found)

    check_that_a_silent_one_fails(suites, tmp_path)


def having_what_it_lacks() -> list[set[str]]:
    """Return for each thing that the fourth has not the dialects that have it: a test of it has cases of these."""
    lacking = [field for field in Contract.__struct_fields__ if not getattr(CONTRACT, field)]
    return [
        {dialect.name for dialect in DIALECTS if dialect.signature},
        *({name for name, contract in CONTRACTS.items() if getattr(contract, field)} for field in lacking),
    ]


def check_that_a_silent_one_fails(suites: set[str], folder: Path) -> None:
    """Assert that each suite fails by a dialect that has no contract, or tries it without one."""
    (folder / "silent.py").write_text(SILENT)

    done = run("-p", "silent", "--collect-only", *sorted(suites), path=folder)

    assert 0 != done.returncode
    failed = set(re.findall(r"^ERROR (\S+\.py)", done.stdout, re.MULTILINE))
    trying = set(re.findall(r"^(\S+\.py)::.*\bsilent\b", done.stdout, re.MULTILINE))
    assert suites == failed | trying
    assert len(trying) < 2
    told = "The dialect silent brings nothing to the suites: write tests/dialects/silent/contract.py."
    assert len(failed) == done.stdout.count(f"E   tests.contracts.Missing: {told}")


@pytest.mark.parametrize("field", [field for field in REQUIRED if getattr(CONTRACT, field) and field not in WHOLE])
def test_a_contract_without_one_of_its_parts_says_which(field):
    empty = type(getattr(CONTRACT, field))() if type(getattr(CONTRACT, field)) in (tuple, dict) else None
    without = replace(CONTRACT, **{field: empty})
    left_out = replace(without, none_of={**CONTRACT.none_of, field: "it has none"})

    assert [f"either `{field}` or a reason in `none_of` why it has none of them"] == [
        told for told in lacks(DIALECT, without) if "none_of" in told
    ]
    assert [] == [told for told in lacks(DIALECT, left_out) if "none_of" in told]


def test_a_contract_without_a_call_or_the_words_of_a_refusal_says_which():
    calls = {route: call for route, call in CONTRACT.calls.items() if route != "POST /teams"}
    refusals = {name: told for name, told in CONTRACT.answers.refusals.items() if name not in ("media", "nocompany")}
    answers = replace(CONTRACT.answers, refusals=refusals)

    assert [] == [*lacks(DIALECT, CONTRACT)]
    assert ["a good call (`calls`) of POST /teams"] == [*lacks(DIALECT, replace(CONTRACT, calls=calls))]
    assert ["the routes POST /teams, of which it has a call"] == [
        *lacks(replace(DIALECT, routes=DIALECT.routes[:2]), CONTRACT)
    ]
    assert ["how it answers (`answers.refusals`) media, nocompany"] == [
        *lacks(DIALECT, replace(CONTRACT, answers=answers))
    ]
    assert {"host"} == MAY_BE_LEFT_OUT


def test_a_fault_in_a_contract_is_not_taken_for_a_missing_one(tmp_path, monkeypatch):
    with pytest.raises(Missing, match=r"write tests/dialects/silent/contract\.py"):
        contract_of(replace(DIALECT, name="silent"))

    (tmp_path / "broken.py").write_text("import there_is_no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tests.contracts.import_module", lambda name: __import__("broken"))
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_module"):
        contract_of(replace(DIALECT, name="silent"))


# ── where vendors are named ──────────────────────────────────────────────────────────────────────────────────────


def test_no_shared_suite_has_a_table_by_vendor():
    found = [
        f"{path.relative_to(TOP)}:{node.lineno}"
        for path in sorted((TOP / "tests").rglob("*.py"))
        if not path.relative_to(TOP).as_posix().startswith(OF_ONE_VENDOR)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if len(vendors_in(node)) > 1
    ]

    assert [] == found


@pytest.mark.parametrize(
    "table", ['{"udesk": 1, "kf5": 2}', '[("udesk", 1), ("kf5", 2)]', '{"kf5 GET /a": 1, "own GET /b": 2}']
)
def test_control_a_table_by_vendor_is_noticed(table):
    assert any(len(vendors_in(node)) > 1 for node in ast.walk(ast.parse(table)))


def vendors_in(node: ast.AST) -> set[str]:
    """Return the dialects that a literal has entries for."""
    match node:
        case ast.Dict():
            entries = [*node.keys, *node.values]
        case ast.List() | ast.Tuple() | ast.Set():
            entries = [*node.elts, *(inner for one in node.elts for inner in getattr(one, "elts", ()))]
        case _:
            return set()
    texts = [one.value for one in entries if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {text.split()[0] for text in texts if text.strip()} & KNOWN


def test_no_shared_code_names_a_vendor():
    vendors = [dialect for dialect in DIALECTS if dialect.vendor]
    named = re.compile("|".join(rf"\b{one.vendor}\b|[\"'/]{one.name}\b|\b{one.name}\." for one in vendors))

    found = [
        f"{path.relative_to(SOURCE)}:{number} {line.strip()}"
        for path in sorted(SOURCE.rglob("*"))
        if path.is_file()
        and path.suffix not in (".pyc", ".po", ".mo")  # the catalogue has what the dialects say
        and path.relative_to(SOURCE).parts[0] not in MAY_NAME_VENDORS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if named.search(line)
    ]

    assert [] == found
    assert named.search('if dialect === "kf5"')
    assert named.search("the Udesk dialect")
