"""Scalars in bodies, as the vendors' stacks read them: in every place of every dialect, found in its types."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from deskroster.core.problems import Invalid, Rule, Wanted
from deskroster.dialect.reading import Reference, read
from deskroster.dialects import DIALECTS
from tests.calls import name_of

pytestmark = pytest.mark.once

INTEGERS = [("7", 7), ("+7", 7), ("-7", -7), ("007", 7), (str(2**63 - 1), 2**63 - 1), (7, 7)]
NO_INTEGERS = [
    "",
    " 7",
    "7\r",
    "7.0",
    "1e3",
    "0x7",
    "７",
    "٧",
    "--7",
    "7_0",
    str(2**63),
    "9" * 5_000,
    7.0,
    True,
    [],
    {},
]
TEXTS = [(7, "7"), (-7, "-7"), (0, "0"), ("7\r", "7\r"), (2**63 - 1, str(2**63 - 1))]
NO_TEXTS = [7.0, 1e3, True, False, ["7"], {"a": "7"}]
BOOLEANS = [(0, False), (1, True), ("0", False), ("1", True), ("true", True), ("false", False), (True, True)]
NO_BOOLEANS = ["True", "yes", "", " 1", 2, -1, 1.0, [], {}, "on"]


class Place(NamedTuple):
    """A field of a body, by the names that lead to it; an element of a list is `[]`."""

    dialect: str
    route: str
    body: type
    path: tuple[str, ...]
    kind: inspect.Type

    @property
    def id(self) -> str:
        return f"{self.dialect} {self.route} {'.'.join(self.path)}"


def places() -> Iterator[Place]:
    for dialect in DIALECTS:
        for route in dialect.routes:
            if route.body is not None:
                for path, kind in _inside(inspect.type_info(route.body), ()):
                    yield Place(dialect.name, name_of(dialect, route), route.body, path, kind)


def _inside(kind: inspect.Type, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], inspect.Type]]:
    match kind:
        case inspect.Metadata():
            yield from _inside(kind.type, path)
        case inspect.UnionType():
            for one in kind.types:
                yield from _inside(one, path)
        case inspect.StructType():
            for field in kind.fields:
                yield from _inside(field.type, (*path, field.encode_name))
        case inspect.ListType():
            yield path, kind
            yield from _inside(kind.item_type, (*path, "[]"))
        case _:
            yield path, kind


PLACES = list(places())
LENIENT = {dialect.name for dialect in DIALECTS if dialect.lenient}


def of(kind: type[inspect.Type], strict: bool = False) -> list[Any]:
    found = [one for one in PLACES if isinstance(one.kind, kind) and (one.dialect not in LENIENT) == strict]
    assert found
    return [pytest.param(one, id=one.id) for one in found]


def with_value(place: Place, value: Any) -> dict[str, Any]:
    """Return a body that has a value in a place, and what is required beside it."""
    return _filled(inspect.type_info(place.body), place.path, value)


def _filled(kind: inspect.Type, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        kind = kind.type if isinstance(kind, inspect.Metadata) else _leading(kind, path)
    if isinstance(kind, inspect.ListType):
        return [_filled(kind.item_type, path[1:], value)]
    assert isinstance(kind, inspect.StructType)
    filled = {field.encode_name: _sample(field.type) for field in kind.fields if field.required}
    field = next(field for field in kind.fields if field.encode_name == path[0])
    return {**filled, path[0]: _filled(field.type, path[1:], value)}


def _leading(kind: inspect.UnionType, path: tuple[str, ...]) -> inspect.Type:
    """Return the one of several types that has something inside."""
    wanted = inspect.ListType if path[0] == "[]" else inspect.StructType
    return next(one for one in map(_without_metadata, kind.types) if isinstance(one, wanted))


def _without_metadata(kind: inspect.Type) -> inspect.Type:
    return _without_metadata(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _sample(kind: inspect.Type) -> Any:
    match kind:
        case inspect.Metadata():
            return _sample(kind.type)
        case inspect.UnionType():
            return _sample(kind.types[0])
        case inspect.StructType():
            return {field.encode_name: _sample(field.type) for field in kind.fields if field.required}
        case inspect.ListType():
            return []
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.DictType():
            return {}
        case inspect.IntType():
            return 1
        case _:
            return "x"


def read_in(place: Place, value: Any, creates: bool = False) -> Any:
    """Return what a value is read as in its place. Raises Invalid."""
    body = read(with_value(place, value), place.body, lenient=place.dialect in LENIENT, creates=creates)
    found: Any = msgspec.to_builtins(body, str_keys=False)
    for part in place.path:
        found = found[0] if part == "[]" else found[part]
    return found


def refused(place: Place, value: Any) -> Invalid:
    with pytest.raises(Invalid) as raised:
        read_in(place, value)
    return raised.value


@pytest.mark.parametrize("place", of(inspect.IntType))
def test_where_an_integer_is_wanted_text_of_digits_is_one(place):
    for sent, value in INTEGERS:
        assert value == read_in(place, sent)


@pytest.mark.parametrize("place", of(inspect.IntType))
def test_no_other_text_is_an_integer(place):
    for sent in NO_INTEGERS:
        refusal = refused(place, sent)

        assert Rule.TYPE is refusal.rule
        assert refusal.wanted in (Wanted.INTEGER, Wanted.INTEGERS, Wanted.REFERENCE)
        named = [part for part in place.path if part not in ("[]", "id")]
        assert not named or named[-1] in refusal.field


@pytest.mark.parametrize("place", of(inspect.StrType))
def test_where_text_is_wanted_an_integer_is_text(place):
    for sent, value in TEXTS:
        assert value == read_in(place, sent)
    for sent in NO_TEXTS:
        assert (Rule.TYPE, True) == (
            (refusal := refused(place, sent)).rule,
            refusal.wanted in (Wanted.TEXT, Wanted.TEXTS),
        )


@pytest.mark.parametrize("place", of(inspect.BoolType))
def test_where_a_boolean_is_wanted_0_and_1_and_its_words_are_one(place):
    for sent, value in BOOLEANS:
        assert value is read_in(place, sent)
    for sent in NO_BOOLEANS:
        assert (Rule.TYPE, Wanted.BOOLEAN) == ((refusal := refused(place, sent)).rule, refusal.wanted)


@pytest.mark.parametrize("place", of(inspect.ListType))
def test_where_a_list_is_wanted_an_object_with_digits_for_keys_is_one(place):
    element = with_value(place._replace(path=()), [_sample(place.kind.item_type)])[0]
    for keys in (["0"], ["1", "5"], ["9" * 400, "00", "0"]):
        assert len(keys) == len(read_in(place, dict.fromkeys(keys, element)))
    for sent in ({}, {"a": element}, {"0": element, "x": element}, {"-1": element}, {"０": element}, "x", 1, True):
        assert (Rule.TYPE, place.path[-1] in refused(place, sent).field) == (refused(place, sent).rule, True)


@pytest.mark.parametrize("place", of(inspect.LiteralType))
def test_a_word_of_a_closed_set_is_not_read_from_a_number_and_a_number_of_one_from_its_digits(place):
    for value in place.kind.values:
        assert value == read_in(place, value)
    if isinstance(place.kind.values[0], int):
        assert [read_in(place, str(value)) for value in place.kind.values] == list(place.kind.values)
        assert Rule.CHOICE is refused(place, "99").rule
    else:
        assert (Rule.TYPE, Wanted.TEXT) == ((refusal := refused(place, 1)).rule, refusal.wanted)


def objects() -> list[Any]:
    """Return the fields in which an object stands for a record."""
    found = [
        pytest.param(place._replace(path=place.path[:-1]), id=place.id)
        for place in PLACES
        if place.path[-1] == "id" and len(place.path) > 1 and place.dialect in LENIENT
    ]
    assert found
    return found


@pytest.mark.parametrize("place", objects())
def test_an_object_without_an_id_is_of_the_wrong_type(place):
    if place.path[-1] == "userInfo":
        return  # it has two names for its id: tests/dialects/servicego/test_writing_staff.py
    refusal = refused(place, {})

    assert (Rule.TYPE, True) == (refusal.rule, refusal.wanted in (Wanted.REFERENCE, Wanted.REFERENCES, Wanted.INTEGERS))


@pytest.mark.parametrize("place", [*of(inspect.IntType, strict=True), *of(inspect.StrType, strict=True)])
def test_our_own_api_reads_no_number_as_text_and_no_text_as_a_number(place):
    value = "7" if isinstance(place.kind, inspect.IntType) else 7

    assert Rule.TYPE is refused(place, value).rule


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=3)
    | st.sampled_from(["0", "1", "true", "", "7"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["0", "1", "id", "x"]), inside),
    max_leaves=5,
)  # fmt: skip


@given(data=st.data(), value=JSON, creates=st.booleans())
def test_whatever_is_sent_is_read_as_its_type_or_refused_in_words(data, value, creates):
    place = data.draw(st.sampled_from(PLACES))
    refusal = None
    try:
        read_in(place, value, creates)
    except Invalid as raised:
        refusal = raised
    except (KeyError, IndexError):
        assert creates  # it counts as absent
    assert refusal is None or (refusal.wanted is None) == (refusal.rule is not Rule.TYPE)


def test_control_a_reader_that_takes_everything_is_noticed(monkeypatch):
    from deskroster.dialect import reading

    monkeypatch.setitem(reading._SCALARS, inspect.IntType, (int, lambda value: 1))
    place = next(one for one in PLACES if isinstance(one.kind, inspect.IntType) and one.dialect in LENIENT)

    with pytest.raises(BaseException, match="DID NOT RAISE"):
        test_no_other_text_is_an_integer(place)


def test_a_reference_is_an_object_with_an_id_and_whatever_else():
    assert Reference(3) == read({"id": "3", "name": "x"}, Reference, lenient=True, creates=False)
