"""`pytest -p tests.dialects.fourth.plugin`: the one line more in the list of dialects.

With `--tried FILE` what is collected of each dialect is written there, and of each test only its first case of the
fourth dialect is run.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from deskroster import dialects
from deskroster.dialect import Dialect
from deskroster.dialects import own
from tests.dialects.fourth.dialect import DIALECT, NAME

_vendors = (*dialects.DIALECTS[:-1], DIALECT)
dialects.DIALECTS = (*_vendors, own.dialect(vendor.name for vendor in _vendors))

_NAMES = {dialect.name for dialect in dialects.DIALECTS}
_PREFIXES = {f"{dialect.prefix}/": dialect.name for dialect in dialects.DIALECTS}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tried", type=Path, help="Where to write which test tries which dialects.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    file = config.getoption("--tried")
    if file is None:
        return
    tried: dict[tuple[str, str], set[str]] = defaultdict(set)
    sample: dict[tuple[str, str], pytest.Item] = {}
    for item in items:
        test = item.nodeid.partition("::")[0], getattr(item, "originalname", item.name)
        of = named_in(item)
        tried[test] |= of
        if NAME in of and not any(map(item.get_closest_marker, ("proof", "torture"))):
            sample.setdefault(test, item)
    file.write_text(json.dumps([[*test, sorted(of)] for test, of in tried.items()]), encoding="utf-8")
    items[:] = sample.values()


def named_in(item: pytest.Item) -> set[str]:
    """Return the dialects that a case is about: by its id, and by what it is given."""
    call = getattr(item, "callspec", None)
    return set() if call is None else _in(call.id) | {name for value in call.params.values() for name in _of(value)}


def _of(value: Any) -> set[str]:
    if isinstance(value, Dialect):
        return {value.name}
    if isinstance(value, str):
        return _in(value) | {name for prefix, name in _PREFIXES.items() if value.startswith(prefix)}
    return {value.dialect} & _NAMES if isinstance(getattr(value, "dialect", None), str) else set()


def _in(text: str) -> set[str]:
    """Return the dialects that a part of an id begins with, or ends with as in `wrong tokens in kf5`."""
    return {name for name in _NAMES if re.search(rf"(?:^|-| in ){name}(?:$|[- /])", text)}
