"""OpenAPI 3.1 of a dialect, in Chinese or English, made from the types that its routes validate and answer with."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, inspect

from deskroster import __version__
from deskroster.core.records import Language
from deskroster.dialect import JSON, Dialect, Route, examples, refusals
from deskroster.dialect.app import MAX_IDEMPOTENCY_KEY
from deskroster.dialect.examples import Example, key_of
from deskroster.dialect.refusals import Refused
from deskroster.texts import Text, said, translated

_REF = "#/components/schemas/{name}"
_SUCCESS = said("Success")
_EITHER = said("Success, or a refusal: `code` says which")
_AND: dict[Language, str] = {"zh": "；", "en": "; "}
_ID = said("The id of a record")
_KEY = said("The same call with the same key is carried out once within 24 hours; any text of the caller's choice")
_TABLE = said("Refusals that have the status 200")
_MEANING = said("meaning")
_HEADERS = {
    "Location": said("The address of what was created"),
    "Retry-After": said("Seconds after which the call may be repeated"),
    "WWW-Authenticate": said("How to authenticate (RFC 9110)"),
}


def document(dialect: Dialect, language: Language = "en", root: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a dialect. `root`: the path below which a proxy shows this server."""
    schemas = _schemas(dialect, language)
    good = examples.of(dialect)
    paths: dict[str, dict[str, Any]] = {}
    for route in dialect.routes:
        operation = _Operation(dialect, route, schemas, good.get(key_of(route)), language)
        paths.setdefault(route.path, {})[route.method.lower()] = operation.described()
    queries = {route.query.__name__ for route in dialect.routes if route.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "version": __version__, "description": dialect.about.of(language)},
        "servers": [{"url": root + dialect.prefix}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag.of(language) for route in dialect.routes)],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "securitySchemes": {name: _told(scheme, language) for name, scheme in dialect.security.items()},
        },
    }


def _told(scheme: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Return a security scheme with its description in a language."""
    return {name: value.of(language) if isinstance(value, Text) else value for name, value in scheme.items()}


def _schemas(dialect: Dialect, language: Language) -> dict[str, Any]:
    """Return the schemas of all that the routes read and answer, by name, with what they say in a language."""
    used = {shape for route in dialect.routes for shape in (route.query, route.body, route.reply) if shape is not None}
    if dialect.refusal is not None:
        used.add(dialect.refusal)
    ordered = sorted(used, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_REF)
    for shape in _all(inspect.multi_type_info(ordered)):
        schemas[shape.__name__] |= getattr(shape, "OPENAPI", {})  # what its fields alone do not say
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = "\n\n".join(translated(language, one) for one in paragraphs(schema["description"]))
    return schemas


def _all(types: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """Return the shapes among these types and in them."""
    found: set[type[msgspec.Struct]] = set()
    waiting = [*types]
    while waiting:
        one = waiting.pop()
        if isinstance(one, inspect.StructType) and one.cls not in found:
            found.add(one.cls)
            waiting += [field.type for field in one.fields]
        inside = (getattr(one, "type", None), getattr(one, "item_type", None), *getattr(one, "types", ()))
        waiting += filter(None, inside)
    return found


def paragraphs(docstring: str) -> Iterator[str]:
    """Yield the paragraphs of what a type says of itself, each on one line: so they stand in the catalogue."""
    return (" ".join(one.split()) for one in docstring.split("\n\n"))


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a query or a body without references; what stands beside one is added to it."""
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    if "$ref" in schema:
        return _joined(resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas), resolved(beside, schemas))
    if "properties" in beside:
        beside["properties"] = {name: resolved(one, schemas) for name, one in beside["properties"].items()}
    if "anyOf" in beside:
        beside["anyOf"] = [resolved(one, schemas) for one in beside["anyOf"]]
    if isinstance(beside.get("items"), dict):
        beside["items"] = resolved(beside["items"], schemas)
    return beside


