"""How many steps of Python something takes in this thread: a number that no busy machine can change."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Steps:
    """The operations of the interpreter that were counted."""

    count = 0


@contextmanager
def counted() -> Iterator[Steps]:
    """Count the operations of the interpreter in this thread, in every function that is called in the block."""
    steps, before = Steps(), sys.gettrace()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps.count += 1
        return trace

    sys.settrace(trace)
    try:
        yield steps
    finally:
        sys.settrace(before)
