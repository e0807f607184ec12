"""The Chinese texts: complete, with the same placeholders, without a word of English, and nothing that is left over."""

import ast
import re
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from string import Formatter

import pytest

from deskroster.texts import Text
from tests import catalogue
from tests.catalogue import SOURCE
from tests.english import english_in

pytestmark = pytest.mark.once

PAGES = SOURCE.parent / "docs" / "zh"

TOLD = {
    "Refused", "BadBackup", "BadCertificate", "BadTables", "CannotMove", "Damaged", "DiskFailed", "Failed",
    "FolderInUse", "Gone", "InDoubt", "NewerData", "NoDatabase", "NoRoom", "Outdated", "PathTooLong", "WrongKey",
}  # fmt: skip
"""What is raised with a sentence for people."""
SHOWN = {
    "newer",
    "form_of",
    "unreadable_is_damage",
    "Finding",
    "print_markup",
    "print_plain",
    "print_result",
    "prompt",
    "TextColumn",
    "Text",
}
SEVERAL = {"Refused", "print_result"}
WORDING = {SOURCE / "deskroster/texts/__init__.py", SOURCE / "deskroster/cli/translation.py"}
MAY_STAY = {"ID", "PostgreSQL", "deskroster {version}", "[Errno {number}] {why}", "--allowed-host {error}"}
"""What is the same in Chinese."""


@pytest.fixture(scope="module")
def texts():
    return catalogue.wanted()


@pytest.fixture(scope="module")
def chinese():
    return catalogue.stored()


def test_every_text_has_a_chinese_translation(texts, chinese):
    assert [] == catalogue.missing(texts, chinese), "make texts, and write the Chinese into the catalogue"


def test_nothing_is_translated_that_is_not_said(texts, chinese):
    assert [] == catalogue.obsolete(texts, chinese), "make texts removes it"


def test_the_compiled_catalogue_is_that_of_the_text_file(chinese):
    assert catalogue.MO.read_bytes() == catalogue.compiled(chinese), "make texts compiles it"


def test_a_translation_has_the_placeholders_of_its_text(chinese):
    different = [
        message.id for message in chinese if message.id and placeholders(message.id) != placeholders(message.string)
    ]

    assert [] == different


def test_a_translation_has_the_markup_and_the_options_of_its_text(chinese):
    parts = re.compile(r"\[/?(?:bold|dim|red|green|blue)[a-z ]*\]|--[a-z][a-z-]+|`[^`]+`|[A-Z]+_[A-Z_]+")
    different = [
        one.id for one in chinese if one.id and sorted(parts.findall(one.id)) != sorted(parts.findall(one.string))
    ]

    assert [] == different


def test_no_english_is_left_in_a_translation(chinese):
    left = {one.string: found for one in chinese if one.id and (found := english_in(one.string))}

    assert {} == left
    assert {one.id for one in chinese if one.id and one.string == one.id} <= MAY_STAY


def test_the_punctuation_of_chinese_is_full_width(chinese):
    half = re.compile(r"[\u4e00-\u9fff]\s?(?:[,;?!()]|:(?!:))|(?:[,;?!(]|(?<!:):) ?[\u4e00-\u9fff]")
    with_half = [one.string for one in chinese if one.id and half.search(one.string)]

    assert [] == with_half


def test_what_the_pages_show_in_both_languages_is_a_text_and_its_translation(chinese):
    both = re.compile(r"“([^”\n]*)”（`([^`\n]+)`）")
    shown = [pair for path in PAGES.rglob("*.md") for pair in both.findall(path.read_text("utf-8"))]
    known = [(one.string, one.id) for one in chinese if one.id]

    assert shown
    assert [] == [pair for pair in shown if not any(map(is_both, repeat(pair), known))]


def test_every_text_that_reaches_a_person_is_marked():
    assert [] == [found for path in sorted(SOURCE.rglob("*.py")) for found in unmarked(path)]


def test_what_others_word_is_a_value_and_no_message():
    """So that brackets in it are no markup: `verbatim` makes a text of it."""
    assert [] == [found for path in sorted(SOURCE.rglob("*.py")) if path not in WORDING for found in unworded(path)]


