"""One good call for each route of every dialect, on the company of `world`, and who may make it."""

from deskroster.dialect import Dialect, Route
from deskroster.dialects import DIALECTS
from tests.contract import Call
from tests.contracts import CONTRACTS, of_route


def name_of(dialect: Dialect, route: Route) -> str:
    return f"{dialect.name} {of_route(route)}"


ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]
CALLS: dict[str, Call] = {
    f"{name} {route}": call for name, contract in CONTRACTS.items() for route, call in contract.calls.items()
}
