"""Routing: from a path to its route, in as many steps as the path has parts."""

from collections.abc import Iterable

from deskroster.dialect import Route
from deskroster.dialect.problems import MethodNotAllowed, UnknownPath

_Methods = dict[str, Route]


class _Node:
    __slots__ = ("inner", "methods", "name", "varying")

    def __init__(self) -> None:
        self.inner: dict[str, _Node] = {}
        self.varying: _Node | None = None
        self.name = ""  # of the part that varies, in the node that it leads to
        self.methods: _Methods = {}


class Router:
    """The routes of a dialect as a tree. A literal part goes before one that varies."""

    def __init__(self, routes: Iterable[Route], suffix: str = "") -> None:
        self._suffix = suffix
        self._root = _Node()
        self._literal: dict[tuple[str, str], Route] = {}
        for route in routes:
            if "{" not in route.path:
                self._literal[route.method, route.path] = route
            node = self._root
            for part in route.path.removesuffix(suffix).split("/")[1:]:
                if part.startswith("{"):
                    node.varying = node.varying or _Node()
                    node = node.varying
                    node.name = part[1:-1]
                else:
                    node = node.inner.setdefault(part, _Node())
            node.methods[route.method] = route

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the parts of the path that vary, as sent. Raises UnknownPath or MethodNotAllowed."""
        at_once = self._literal.get((method, path))
        if at_once is not None:
            return at_once, {}
        if self._suffix:
            if not path.endswith(self._suffix):
                raise UnknownPath
            path = path[: -len(self._suffix)]
        node, parameters = self._root, {}
        for part in path.split("/")[1:]:
            literal = node.inner.get(part)
            if literal is not None:
                node = literal
            elif node.varying is not None and part:
                node = node.varying
                parameters[node.name] = part
            else:
                raise UnknownPath
        route = node.methods.get("GET" if method == "HEAD" else method)
        if route is None:
            if not node.methods:
                raise UnknownPath
            raise MethodNotAllowed(_allowed(node.methods))
        return route, parameters

    def methods(self, path: str) -> str:
        """Return the methods that a path has, with commas between them; empty where there is no such path."""
        try:
            self.match("", path)
        except MethodNotAllowed as refused:
            return refused.allow
        except UnknownPath:
            pass
        return ""


def _allowed(methods: _Methods) -> str:
    return ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
