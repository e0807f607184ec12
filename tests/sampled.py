"""Cases of which `make test` runs one of each kind, and `make prove` all others."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def one_of_each(cases: Iterable[Any], kind: Callable[..., object]) -> list[Any]:
    """Return the params, all but the first of each kind marked as proofs. `kind` gets the values of a case."""
    seen, marked = set[object](), []
    for case in cases:
        of = kind(*case.values)
        marked.append(pytest.param(*case.values, id=case.id, marks=pytest.mark.proof) if of in seen else case)
        seen.add(of)
    return marked
