"""What we rely on in libraries that do not promise it: listed by name.

So an upgrade fails here, with a sentence, and not in production.
"""

import ast
import inspect
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn
from packaging.requirements import Requirement
from packaging.version import Version
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "deskroster"

BOUNDED = {
    "uvicorn": "guards/http.py derives from its protocol, and guards/ uses its cycle",
    "httptools": "what llhttp lets through decides what guards/ has to refuse",
    "uvloop": "guards/tls.py takes the first step of its start_tls before awaiting it",
    "rich": "cli/wrapping.py replaces where it breaks a line, for Chinese",
    "typer": "cli/translation.py translates its sentences about wrong arguments, which it has in English alone",
    "swagger-ui-py": "we serve the static files that its package holds",
}
"""Libraries of which we use more than they promise, and why."""

UNPROMISED = ("uvicorn.protocols", "uvicorn.middleware", "uvicorn.server", "uvicorn.config")
"""Modules without an underscore that no documentation of theirs names as an API."""

IMPORTED = {
    "rich": ["_wrap"],
    "uvicorn._types": ["ASGI3Application", "ASGIReceiveCallable", "ASGISendCallable", "Scope"],
    "uvicorn.middleware.proxy_headers": ["ProxyHeadersMiddleware"],
    "uvicorn.protocols.http.httptools_impl": ["HttpToolsProtocol", "RequestResponseCycle", "STATUS_LINE"],
    "uvicorn.protocols.utils": ["get_remote_addr"],
}

PARENTS = {"HttpToolsProtocol": HttpToolsProtocol, "uvicorn.Server": uvicorn.Server}
HANDED = {"RequestResponseCycle": RequestResponseCycle, "FlowControl": FlowControl, "ServerState": ServerState}

METHODS = {
    "HttpToolsProtocol.__init__": "(self, config: 'Config', server_state: 'ServerState', app_state: 'dict[str, Any]',"
    " _loop: 'asyncio.AbstractEventLoop | None' = None) -> 'None'",
    "HttpToolsProtocol._start_asgi_task": "(self, cycle: 'RequestResponseCycle', app: 'ASGI3Application') -> 'None'",
    "HttpToolsProtocol._unset_keepalive_if_required": "(self) -> 'None'",
    "HttpToolsProtocol.connection_lost": "(self, exc: 'Exception | None') -> 'None'",
    "HttpToolsProtocol.connection_made": "(self, transport: 'asyncio.Transport') -> 'None'",
    "HttpToolsProtocol.data_received": "(self, data: 'bytes') -> 'None'",
    "HttpToolsProtocol.on_body": "(self, body: 'bytes') -> 'None'",
    "HttpToolsProtocol.on_headers_complete": "(self) -> 'None'",
    "HttpToolsProtocol.on_message_begin": "(self) -> 'None'",
    "HttpToolsProtocol.on_message_complete": "(self) -> 'None'",
    "HttpToolsProtocol.on_response_complete": "(self) -> 'None'",
    "HttpToolsProtocol.pause_writing": "(self) -> 'None'",
    "HttpToolsProtocol.resume_writing": "(self) -> 'None'",
    "HttpToolsProtocol.shutdown": "(self) -> 'None'",
    "HttpToolsProtocol.timeout_keep_alive_handler": "(self) -> 'None'",
    "RequestResponseCycle.run_asgi": "(self, app: 'ASGI3Application') -> 'None'",
    "uvicorn.Server.__init__": "(self, config: 'Config') -> 'None'",
    "uvicorn.Server.capture_signals": "(self) -> 'Generator[None, None, None]'",
    "uvicorn.Server.serve": "(self, sockets: 'list[socket.socket] | None' = None) -> 'None'",
    "uvicorn.Server.shutdown": "(self, sockets: 'list[socket.socket] | None' = None) -> 'None'",
    "uvicorn.Server.startup": "(self, sockets: 'list[socket.socket] | None' = None) -> 'None'",
}

ATTRIBUTES = {
    "FlowControl.write_paused",
    "HttpToolsProtocol.client",
    "HttpToolsProtocol.cycle",
    "HttpToolsProtocol.flow",
    "HttpToolsProtocol.headers",
    "HttpToolsProtocol.loop",
    "HttpToolsProtocol.parser",
    "HttpToolsProtocol.pipeline",
    "HttpToolsProtocol.scope",
    "HttpToolsProtocol.server_state",
    "HttpToolsProtocol.tasks",
    "HttpToolsProtocol.timeout_keep_alive",
    "HttpToolsProtocol.timeout_keep_alive_task",
    "HttpToolsProtocol.transport",
    "HttpToolsProtocol.url",
    "RequestResponseCycle.body",
    "RequestResponseCycle.disconnected",
    "RequestResponseCycle.keep_alive",
    "RequestResponseCycle.message_event",
    "RequestResponseCycle.more_body",
    "RequestResponseCycle.response_complete",
    "RequestResponseCycle.response_started",
    "RequestResponseCycle.scope",
    "ServerState.default_headers",
    "uvicorn.Server._captured_signals",
    "uvicorn.Server.should_exit",
}

