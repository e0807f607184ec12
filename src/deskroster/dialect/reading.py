"""Reading: JSON data as a type. A vendor's dialect reads scalars as the vendors' stacks do (Rails, PHP, Jackson).

Where an integer is wanted, that is also text of digits; where text is wanted, an integer; where a boolean is wanted, 0,
1 and their words; where a list is wanted, an object whose keys are digits, which PHP makes of a list with gaps.
"""

import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, inspect

from deskroster.core.problems import Invalid, Rule, Wanted

T = TypeVar("T")

_INTEGER = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]{0,19})")
_LEAST, _MOST = -(2**63), 2**63 - 1
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}


class Reference(Struct, frozen=True):
    """An object that stands for a record, by its id."""

    id: Annotated[int, Meta(extra_json_schema={"minimum": 1, "format": "int64"})]


def read(value: dict[str, Any], wanted: type[T], *, lenient: bool, creates: bool) -> T:
    """Return an object as a type, without the keys that it does not have.

    `lenient`: scalars are read as said above. `creates`: what says nothing counts as absent, where it may be: null and
    `""` for anything but text, and 0 where it is none of the choices.

    Raises Invalid, naming the path to the field, and for a wrong type what is wanted.
    """
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:  # rare, so that the usual body is not read twice
        read = _Reader(lenient, lenient and creates).object(value, _type_of(cast("Hashable", wanted)), "")
    try:
        return msgspec.convert(read, wanted)
    except msgspec.ValidationError as error:  # a rule of msgspec's that is not known here
        raise AssertionError(str(error)) from None


class _Reader:
    """Reads data of any type that the bodies have."""

    def __init__(self, lenient: bool, empty_is_absent: bool) -> None:
        self._lenient = lenient
        self._empty_is_absent = empty_is_absent

    def object(self, value: Any, wanted: inspect.Type, place: str) -> dict[str, Any]:
        assert isinstance(wanted, inspect.StructType)
        if type(value) is not dict:
            raise _wrong_type(place, wanted)
        read = {}
        for field in wanted.fields:
            name = field.encode_name
            inside = f"{place}.{name}".lstrip(".")
            if name not in value:
                if field.required and issubclass(wanted.cls, Reference):
                    raise _wrong_type(place, wanted)
                if field.required:
                    raise Invalid(inside, Rule.REQUIRED)
            elif field.required or not (self._empty_is_absent and _says_nothing(value[name], _plain(field.type))):
                read[name] = self._any(value[name], _plain(field.type), inside)
        return read

    def _any(self, value: Any, wanted: list[inspect.Type], place: str) -> Any:
        """Read a value that is of one of these types: at most null, one for scalars or lists, and one for objects."""
        if value is None:
            if any(isinstance(one, inspect.NoneType) for one in wanted):
                return None
            raise Invalid(place, Rule.REQUIRED)
        others = [one for one in wanted if not isinstance(one, inspect.NoneType)]
        objects = [one for one in others if isinstance(one, inspect.StructType)]
        if objects and (type(value) is dict or len(others) == 1):
            return self.object(value, objects[0], place)
        one = others[0]
        if isinstance(one, inspect.AnyType) or (isinstance(one, inspect.DictType) and type(value) is dict):
            return value
        if isinstance(one, inspect.CollectionType):
            return self._list(value, one, place)
        if isinstance(one, inspect.LiteralType):
            return self._choice(value, one, place)
        if isinstance(one, inspect.DictType):
            raise _wrong_type(place, one)
        return self._scalar(value, one, place)

    def _list(self, value: Any, wanted: inspect.CollectionType, place: str) -> list[Any]:
        if self._lenient and type(value) is dict and value and all(key.isascii() and key.isdigit() for key in value):
            value = list(value.values())
        if type(value) is not list:
            raise _wrong_type(place, wanted)
        if wanted.max_length is not None and len(value) > wanted.max_length:
            raise Invalid(place, Rule.TOO_MANY, wanted.max_length)
        item = _plain(wanted.item_type)
        return [self._element(one, item, f"{place}[{at}]", place, wanted) for at, one in enumerate(value)]

    def _element(
        self, value: Any, item: list[inspect.Type], place: str, of_list: str, wanted: inspect.CollectionType
    ) -> Any:
        """Read an element; where it is none of these types, it is the list that is of the wrong type."""
        try:
            return self._any(value, item, place)
        except Invalid as error:
            if error.field == place and error.rule in (Rule.TYPE, Rule.REQUIRED):
                raise _wrong_type(of_list, wanted) from None
            raise

    def _choice(self, value: Any, wanted: inspect.LiteralType, place: str) -> Any:
        if isinstance(wanted.values[0], str):
            if not isinstance(value, str):
                raise _wrong_type(place, wanted)
        else:
            value = self._scalar(value, _INTEGER_TYPE, place)
        if value not in wanted.values:
            raise Invalid(place, Rule.CHOICE)
        return value

    def _scalar(self, value: Any, wanted: inspect.Type, place: str) -> Any:
        strict, lenient = _SCALARS[type(wanted)]
        read: Any = value if type(value) is strict else lenient(value) if self._lenient else None
        if read is None:
            raise _wrong_type(place, wanted)
        if isinstance(wanted, inspect.IntType) and _is_out_of_range(read, wanted):
            raise Invalid(place, Rule.RANGE)
        if isinstance(wanted, inspect.StrType) and wanted.max_length is not None and len(read) > wanted.max_length:
            raise Invalid(place, Rule.TOO_LONG, wanted.max_length)
        return read


