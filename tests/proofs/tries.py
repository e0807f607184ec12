"""A promise with a time in it is broken when it is broken three times: a busy machine may hold up whom it likes."""

from collections.abc import Callable
from functools import wraps

import pytest

TRIES = 3


def in_one_of_three_tries(test: Callable[..., None]) -> Callable[..., None]:
    """Let a test that short deadlines run in fail only on three misses."""

    @wraps(test)
    def tried(*given: object, **named: object) -> None:
        for _ in range(TRIES - 1):
            try:
                return test(*given, **named)
            except (AssertionError, pytest.fail.Exception) as miss:
                print(f"missed: {miss}")
        return test(*given, **named)

    return tried
