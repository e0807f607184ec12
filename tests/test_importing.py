"""What a process must have for itself is made when it serves, and not when a module is imported: it may fork."""

import subprocess
import sys

from deskroster import dialect

LOOK = '''
import importlib, pkgutil, sys, threading, types
import asyncio, concurrent.futures, io, itertools, random, socket, ssl

name = sys.argv[1]

def import_all():
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), name + "."):
        if not found.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(found.name)

import_all()  # and so all that they import: what others make is not looked at
for known in [known for known in sys.modules if known == name or known.startswith(name + ".")]:
    del sys.modules[known]

RANDOM_OR_TIMED = {
    "urandom", "getrandom", "getrandbits", "random", "randbits",
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "now", "utcnow",
    "start_new_thread", "start_joinable_thread", "fork", "pipe", "pipe2", "eventfd", "getpid", "mkdtemp", "mkstemp",
}
OF_NO_MATTER = {("sqlalchemy.sql.compiler", "perf_counter")}  # how long it took to compile a statement
made = set()

def where(called=""):
    """Return the module of ours whose body makes this call, unless it is importing another that does."""
    frame = sys._getframe(2)
    if (frame.f_globals.get("__name__"), called) in OF_NO_MATTER:
        return None
    while frame is not None:
        if "importlib._bootstrap" in frame.f_code.co_filename:
            return None
        if frame.f_globals.get("__name__", "").partition(".")[0] == name:
            return frame.f_globals["__name__"]
        frame = frame.f_back
    return None

def on_call(frame, event, argument):
    if event == "c_call" and argument.__name__ in RANDOM_OR_TIMED and (module := where(argument.__name__)):
        made.add(f"{module}: {argument.__name__}")

def on_audit(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if (writes or event.startswith(("socket.", "sqlite3.connect", "subprocess.", "os.fork"))) and (module := where()):
        made.add(f"{module}: {event}")

sys.addaudithook(on_audit)
sys.setprofile(on_call)
import_all()
sys.setprofile(None)

OWN = (
    itertools.count, itertools.cycle, random.Random, socket.socket, ssl.SSLContext, types.GeneratorType,
    threading.Thread, threading.Event, threading.Condition, threading.local, type(threading.Lock()),
    type(threading.RLock()), concurrent.futures.Executor, asyncio.AbstractEventLoop, asyncio.Future, asyncio.Lock,
    asyncio.Event, asyncio.Queue, asyncio.Semaphore, io.FileIO, io.BufferedWriter,
)
for module in [module for known, module in sys.modules.items() if known == name or known.startswith(name + ".")]:
    classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    for owner in (vars(module), *map(vars, classes)):
        for called, value in list(owner.items()):
            if isinstance(value, OWN) and value not in (sys.stdin, sys.stdout, sys.stderr):
                made.add(f"{module.__name__}: {called} is {type(value).__name__}")
print("\\n".join(sorted(made)))
'''


def made_by_importing(name, *path):
    """Return what importing all modules of a package makes that a process must have for itself."""
    code = f"import sys; sys.path[:0] = {list(map(str, path))!r}\n{LOOK}"
    ran = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    return ran.stdout.split("\n")[:-1] if ran.stdout.strip() else []


def test_importing_makes_nothing_that_a_process_must_have_for_itself():
    assert [] == made_by_importing("deskroster")


PLANTED = [
    "import secrets; NAME = secrets.token_hex(8)",
    "import itertools; NUMBERS = itertools.count()",
    "import uuid; NAME = uuid.uuid4()",
    "import random; CHANCE = random.random()",
    "import random; CHANCE = random.Random(1)",
    "import time; BEGAN = time.monotonic()",
    "import datetime; BEGAN = datetime.datetime.now()",
    "import os; PROCESS = os.getpid()",
    "import socket; LINE = socket.socket()",
    "import sqlite3; DATABASE = sqlite3.connect(':memory:')",
    "import threading; LOCK = threading.Lock()",
    "import threading; threading.Thread(target=lambda: None).start()",
    "import concurrent.futures; POOL = concurrent.futures.ThreadPoolExecutor(1)",
    "import asyncio; LOOP = asyncio.new_event_loop()",
    "import asyncio; READY = asyncio.Event()",
    "import tempfile; FOLDER = tempfile.mkdtemp()",
    "class Numbers:\n    import itertools\n    _next = itertools.count()",
]


def test_control_a_module_that_makes_it_when_it_is_imported_is_noticed(tmp_path):
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "harmless.py").write_text(
        "import time, random\nNAMES = {'a': 1}\n\ndef now():\n    return time.time()\n"
    )
    for at, lines in enumerate(PLANTED):
        (package / f"plant_{at}.py").write_text(lines + "\n")

    made = made_by_importing("planted", tmp_path)

    assert {f"planted.plant_{at}" for at in range(len(PLANTED))} == {one.partition(":")[0] for one in made}


def test_two_requests_have_two_ids_though_one_process_was_copied_from_the_other():
    scope = {"path": "/", "method": "GET", "headers": [], "query_string": b""}
    ids = [dialect.request.Request(scope).id for _ in range(1_000)]

    assert 1_000 == len(set(ids))
    assert {24} == set(map(len, ids))
