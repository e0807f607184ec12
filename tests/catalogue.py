"""The catalogue of Chinese texts: what must be in it, by Babel, and how it is written. `make texts` runs this."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from deskroster.cli import app
from deskroster.cli.translation import paragraphs
from deskroster.dialect.openapi import document
from deskroster.dialect.openapi import paragraphs as paragraphs_of
from deskroster.dialects import DIALECTS
from deskroster.texts import DOMAIN, LOCALES

SOURCE = Path(__file__).parents[1] / "src"
PO = LOCALES / "zh" / "LC_MESSAGES" / f"{DOMAIN}.po"
MO = PO.with_suffix(".mo")
LEFT_OUT = {"(dynamic)", "(deprecated) ", "Aborted!", "No such command {name!r}."}
"""What Typer takes from gettext and never shows here; the last one is among the patterns of `translation`."""


def wanted() -> dict[str, set[str]]:
    """Return every English text that a person may see, and the files that say it."""
    found: dict[str, set[str]] = {}
    for message, where in (*_said(), *_documents(), *_helps(), *_typers()):
        if any(letter.isalpha() for letter in message):
            found.setdefault(message, set()).add(where)
    return found


def stored() -> Catalog:
    """Return the catalogue as it is."""
    with PO.open("rb") as file:
        return read_po(file, locale="zh", domain=DOMAIN)


def compiled(catalogue: Catalog) -> bytes:
    """Return what gettext reads."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def missing(texts: dict[str, set[str]], catalogue: Catalog) -> list[str]:
    """Return the texts that have no translation."""
    return [text for text in texts if not (message := catalogue.get(text)) or not message.string or message.fuzzy]


def obsolete(texts: dict[str, set[str]], catalogue: Catalog) -> list[str]:
    """Return the translations of what nobody says any more."""
    return [*(str(one.id) for one in catalogue if one.id and one.id not in texts), *map(str, catalogue.obsolete)]


def _said() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_bytes()
        if b"said(" in text:
            for _, message, _, _ in extract("python", io.BytesIO(text), keywords={"said": None}):
                assert isinstance(message, str)
                yield message, str(path.relative_to(SOURCE.parent))


def _documents() -> Iterator[tuple[str, str]]:
    """Yield what the types say of themselves, as OpenAPI shows it."""
    for dialect in DIALECTS:
        found = document(dialect)
        for schema in found["components"]["schemas"].values():
            for paragraph in paragraphs_of(schema.get("description", "")):
                yield paragraph, f"/docs/{dialect.name}/openapi.json"


def _helps() -> Iterator[tuple[str, str]]:
    yield from _helps_of(typer.main.get_command(app), "deskroster")


def _helps_of(command: typer.core.TyperCommand | typer.core.TyperGroup, name: str) -> Iterator[tuple[str, str]]:
    with command.make_context(name, ["--help"], resilient_parsing=True) as context:
        told = [command.help, *(param.help for param in command.get_params(context) if not param.hidden)]
    for text in filter(None, told):
        for paragraph in paragraphs(text):
            yield paragraph, f"{name} --help"
    if isinstance(command.rich_help_panel, str):
        yield command.rich_help_panel, f"{name} --help"
    for part, below in getattr(command, "commands", {}).items():
        yield from _helps_of(below, f"{name} {part}")


def _typers() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(typer.__file__).parent.rglob("*.py")):
        for _, message, _, _ in extract("python", io.BytesIO(path.read_bytes()), keywords={"_": None}):
            if message not in LEFT_OUT:
                assert isinstance(message, str)
                yield message, "typer"


def _updated(texts: dict[str, set[str]], catalogue: Catalog) -> Catalog:
    """Return the catalogue with all these texts and no other; what is new has an empty translation."""
    new = Catalog("zh", DOMAIN, project="Deskroster", charset="utf-8", header_comment=HEADER)
    new.creation_date = catalogue.creation_date
    new.revision_date = catalogue.revision_date
    for text, places in sorted(texts.items(), key=lambda one: (min(one[1]), one[0])):
        known = catalogue.get(text)
        new.add(text, known.string if known else "", auto_comments=[", ".join(sorted(places)[:3])])
    return new


HEADER = "# Chinese texts of Deskroster. Written by make texts; only the translations are edited by hand."


def main() -> None:
    """Bring the catalogue up to date, compile it, and say what has no translation."""
    texts = wanted()
    new = _updated(texts, stored() if PO.exists() else Catalog("zh"))
    with PO.open("wb") as file:
        write_po(file, new, width=110, no_location=True, omit_header=False)
    MO.write_bytes(compiled(new))
    untranslated = missing(texts, new)
    for text in untranslated:
        print(f"no Chinese for {text!r} ({', '.join(sorted(texts[text]))})")
    sys.exit(f"write these into {PO}" if untranslated else 0)


if __name__ == "__main__":
    main()