def _integer(value: Any) -> int | None:
    if type(value) is not str or (digits := _INTEGER.fullmatch(value)) is None:
        return None
    number = int(f"{digits[1]}{digits[2] or 0}")
    return number if _LEAST <= number <= _MOST else None


def _text(value: Any) -> str | None:
    return str(value) if type(value) is int else None


def boolean(value: Any) -> bool | None:
    """Return the boolean that a scalar stands for; None if it stands for none."""
    return (
        _BOOLEANS.get(value) if type(value) is str else bool(value) if type(value) is int and value in (0, 1) else None
    )


_INTEGER_TYPE = inspect.IntType()
_SCALARS: dict[type[inspect.Type], tuple[type, Callable[[Any], Any]]] = {
    inspect.IntType: (int, _integer),
    inspect.StrType: (str, _text),
    inspect.BoolType: (bool, boolean),
}
"""Which type JSON has for a scalar, and how another value is read as one; None where it is none."""
_SINGLE: dict[type[inspect.Type], Wanted] = {
    inspect.IntType: Wanted.INTEGER,
    inspect.StrType: Wanted.TEXT,
    inspect.BoolType: Wanted.BOOLEAN,
    inspect.DictType: Wanted.OBJECT,
}
_ARRAYS = {
    Wanted.INTEGER: Wanted.INTEGERS,
    Wanted.TEXT: Wanted.TEXTS,
    Wanted.OBJECT: Wanted.OBJECTS,
    Wanted.REFERENCE: Wanted.REFERENCES,
}


@cache
def _type_of(wanted: Hashable) -> inspect.Type:
    return inspect.type_info(wanted)


def _is_out_of_range(number: int, wanted: inspect.IntType) -> bool:
    return (wanted.ge is not None and number < wanted.ge) or (wanted.le is not None and number > wanted.le)


def _plain(wanted: inspect.Type) -> list[inspect.Type]:
    """Return the types that a value may be of, without what is said of them for the schema."""
    if isinstance(wanted, inspect.Metadata):
        return _plain(wanted.type)
    if isinstance(wanted, inspect.UnionType):
        return [plain for one in wanted.types for plain in _plain(one)]
    return [wanted]


def _says_nothing(value: Any, wanted: list[inspect.Type]) -> bool:
    """Tell whether a value cannot mean anything where these types are wanted: null, `""`, 0."""
    is_text = any(isinstance(one, inspect.StrType) for one in wanted)
    if value is None or value == "":
        return not is_text
    is_zero = value == "0" or (type(value) is int and value == 0)
    return is_zero and any(isinstance(one, inspect.LiteralType) and 0 not in one.values for one in wanted)


def _wrong_type(place: str, wanted: inspect.Type) -> Invalid:
    return Invalid(place, Rule.TYPE, wanted=_named(wanted))


def _named(wanted: inspect.Type) -> Wanted:
    if isinstance(wanted, inspect.CollectionType):
        return _ARRAYS[_named(_plain(wanted.item_type)[0])]
    if isinstance(wanted, inspect.StructType):
        return Wanted.REFERENCE if issubclass(wanted.cls, Reference) else Wanted.OBJECT
    if isinstance(wanted, inspect.LiteralType):
        return Wanted.TEXT if isinstance(wanted.values[0], str) else Wanted.INTEGER
    return _SINGLE[type(wanted)]