CALLED_BY_THEM = {
    "HttpToolsProtocol._start_asgi_task": ("on_headers_complete", "on_response_complete"),
    "HttpToolsProtocol.on_response_complete": ("on_headers_complete",),
    "HttpToolsProtocol._unset_keepalive_if_required": ("on_response_complete",),
    "HttpToolsProtocol.timeout_keep_alive_handler": ("on_response_complete",),
    "uvicorn.Server.capture_signals": ("serve",),
    "uvicorn.Server.shutdown": ("_serve",),
    "uvicorn.Server.startup": ("_serve",),
    "uvicorn.Server._captured_signals": ("capture_signals", "handle_exit"),
}
"""What we replace or rely on, and where the library uses it: elsewhere ours would never be asked."""

NOT_PRIVATE = {
    "os._exit",  # documented
    "spending._replace",  # a named tuple's
    "RequestResponseCycle.default_headers",  # the name is also the server state's, which is the one used
    "ServerState.connections",  # a limit of ours
}


def test_each_private_part_that_the_source_uses_is_listed_here():
    used = set(uses(SOURCE.rglob("*.py")))
    listed = {f"{module}:{name}" for module, names in IMPORTED.items() for name in names} | set(METHODS) | ATTRIBUTES

    assert set() == used - listed - NOT_PRIVATE, "used, and not listed in tests/test_private_parts.py"
    assert set() == listed - used, "listed in tests/test_private_parts.py, and used no more"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_we_rely_on_takes_what_it_took(name):
    assert None is changed(name, METHODS[name])


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_an_attribute_that_we_rely_on_is_there(name):
    owner, _, attribute = name.rpartition(".")

    assert attribute in members(class_of(owner)), f"{name} is gone in uvicorn {version('uvicorn')}"


@pytest.mark.parametrize("module", IMPORTED)
def test_a_name_that_we_import_is_there(module):
    gone = [name for name in IMPORTED[module] if not hasattr(import_module(module), name)]

    assert [] == gone, f"{module} has no longer {gone}"


@pytest.mark.parametrize("name", CALLED_BY_THEM)
def test_the_library_still_calls_what_we_replace(name):
    owner, _, method = name.rpartition(".")
    for caller in CALLED_BY_THEM[name]:
        called = {
            node.attr for node in ast.walk(tree_of(getattr(class_of(owner), caller))) if type(node) is ast.Attribute
        }

        assert method in called, f"{owner}.{caller} no longer calls {method}, so ours is never asked"


def test_swagger_ui_lies_where_we_serve_it_from():
    assert files("swagger_ui").joinpath("static", "swagger-ui-bundle.js").is_file()


@pytest.mark.parametrize("library", BOUNDED)
def test_a_library_of_which_more_is_used_than_it_promises_is_bounded_to_what_was_tested(library):
    [wanted] = [one for one in requirements() if one.name == library]
    tested = Version(pins()[library])

    assert tested in wanted.specifier
    assert Version(version(library)) in wanted.specifier
    for next_one in (f"{tested.major}.{tested.minor + 1}", f"{tested.major + 1}.0"):
        assert Version(next_one) not in wanted.specifier, f"{library} {next_one} was never tested: {BOUNDED[library]}"


def test_what_is_listed_belongs_to_a_library_that_is_bounded():
    assert {"rich", "uvicorn"} == {module.partition(".")[0] for module in IMPORTED} <= set(BOUNDED)


# ── controls ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_control_a_private_part_that_is_not_listed_is_noticed(tmp_path):
    (tmp_path / "new.py").write_text(
        textwrap.dedent(
            """
            from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, _get_status_line
            from starlette._utils import is_async_callable

            class Mine(HttpToolsProtocol):
                def _get_upgrade(self):
                    return self.root_path or other(self)._pool
            """
        )
    )

    found = set(uses([tmp_path / "new.py"]))

    assert {
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
        "uvicorn.protocols.http.httptools_impl:_get_status_line",
        "starlette._utils:is_async_callable",
        "HttpToolsProtocol._get_upgrade",
        "HttpToolsProtocol.root_path",
        "other(self)._pool",
    } == found


