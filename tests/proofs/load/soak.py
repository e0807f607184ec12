"""The load for an hour, or for so many minutes: `python -m tests.proofs.load.soak 10`. A line a minute."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.proofs.load import company
from tests.proofs.load.holding import FILES_MORE, WORK, hold, serving, witnessing


def main(minutes: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "data"
        print(f"{company.AGENTS:,} agents in {company.GROUPS:,} groups", flush=True)
        company.fill(folder)
        first, refused = 0, 0
        with serving(folder) as server, witnessing(WORK) as witness:
            for minute in range(1, minutes + 1):
                held = hold(server, witness, 60)
                print(f"minute {minute}: {held}", flush=True)
                first, refused = first or held.files[-1], refused + held.refused
    if refused or held.files[-1] > first + FILES_MORE:
        sys.exit(f"{refused} refused; {first} files open after the first minute, {held.files[-1]} after the last")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
