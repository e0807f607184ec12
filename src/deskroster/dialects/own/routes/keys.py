"""Keys: the secrets by which agents' programs sign and log in."""

import uuid
from collections.abc import Collection
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from deskroster.core import keys, moments
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Done, new_id
from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.core.records import Secret
from deskroster.core.roster import Roster
from deskroster.desk import Desk
from deskroster.dialect import Reply, Request, Route
from deskroster.dialects.own import shapes
from deskroster.dialects.own.shapes.keys import KeyBody, KeyList, KeyOut, NewKey, key_out, new_key
from deskroster.texts import said


def list_keys(request: Request, desk: Desk) -> Reply:
    page = keys.find(desk.roster, request.caller, shapes.window(request))
    return shapes.written(KeyList([key_out(desk.roster.keys[id], desk) for id in page.ids], page.total))


async def revoke_key(request: Request, desk: Desk) -> Reply:
    id, now = request.path_id("key"), desk.now()
    return await request.submit(
        lambda roster, caller: keys.revoke(roster, caller, id, now),
        lambda roster, done: shapes.written(key_out(roster.keys[id], desk)),
    )


def _end(sent: str | None) -> int | None:
    """Return the time at which a key expires. Raises Invalid."""
    try:
        return None if sent is None else moments.parsed(sent)
    except ValueError:
        raise Invalid("expires_at", Rule.FORM, wanted=Wanted.MOMENT) from None


def _of(known: Collection[str]) -> Any:
    """Return the type of a list of dialects, as OpenAPI shows it."""
    return list[Annotated[str, Meta(extra_json_schema={"enum": sorted(known)})]]


_TAG = said("Keys")


def routes(known: Collection[str]) -> tuple[Route, ...]:
    """Return the routes; a key can be confined to the `known` dialects."""

    async def create_key(request: Request, desk: Desk) -> Reply:
        wanted, now = request.read(KeyBody), desk.now()
        if not set(wanted.dialects) <= set(known):
            raise Invalid("dialects", Rule.CHOICE)
        secret, ends = Secret(str(uuid.uuid4())), _end(wanted.expires_at)

        def shape(roster: Roster, done: Done) -> Reply:
            key = roster.keys[new_id(done)]
            return shapes.created(request, key.id, shapes.encode(new_key(key, desk)))

        def verb(roster: Roster, caller: Caller) -> Done:
            if wanted.agent_id not in roster.agents:
                raise Invalid("agent_id", Rule.UNKNOWN)
            may, where = wanted.access, wanted.dialects
            return keys.create(
                roster, caller, wanted.agent_id, wanted.name, secret, now, access=may, dialects=where, expires_at=ends
            )

        return await request.submit(verb, shape)

    # The keys of a body name dialects that are known here alone.
    documented = msgspec.defstruct("KeyBody", [("dialects", _of(known), [])], bases=(KeyBody,), frozen=True)
    return (
        Route(method="GET", path="/keys", handler=list_keys, needs=Permission.WRITE_KEYS,
              summary=said("List keys"), description=said("A page by ascending id, without the secrets."), tag=_TAG,
              query=shapes.Paging, reply=KeyList),
        Route(method="POST", path="/keys", handler=create_key, needs=Permission.WRITE_KEYS,
              summary=said("Give an agent a key"),
              description=said("Its secret, the API token, is in this answer only. Without `dialects` the key is good "
                               "for all, without `expires_at` it does not expire."),
              tag=_TAG, body=documented, reply=NewKey, status=201, creates=True),
        Route(method="DELETE", path="/keys/{id}", handler=revoke_key, needs=Permission.WRITE_KEYS,
              summary=said("Revoke a key"), description=said("At once, in every process. It stays listed."), tag=_TAG,
              finds="key", reply=KeyOut),
    )  # fmt: skip