def test_control_a_private_part_of_an_object_whose_class_is_imported_is_noticed(tmp_path):
    (tmp_path / "new.py").write_text(
        textwrap.dedent(
            """
            from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

            def expects(cycle: RequestResponseCycle) -> bool:
                return cycle.waiting_for_100_continue
            """
        )
    )

    assert "RequestResponseCycle.waiting_for_100_continue" in set(uses([tmp_path / "new.py"]))


def test_control_a_method_that_takes_something_else_is_noticed(monkeypatch):
    monkeypatch.setattr(HttpToolsProtocol, "on_body", lambda self, body, more: None)

    assert "on_body now takes (self, body, more)" in changed(
        "HttpToolsProtocol.on_body", METHODS["HttpToolsProtocol.on_body"]
    )


def test_control_a_method_that_is_gone_is_noticed(monkeypatch):
    monkeypatch.delattr(HttpToolsProtocol, "_start_asgi_task")
    name = "HttpToolsProtocol._start_asgi_task"

    assert f"{name} is gone" in changed(name, METHODS[name])


def test_control_an_attribute_that_never_was_is_not_found():
    assert "cycles" not in members(HttpToolsProtocol)


# ── how it is found out ─────────────────────────────────────────────────────────────────────────────────────────


def uses(sources: Iterable[Path]) -> Iterator[str]:
    """Give each private part of a library that the sources use."""
    for path in sources:
        tree = ast.parse(path.read_text())
        yield from imported(tree)
        ours = {node.attr for node in ast.walk(tree) if type(node) is ast.Attribute and is_set_on_self(node)}
        parents = {known for node in ast.walk(tree) if type(node) is ast.ClassDef for known in parents_of(node)}
        handed_around = parents or {name.rpartition(":")[2] for name in imported(tree)} & set(HANDED)
        for node in ast.walk(tree):
            if type(node) is ast.ClassDef:
                for parent in parents_of(node):
                    yield from inherited(node, parent)
            elif type(node) is ast.Attribute and ast.unparse(node.value) not in ("self", "cls"):
                if node.attr.startswith("_") and not node.attr.startswith("__") and node.attr not in ours:
                    yield ast.unparse(node)
                if handed_around:
                    for name, handed in (HANDED | {k: PARENTS[k] for k in parents & {"uvicorn.Server"}}).items():
                        if node.attr in members(handed) and not is_super(node):
                            yield f"{name}.{node.attr}"


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if type(node) is ast.ImportFrom and node.module and not node.module.startswith("deskroster"):
            if "._" in node.module or node.module.startswith(UNPROMISED):
                yield from (f"{node.module}:{one.name}" for one in node.names)
            else:
                private = [one.name for one in node.names if one.name.startswith("_") and not one.name.startswith("__")]
                yield from (f"{node.module}:{name}" for name in private)
        elif type(node) is ast.Import:
            yield from (f"{one.name}:" for one in node.names if "._" in one.name or one.name.startswith(UNPROMISED))


def parents_of(node: ast.ClassDef) -> list[str]:
    return [name for base in node.bases if (name := ast.unparse(base)) in PARENTS]


def inherited(node: ast.ClassDef, parent: str) -> Iterator[str]:
    """Give what a class of ours replaces of its parent, and what it uses of it."""
    known = members(PARENTS[parent])
    for inner in ast.walk(node):
        if type(inner) in (ast.FunctionDef, ast.AsyncFunctionDef):
            name = inner.name
        elif type(inner) is ast.Attribute and (is_super(inner) or ast.unparse(inner.value) in ("self", parent)):
            name = inner.attr
        else:
            continue
        if name in known:
            yield f"{parent}.{name}"


def is_super(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) == "super()"


def is_set_on_self(node: ast.Attribute) -> bool:
    return type(node.ctx) is ast.Store and ast.unparse(node.value) == "self"


@cache
def members(one: type) -> set[str]:
    """Return the methods of a class and what they set on `self`."""
    tree = tree_of(one)
    names = {node.name for node in ast.walk(tree) if type(node) in (ast.FunctionDef, ast.AsyncFunctionDef)}
    for node in ast.walk(tree):
        if type(node) is ast.Attribute and is_set_on_self(node):
            names.add(node.attr)
    return names


def tree_of(one: object) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(one)))  # type: ignore[arg-type]


def class_of(name: str) -> type:
    return (PARENTS | HANDED)[name]


def changed(name: str, signature: str) -> str | None:
    """Say what has changed about a method; None if nothing has."""
    owner, _, method = name.rpartition(".")
    found = inspect.getattr_static(class_of(owner), method, None)
    if found is None:
        return f"{name} is gone in uvicorn {version('uvicorn')}: see what does its work now"
    now = str(inspect.signature(found))
    return None if now == signature else f"{name} now takes {now}, and not {signature}"


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)
