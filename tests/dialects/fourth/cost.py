"""The calls of the vendor that there is not that cost most."""

from tests.proofs.load.cases import MEMBERS, Case, texts
from tests.proofs.load.company import CROWDED

WORST: dict[str, list[Case]] = {
    "GET /teams": [Case(f"page {number}", f"/teams?size=100&page={number}") for number in (1, 5, 10)],
    "GET /teams/{id}": [Case("a crowd", f"/teams/{CROWDED}")],
    "POST /teams": [
        *texts("/teams", {"name": ""}, "name"),
        Case("a crowd", "/teams", {"name": "Crowd", "people": MEMBERS}, swept=True),
    ],
}
