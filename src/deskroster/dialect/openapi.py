"""OpenAPI 3.1 of a dialect, made from the types that its routes validate and answer with."""

from typing import Any

import msgspec

from deskroster import __version__
from deskroster.dialect import JSON, Dialect, Route

_REF = "#/components/schemas/{name}"


def document(dialect: Dialect) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a dialect."""
    used = {shape for route in dialect.routes for shape in (route.query, route.body, route.reply) if shape is not None}
    if dialect.refusal is not None:
        used.add(dialect.refusal)
    ordered = sorted(used, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_REF)
    for shape in ordered:
        schemas[shape.__name__] |= getattr(shape, "OPENAPI", {})  # what its fields alone do not say
    paths: dict[str, dict[str, Any]] = {}
    for route in dialect.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(dialect, route, schemas)
    queries = {route.query.__name__ for route in dialect.routes if route.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "version": __version__},
        "servers": [{"url": dialect.prefix}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "securitySchemes": dialect.security,
        },
    }


def _operation(dialect: Dialect, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {str(route.status): _success(dialect, route)}
    if dialect.refusal is not None:
        answers["default"] = {"description": "Refusal", **_content(dialect.refusal, dialect.refusal_media)}
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", route.summary),
        "summary": route.summary,
        "parameters": _parameters(route, schemas),
        "responses": answers,
        "security": [{name: [] for name in names} for names in dialect.requires if route.needs is not None],
    }
    if route.body is not None:
        media = {name: {"schema": _ref(route.body)} for name in dialect.media}
        operation["requestBody"] = {"required": not route.empty_body, "content": media}
    return operation


def _success(dialect: Dialect, route: Route) -> dict[str, Any]:
    if not dialect.refuses_in_success or route.reply is None or dialect.refusal is None:
        return {"description": "Success", **_content(route.reply)}
    either = {"anyOf": [_ref(route.reply), _ref(dialect.refusal)]}
    return {"description": "Success, or a refusal", "content": {"application/json": {"schema": either}}}


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    parts = (part[1:-1] for part in route.path.replace(".json", "").split("/") if part.startswith("{"))
    parameters = [{"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts]
    if route.query is not None:
        query = schemas[route.query.__name__]
        required = query.get("required", ())
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in query["properties"].items()
        ]
    if route.creates:
        text = {"type": "string", "minLength": 1, "maxLength": 255}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": text})
    return parameters


def _content(shape: type[msgspec.Struct] | None, media: str = JSON) -> dict[str, Any]:
    return {} if shape is None else {"content": {media: {"schema": _ref(shape)}}}


def _ref(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}
