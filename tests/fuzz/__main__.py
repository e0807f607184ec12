"""`python -m tests.fuzz [SECONDS]`: every dialect for so long, and then all readers together for as long."""

import sys

from deskroster.dialects import DIALECTS
from tests.fuzz import runs


def main(seconds: int = 60) -> None:
    for dialect in DIALECTS:
        print(f"{dialect.name}: {dict(sorted(runs.schema(dialect.name, seconds).items()))}", flush=True)
    for target in runs.TARGETS:
        print(f"{target}: {runs.coverage(target, seconds // len(runs.TARGETS)):,} inputs", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