def _joined(schema: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    both = {**schema, **beside}
    if "required" in schema and "required" in beside:
        both["required"] = [*dict.fromkeys((*schema["required"], *beside["required"]))]
    if "properties" in schema and "properties" in beside:
        both["properties"] = schema["properties"] | {
            name: _joined(schema["properties"].get(name, {}), one) for name, one in beside["properties"].items()
        }
    return both


class _Operation:
    """One operation of a document."""

    def __init__(
        self, dialect: Dialect, route: Route, schemas: Mapping[str, Any], example: Example | None, language: Language
    ) -> None:
        self._dialect = dialect
        self._route = route
        self._example = example or Example()
        self._language: Language = language
        self._query = {} if route.query is None else resolved(_ref(route.query), schemas)
        self._body = {} if route.body is None else resolved(_ref(route.body), schemas)
        self._refused = refusals.of(dialect, route, self._query, self._body, language)

    def described(self) -> dict[str, Any]:
        route, dialect = self._route, self._dialect
        operation: dict[str, Any] = {
            "operationId": getattr(route.handler, "__name__", route.path),
            "summary": route.summary.of(self._language),
            "description": self._description(),
            "tags": [route.tag.of(self._language)],
            "parameters": [*self._path_parameters(), *self._query_parameters(), *self._header_parameters()],
            "responses": self._responses(),
            "security": [{name: [] for name in names} for names in dialect.requires if route.needs is not None],
        }
        if route.body is not None:
            shown = {} if self._example.body is UNSET else {"example": self._example.body}
            content = {media: {"schema": _ref(route.body), **shown} for media in dialect.media}
            operation["requestBody"] = {"required": not route.empty_body, "content": content}
        return operation

    def _description(self) -> str:
        """Return what the call does and, in a table, its refusals that have the status of a success."""
        told = self._route.description.of(self._language)
        refused = self._refused.get(self._route.status, [])
        if not refused:
            return told
        return f"{told}\n\n{_TABLE.of(self._language)}:\n\n{_table(refused, _MEANING.of(self._language))}"

    def _path_parameters(self) -> Iterator[dict[str, Any]]:
        for part in self._route.path.removesuffix(self._dialect.suffix).split("/"):
            if part.startswith("{"):
                name = part[1:-1]
                shown = {"example": self._example.path[name]} if name in self._example.path else {}
                yield {"name": name, "in": "path", "required": True, **self._id(), **shown}

    def _id(self) -> dict[str, Any]:
        most = self._route.most_ids
        if most == 1:
            schema = {"type": "integer", "format": "int64", "minimum": 1}
            return {"description": _ID.of(self._language), "schema": schema}
        schema = {"type": "string", "pattern": f"^[1-9][0-9]*(,[1-9][0-9]*){{0,{most - 1}}}$"}
        return {
            "description": said("Ids, with commas between them: {most} at most", most=most).of(self._language),
            "schema": schema,
        }

    def _query_parameters(self) -> Iterator[dict[str, Any]]:
        for name, schema in self._query.get("properties", {}).items():
            shown = {"example": self._example.query[name]} if name in self._example.query else {}
            required = name in self._query.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": schema, **shown}

    def _header_parameters(self) -> Iterator[dict[str, Any]]:
        if self._route.creates:
            schema = {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY}
            told = _KEY.of(self._language)
            yield {"name": "Idempotency-Key", "in": "header", "required": False, "description": told, "schema": schema}

    def _responses(self) -> dict[str, Any]:
        status = self._route.status
        return {
            str(status): self._success(self._refused.get(status, [])),
            **{str(other): self._refusal(refused) for other, refused in self._refused.items() if other != status},
        }

    def _success(self, refused: list[Refused]) -> dict[str, Any]:
        reply, refusal = self._route.reply, self._dialect.refusal
        shown = {} if self._example.answer is None else {"success": {"value": self._example.answer}}
        answer: dict[str, Any] = {"description": (_EITHER if refused else _SUCCESS).of(self._language)}
        if self._example.location is not UNSET:
            answer["headers"] = {"Location": self._header("Location", self._example.location)}
        if reply is None:
            return answer
        schema: dict[str, Any] = _ref(reply)
        if refused and refusal is not None:
            schema = {"anyOf": [schema, _ref(refusal)]}
        answer["content"] = {JSON: {"schema": schema, "examples": shown | _examples(refused)}}
        return answer

    def _refusal(self, refused: list[Refused]) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": _AND[self._language].join(one.meaning for one in refused)}
        headers = {name: value for one in refused for name, value in one.reply.headers}
        if headers:
            answer["headers"] = {name: self._header(name, value) for name, value in headers.items()}
        if self._dialect.refusal is not None:
            media = refused[0].reply.media.partition(b";")[0].decode()
            answer["content"] = {media: {"schema": _ref(self._dialect.refusal), "examples": _examples(refused)}}
        return answer

    def _header(self, name: str, value: str) -> dict[str, Any]:
        number = value.isdigit()
        schema: dict[str, Any] = {"type": "integer", "minimum": 1} if number else {"type": "string"}
        told = _HEADERS[name].of(self._language)
        return {"description": told, "schema": schema, "example": int(value) if number else value}


def _table(refused: Iterable[Refused], meaning: str) -> str:
    """Return the bodies of refusals as a table, without what they say twice."""
    bodies = [msgspec.json.decode(one.reply.body) for one in refused]
    columns = [name for name in dict.fromkeys(key for body in bodies for key in body) if name != "code_message"]
    rows = [[*columns, meaning], ["---"] * (len(columns) + 1)]
    rows += [
        [*(f"`{body[name]}`" if name in body else "" for name in columns), one.meaning]
        for body, one in sorted(zip(bodies, refused, strict=True), key=lambda pair: str(pair[0].get("code")))
    ]
    return "\n".join(f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in rows)


def _examples(refused: Iterable[Refused]) -> dict[str, Any]:
    return {one.name: {"summary": one.meaning, "value": msgspec.json.decode(one.reply.body)} for one in refused}


def _ref(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}
