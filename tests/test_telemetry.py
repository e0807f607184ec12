"""The log and the counts by themselves: nothing that happens to them reaches whoever logs or counts."""

import io
import json
import logging
import os
import shutil
import sys
import threading
import warnings

import pytest

from deskroster.cli import folder
from deskroster.telemetry import SharedCounts, Telemetry, lines
from deskroster.telemetry.counts import SLOT_BYTES
from deskroster.telemetry.lines import Lines, to_descriptor, write_within
from deskroster.telemetry.stderr import logged

pytestmark = pytest.mark.once


class Gate:
    """A place to write to that takes nothing until it is opened."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()
        self.written = b""

    def __call__(self, content):
        self.reached.set()
        assert self.open.wait(60)
        self.written += content


def filled(end):
    """Fill a pipe to the brim, and leave it blocking."""
    os.set_blocking(end, False)
    try:
        while True:
            os.write(end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(end, True)


def test_lines_are_written_in_their_order():
    written = []
    log = Lines(written.append)

    for number in range(5_000):
        log.put(b"%d" % number)
    log.close(60)

    assert b"".join(b"%d\n" % number for number in range(5_000)) == b"".join(written)
    assert {"queue_full": 0, "write_failed": 0} == log.dropped


def test_so_much_waits_for_a_reader_and_what_comes_on_top_is_dropped_counted_and_told(monkeypatch):
    monkeypatch.setattr(lines, "WAITING_BYTES", 10_000)
    gate = Gate()
    log = Lines(gate)
    log.put(b"first")
    assert gate.reached.wait(60)

    for _ in range(1_000):
        log.put(b"x" * 36)
    dropped = log.dropped["queue_full"]
    gate.open.set()
    assert log.flush(60)
    log.put(b"last")
    log.close(60)

    assert 1_000 - (10_000 - 69) // 100 == dropped
    (told,) = [json.loads(line) for line in gate.written.splitlines() if line.startswith(b"{")]
    assert (dropped, "log_lines_dropped") == (told["lines"], told["event"])
    assert gate.written.endswith(b"last\n")


def test_the_log_queue_frees_the_bytes_of_written_lines(monkeypatch):
    monkeypatch.setattr(lines, "WAITING_BYTES", 1_000)
    log = Lines(lambda content: None)

    for _ in range(100):
        log.put(b"x" * 500)
        assert log.flush(60)

    assert 0 == log.dropped["queue_full"]


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "no space"), ValueError("closed"), MemoryError()])
def test_a_failed_write_is_counted_and_the_next_line_is_written(error):
    written, fails = [], [True]

    def write(content):
        if fails[0]:
            raise error
        written.append(content)

    log = Lines(write)
    log.put(b"lost")
    assert log.flush(60)
    fails[0] = False
    log.put(b"kept")
    log.close(60)

    assert {"queue_full": 0, "write_failed": 1} == log.dropped
    assert b"kept\n" == written[-1]


def test_a_log_that_is_not_read_is_left_after_a_bounded_time():
    gate = Gate()
    log = Lines(gate)
    log.put(b"never read")
    assert gate.reached.wait(60)

    log.close(0.01)
    log.put(b"too late")

    assert 1 == log.dropped["queue_full"]
    gate.open.set()


def test_who_logs_while_logging_is_not_stuck():
    """As a signal handler does, and a destructor that the garbage collector runs."""
    log = Lines(lambda content: None)

    class Nested(list):
        def append(self, line):
            if line == b"outer":
                log.put(b"inner")
            super().append(line)

    log._waiting = Nested()
    done = threading.Thread(target=log.put, args=(b"outer",), daemon=True)
    done.start()
    done.join(60)

    assert not done.is_alive()
    log.close(60)


def test_lines_that_several_processes_write_to_one_pipe_stay_whole():
    reader, writer = os.pipe()
    log = Lines(to_descriptor(writer))
    sizes = []
    pieces = [b"x" * 300 for _ in range(60)]
    write = log._write
    log._write = lambda content: (sizes.append(len(content)), write(content))

    for piece in pieces:
        log.put(piece)
    log.close(60)
    os.close(writer)
    with open(reader, "rb") as whole:
        assert b"\n".join(pieces) + b"\n" == whole.read()

    assert max(sizes) <= 4096  # what POSIX has a pipe take whole


def test_a_pipe_that_another_process_has_made_non_blocking_loses_nothing():
    reader, writer = os.pipe()
    filled(writer)
    os.set_blocking(writer, False)
    log = Lines(to_descriptor(writer))
    log.put(b"at last")

    received = b""
    while not received.endswith(b"at last\n"):
        received += os.read(reader, 65_536)
    log.close(60)

    assert {"queue_full": 0, "write_failed": 0} == log.dropped
    os.close(reader)
    os.close(writer)


def test_a_line_that_was_written_in_part_does_not_spoil_the_next_one(monkeypatch):
    written = []

    def half(number, content):
        if not written:
            written.append(bytes(content[:3]))
            return 3
        if len(written) == 1:
            written.append(b"")
            raise OSError(28, "no space")
        written.append(bytes(content))
        return len(content)

    monkeypatch.setattr(os, "write", half)
    write = to_descriptor(2)
    with pytest.raises(OSError, match="no space"):
        write(b'{"event": 1}\n')
    write(b'{"event": 2}\n')
    write(b'{"event": 3}\n')

    assert b'{"e\n{"event": 2}\n{"event": 3}\n' == b"".join(written)


def test_writing_to_a_full_pipe_has_a_timeout():
    reader, writer = os.pipe()
    filled(writer)

    assert not write_within(writer, b"words", 0.01)
    assert not write_within(99_999, b"words", 0.01)
    os.read(reader, 65_536)
    assert write_within(writer, b"words", 60)
    os.close(reader)
    os.close(writer)


def test_what_a_command_logs_over_an_open_folder_is_written_when_it_ends(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path / "data")
    stream = io.StringIO()
    telemetry = Telemetry(stream=stream)
    monkeypatch.setattr(folder, "Telemetry", lambda: telemetry)

    with folder.Folder(tmp_path / "data"):
        telemetry.log.critical("damaged")

    assert "damaged" in stream.getvalue()


def test_a_thread_that_cannot_be_started_at_one_moment_is_started_at_the_next(monkeypatch):
    written = []
    log = Lines(written.append)
    start = threading.Thread.start

    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    log.put(b"first")
    assert not log.flush(60)
    monkeypatch.setattr(threading.Thread, "start", start)
    log.put(b"second")
    log.close(60)

    assert b"first\nsecond\n" == b"".join(written)


def test_whatever_is_logged_becomes_a_line_of_json():
    class Hostile:
        def __repr__(self):
            raise ZeroDivisionError

    stream = io.StringIO()
    telemetry = Telemetry(stream=stream)
    telemetry.log.warning("odd", path="\udcff", long="x" * 100_000)
    telemetry.log.warning("hostile", value=Hostile())
    telemetry.close()

    odd, hostile = (json.loads(line.replace("\\udcff", "?")) for line in stream.getvalue().splitlines())
    assert ("odd", 32_769) == (odd["event"], len(odd["long"]))
    assert "warning" == hostile["level"]


def test_what_python_and_libraries_say_on_standard_error_is_logged_and_then_theirs_again():
    stream, telemetry = io.StringIO(), None
    telemetry = Telemetry(stream=stream)
    before = sys.stderr, sys.unraisablehook, threading.excepthook, logging.getLogger().handlers
    with logged(telemetry):
        print("by hand", file=sys.stderr)
        logging.getLogger("some.package").warning("of %s", "a library")
        logging.getLogger("some.package").warning("wrong %s %s", "arguments")  # noqa: PLE1206 - so it is
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("a warning", UserWarning, stacklevel=1)
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        sys.unraisablehook(type("Lost", (), {"exc_value": KeyError("lost"), "err_msg": "in a destructor"}))
        sys.stderr.write("without an end")
    telemetry.close()

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert before == (sys.stderr, sys.unraisablehook, threading.excepthook, logging.getLogger().handlers)
    assert ["stderr", "of a library", "wrong %s %s"] == [event["event"] for event in events[:3]]
    assert "a warning" in events[3]["event"]
    assert ["in a thread", "in a destructor"] == [event["where"] for event in events[4:6]]
    assert ["without an end"] == [event["text"] for event in events[6:]]
    assert "ZeroDivisionError" in events[4]["exception"]


# ── counts that workers tell one another ─────────────────────────────────────────────────────────────────────────


def counting(shared, worker):
    telemetry = Telemetry(stream=io.StringIO())
    telemetry.share(shared, worker)
    return telemetry


def answers(telemetry):
    line = next(line for line in telemetry.metrics().decode().splitlines() if line.startswith("deskroster_answers_t"))
    return int(float(line.rpartition(" ")[2]))


def test_each_worker_shows_what_all_have_told_and_goes_on_where_one_has_ended():
    shared = SharedCounts(3)
    first, second = counting(shared, 0), counting(shared, 1)
    for telemetry, times in ((first, 3), (second, 4)):
        for _ in range(times):
            telemetry.answered("kf5", "GET", "/apiv2/groups.json", 200, 0.001)
        telemetry.save()

    assert (7, 7) == (answers(first), answers(second))
    assert 7 == answers(counting(shared, 1))
    assert 7 == answers(counting(shared, 2))


def test_no_count_that_was_shown_goes_back_whoever_is_asked_next():
    shared = SharedCounts(2)
    first, second = counting(shared, 0), counting(shared, 1)
    first.answered("kf5", "GET", "/apiv2/groups.json", 200, 0.001)

    shown = answers(first)  # before the moment at which it tells the other

    assert 1 == shown == answers(second) == answers(counting(shared, 0))


def test_a_worker_that_was_killed_while_it_told_leaves_what_it_told_before():
    shared = SharedCounts(1)
    telemetry = counting(shared, 0)
    for _ in range(2):
        telemetry.answered("kf5", "GET", "/apiv2/groups.json", 200, 0.001)
        telemetry.save()
    newest = 2 % 2 * SLOT_BYTES
    shared._memory[newest + 20] ^= 0xFF

    assert 1 == answers(counting(shared, 0))


def test_dropped_lines_are_among_the_metrics_of_all_workers():
    def fail(content):
        raise BrokenPipeError

    shared = SharedCounts(2)
    both = [counting(shared, 0), counting(shared, 1)]
    for telemetry in both:
        telemetry._lines._write = fail
        telemetry.log.info("lost")
        assert telemetry.flush(60)
        telemetry.save()

    assert b'deskroster_log_lines_dropped_total{reason="write_failed"} 2.0' in both[0].metrics()