# ── controls ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "planted",
    [
        'raise Refused(Exit.USAGE, "nothing to set")',
        'raise Refused(Exit.USAGE, said("nothing to set"), f"try {this} instead")',
        'raise BadBackup(f"{folder} exists")',
        'print_markup("It is done.")',
        'print_plain(f"the token is {token}")',
        'print_result(record, "The key is revoked.", json)',
        'raise WrongKey(Text("the key is wrong"))',
        "said(sentence, folder=folder)",
        'said(f"{folder} exists")',
    ],
)
def test_control_a_text_that_is_not_marked_is_noticed(tmp_path, planted):
    (tmp_path / "planted.py").write_text(planted)

    assert 1 == len(list(unmarked(tmp_path / "planted.py")))


@pytest.mark.parametrize("planted", ["Text(str(error))", 'Refused(code, Text(f"{folder} exists"))'])
def test_control_what_others_word_is_noticed_as_a_message(tmp_path, planted):
    (tmp_path / "planted.py").write_text(planted)

    assert 1 == len(list(unworded(tmp_path / "planted.py")))


@pytest.mark.parametrize(
    "fine", ['print_plain(key["secret"])', 'print_plain(f"{command}\\n")', 'Failed(said("it is gone"), f"uq_{name}")']
)
def test_control_what_is_no_sentence_is_not_complained_of(tmp_path, fine):
    (tmp_path / "planted.py").write_text(fine)

    assert [] == list(unmarked(tmp_path / "planted.py"))


def test_control_a_text_without_a_translation_is_noticed(texts, chinese):
    assert ["This was never said."] == catalogue.missing({**texts, "This was never said.": {"x"}}, chinese)


def test_control_a_translation_of_nothing_is_noticed(texts, chinese):
    [one, *rest] = texts

    assert [one] == catalogue.obsolete({text: {"x"} for text in rest}, chinese)


def test_control_english_is_recognised():
    assert "is revoked" in english_in("密钥 3 is revoked。")
    assert not english_in("在 PostgreSQL 中运行 `deskroster move --to URL`，或设置 DESKROSTER_KEY。")


# ── how it is found out ─────────────────────────────────────────────────────────────────────────────────────────


def is_both(shown: tuple[str, str], known: tuple[str, str]) -> bool:
    """Return whether a text and its translation begin as shown, where … or the fingerprint of a key is any value."""
    return all(re.match(pattern(one), text) for one, text in zip(shown, known, strict=True))


def pattern(shown: str) -> str:
    return re.sub("…|[0-9a-f]{16}", ".*", re.escape(shown))


def placeholders(text: str) -> list[tuple[str, str, str]]:
    """Return the placeholders of a text, each with its format."""
    return sorted((name, form or "", how or "") for _, name, form, how in Formatter().parse(text) if name is not None)


def unmarked(path: Path) -> Iterator[str]:
    """Yield each call that takes a sentence to a person without `said`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "said":
            bad = not (node.args and isinstance(node.args[0], ast.Constant))
        elif name in TOLD | SHOWN:
            bad = any(
                map(has_words, node.args[2:] if name == "Finding" else node.args if name in SEVERAL else node.args[:1])
            )
        else:
            bad = False
        if bad:
            yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def unworded(path: Path) -> Iterator[str]:
    """Yield each `Text` whose message is no literal."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name("Text"), args=[message, *_]) if not isinstance(message, ast.Constant):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def has_words(node: ast.expr) -> bool:
    """Return whether a literal has a word in it."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    constants = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return bool(re.search(r"[A-Za-z]{2}", " ".join(constants)))


def test_a_sentence_in_a_sentence_is_translated_too():
    inner = Text(
        "{what} cannot be read: {error}", {"what": Text("company {company_id}", {"company_id": 3}), "error": "x"}
    )

    assert "公司 3 无法读取：x" == inner.of("zh")
    assert "company 3 cannot be read: x" == str(inner)
