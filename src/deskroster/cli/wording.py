"""Problems of the core as errors of a command."""

from collections.abc import Iterable
from typing import cast

from deskroster.cli.console import Exit, Refused, language
from deskroster.core.problems import Busy, Conflict, NotFound, Problem, Refusal, Unknown
from deskroster.dialect import words
from deskroster.texts import Text, said, verbatim

_CODES: dict[type[Refusal], Exit] = {
    NotFound: Exit.NOT_FOUND,
    Conflict: Exit.CONFLICT,
    Busy: Exit.UNAVAILABLE,
    Unknown: Exit.UNKNOWN,
}


def listed(names: Iterable[str]) -> Text:
    """Return names as a sentence has them: `a, b and c`."""
    first, *rest = names
    match rest:
        case []:
            return verbatim(first)
        case [last]:
            return said("{first} and {last}", first=first, last=last)
        case _:
            return said("{first}, {rest}", first=first, rest=listed(rest))


def in_words(problem: Refusal) -> Refused:
    """Return a problem as Refused: its sentence, and its exit code."""
    return Refused(_CODES.get(type(problem), Exit.REFUSED), verbatim(words.of(language(), cast(Problem, problem))))
