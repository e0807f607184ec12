"""Problems of the core as errors of a command."""

from typing import cast

from deskroster.cli.console import Exit, Refused
from deskroster.core.problems import Busy, Conflict, NotFound, Problem, Refusal, Unknown
from deskroster.dialect import words

_CODES: dict[type[Refusal], Exit] = {
    NotFound: Exit.NOT_FOUND,
    Conflict: Exit.CONFLICT,
    Busy: Exit.UNAVAILABLE,
    Unknown: Exit.UNKNOWN,
}


def in_words(problem: Refusal) -> Refused:
    """Return a problem as Refused: its sentence in English, and its exit code."""
    return Refused(_CODES.get(type(problem), Exit.REFUSED), words.of("en", cast(Problem, problem)))
