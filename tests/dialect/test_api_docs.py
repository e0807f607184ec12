"""The pages of the API reference, and its documents, in both languages."""

import re

import pytest

from deskroster.dialects import DIALECTS
from tests.calls import ROUTES, name_of
from tests.english import english_in

pytestmark = pytest.mark.once

OF_DIALECT = [pytest.param(dialect, id=dialect.name) for dialect in DIALECTS]
OF_ROUTE = [pytest.param(dialect, route, id=name_of(dialect, route)) for dialect, route in ROUTES]
TOLD = ("summary", "description")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ASKED = [
    ("", {}, "en"),
    ("", {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
    ("", {"Accept-Language": "de, en;q=0.5"}, "en"),
    ("?lang=zh", {"Accept-Language": "en"}, "zh"),
    ("?lang=en", {"Accept-Language": "zh"}, "en"),
    ("?lang=xx", {"Accept-Language": "zh"}, "zh"),
]


def document(desk, dialect, language):
    return desk.plain().get(f"/docs/{dialect.name}/openapi.json?lang={language}").json()


def texts(part, told=None):
    """Yield what a document says to people: all summaries and descriptions, and the names of tags."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in TOLD and isinstance(value, str):
                yield value
            elif name == "tags":
                yield from (one if isinstance(one, str) else one["name"] for one in value)
            elif name not in ("value", "example", "properties"):  # what is sent and answered
                yield from texts(value)
            elif name == "properties":
                yield from texts(list(value.values()))
    elif isinstance(part, list):
        for one in part:
            yield from texts(one)


def without_texts(part):
    """Return a document without what depends on the language."""
    if isinstance(part, dict):
        left_out = {*TOLD, "tags", "value", "example"}
        return {name: without_texts(value) for name, value in part.items() if name not in left_out}
    return [without_texts(one) for one in part] if isinstance(part, list) else part


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("dialect", "route"), OF_ROUTE)
def test_an_operation_says_what_it_does(quiet_desk, dialect, route, language):
    operation = document(quiet_desk, dialect, language)["paths"][route.path][route.method.lower()]

    assert 0 < len(operation["summary"]) < 60
    assert len(operation["description"].partition("\n")[0]) > 5
    assert 1 == len(operation["tags"])
    assert operation["tags"][0] in [one["name"] for one in document(quiet_desk, dialect, language)["tags"]]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_document_in_chinese_has_no_english_left(quiet_desk, dialect):
    found = [*texts(document(quiet_desk, dialect, "zh"))]
    prose = [re.sub(r"^\|.*\|$|Content-Encoding \w+", "", one, flags=re.MULTILINE) for one in found]  # quoted

    assert len(found) > 30
    assert [] == [one for one in prose if english_in(one)]
    assert [] == [one for one in found if not CHINESE.search(one)]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_document_in_english_has_chinese_only_where_an_answer_has_it(quiet_desk, dialect):
    found = [re.sub(r"`[^`]*`", "", one) for one in texts(document(quiet_desk, dialect, "en"))]

    assert [] == [one for one in found if CHINESE.search(one)]


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_both_languages_describe_the_same(quiet_desk, dialect):
    english, chinese = (without_texts(document(quiet_desk, dialect, language)) for language in ("en", "zh"))

    assert english == chinese


# ── which language ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("query", "headers", "language"), ASKED)
@pytest.mark.parametrize("part", ["", "/openapi.json"])
def test_the_language_is_the_one_that_is_asked_for(quiet_desk, part, query, headers, language):
    answer = quiet_desk.plain().get(f"/docs/{DIALECTS[0].name}{part}{query}", headers=headers)

    assert language == answer.headers["content-language"]
    assert "accept-language" == answer.headers["vary"].lower()
    told = "列出客服组" if part else '<html lang="zh-CN">'
    assert (language == "zh") == (told in answer.text)


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_page_leads_to_itself_in_the_other_language_and_keeps_a_choice(quiet_desk, dialect):
    client = quiet_desk.plain()
    plain = client.get(f"/docs/{dialect.name}").text
    chosen = client.get(f"/docs/{dialect.name}?lang=zh").text

    for page in (plain, chosen):
        for language in ("zh", "en"):
            assert f'href="/docs/{dialect.name}?lang={language}"' in page
    for other in DIALECTS:
        assert f'href="/docs/{other.name}"' in plain
        assert f'href="/docs/{other.name}?lang=zh"' in chosen
    assert f'data-document="/docs/{dialect.name}/openapi.json?lang=en"' in plain
    assert f'data-document="/docs/{dialect.name}/openapi.json?lang=zh"' in chosen


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_page_in_chinese_has_no_english_left(quiet_desk, dialect):
    page = quiet_desk.plain().get(f"/docs/{dialect.name}?lang=zh").text
    body = re.sub(rf"<nav.*?</nav>|<[^>]*>|{dialect.title}", "\n", page, flags=re.DOTALL)

    assert "" == english_in(body)


# ── credentials ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_page_asks_for_credentials_and_says_where_a_browser_signs(quiet_desk, dialect):
    page = quiet_desk.plain().get(f"/docs/{dialect.name}").text

    assert '<dialog id="ask"' in page
    assert "https:// or at localhost" in page
    assert ("The page signs each call" in page) == bool(dialect.signature)


def test_the_enter_key_sends_the_call_and_does_not_cancel_it(quiet_desk):
    """It presses the first button of a form that submits it (HTML, section 4.10.21.2)."""
    page = quiet_desk.plain().get(f"/docs/{DIALECTS[0].name}").text
    form = page.partition('<form method="dialog">')[2].partition("</form>")[0]
    submitting = [button for button in re.findall(r"<button[^>]*>", form) if 'type="button"' not in button]

    assert ['<button value="send" class="first">'] == submitting


def test_the_script_keeps_credentials_in_the_tab_alone(quiet_desk):
    script = quiet_desk.plain().get("/docs/page/reference.js").text

    assert "sessionStorage.setItem" in script
    assert "localStorage" not in script
    assert "cookie" not in script
