"""Forms: `application/x-www-form-urlencoded` with nested names, as the vendors' stacks read them (Rails, PHP).

`agent[email]=a` is an object, `group[agents][]=3` a list, `list[][id]=3` one of objects, and `list[0]=3` an object with
digits for keys, which is read as a list where one is wanted.
"""

import re
from typing import Any
from urllib.parse import unquote

from deskroster.dialect.problems import Malformed
from deskroster.dialect.strict_json import MAX_DEPTH

MAX_PAIRS = 10_000

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_LIST = ""  # the part of a name that is `[]`


def decode_form(body: bytes) -> dict[str, Any]:
    """Return the object that a form is; of a repeated name the last counts. Raises Malformed."""
    if body.count(b"&") >= MAX_PAIRS:
        raise Malformed
    form: dict[str, Any] = {}
    try:
        for pair in body.decode().split("&"):
            name, _, value = pair.partition("=")
            parts = _parts(_decoded(name.replace("+", " ")))
            if parts[0]:
                _put(form, parts, _decoded(value if parts[-1] == "email" else value.replace("+", " ")))
    except UnicodeDecodeError:
        raise Malformed from None
    return {name: _without_marker(value) for name, value in form.items()}


def _decoded(text: str) -> str:
    return unquote(text, errors="strict") if "%" in text else text


def _parts(name: str) -> list[str]:
    """Return the parts of a name; one whose brackets are not in order is a plain name. Raises Malformed."""
    nested = _NAME.fullmatch(name)
    if nested is None:
        return [name]
    parts = [nested[1], *nested[2][1:-1].split("][")]
    if len(parts) > MAX_DEPTH:
        raise Malformed
    return parts


def _put(form: dict[str, Any], parts: list[str], value: str) -> None:
    """Put a value where its name says. Raises Malformed where another name has put something of another type."""
    held: Any = form
    for at, part in enumerate(parts):
        rest = parts[at + 1 :]
        if part == _LIST and at:
            if type(held) is not list:
                raise Malformed
            if not rest:
                held.append(value)
            elif held and type(held[-1]) is dict and not _has(held[-1], rest):
                held = held[-1]
            else:
                held.append([] if rest[0] == _LIST else {})
                held = held[-1]
            continue
        if type(held) is not dict:
            raise Malformed
        if rest:
            held = held.setdefault(part, [] if rest[0] == _LIST else {})
        elif isinstance(held.get(part, ""), str):
            held[part] = value
        else:
            raise Malformed


def _has(held: Any, rest: list[str]) -> bool:
    """Tell whether an object in a list has the value already: then the next object begins."""
    for part in rest:
        if type(held) is not dict or part not in held:
            return False
        held = held[part]
    return type(held) is str


def _without_marker(value: Any) -> Any:
    """Return a value where `list[]=` alone is the empty list, as forms have no other way to say it."""
    if type(value) is dict:
        return {name: _without_marker(one) for name, one in value.items()}
    if type(value) is list:
        return [] if value == [""] else [_without_marker(one) for one in value]
    return value
