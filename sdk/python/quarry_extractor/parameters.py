"""Parameters: a dataclass becomes a JSON Schema, and JSON becomes the dataclass.

Types: `int`, `float`, `str`, `bool`, `Literal["a", "b"]`, `list[...]`, `dict[str, ...]`, another
dataclass, and `| None`. `Annotated` adds a description and bounds.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .fields import text_of, unwrap

T = TypeVar("T")


class ParameterError(ValueError):
    """A parameter is wrong. The text says which and why."""


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included; None is no bound."""

    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Length:
    """Bounds of the characters of a text or the items of a list, both included."""

    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True)
class Pattern:
    """A regular expression that a text must match somewhere, as in JSON Schema."""

    expression: str


_TYPES: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}


def schema_of(parameters: type) -> dict[str, Any]:
    """The JSON Schema of a dataclass with defaults."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return draft | _object_schema(parameters)


def parse(parameters: type[T], given: Any) -> T:
    """The dataclass out of JSON. An error names the parameter."""
    if not isinstance(given, dict):
        raise ParameterError(f"the parameters are not a JSON object: {given!r}")
    return _object(parameters, given, "")


def _declared(owner: type) -> list[tuple[str, Any, Any]]:
    """Name, type and default of each field."""
    if not (isinstance(owner, type) and dataclasses.is_dataclass(owner)):
        raise TypeError(f"{owner!r} is not a dataclass: put @dataclass above the class")
    hints = get_type_hints(owner, include_extras=True)
    found = []
    for each in dataclasses.fields(owner):
        if each.default is not dataclasses.MISSING:
            default = each.default
        elif each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        else:
            raise TypeError(f"{owner.__name__}.{each.name}: a parameter needs a default")
        found.append((each.name, hints[each.name], default))
    return found


def _object_schema(owner: type) -> dict[str, Any]:
    properties = {}
    for name, hint, default in _declared(owner):
        properties[name] = _schema(hint, f"{owner.__name__}.{name}") | {"default": _plain(default)}
    schema: dict[str, Any] = {"type": "object"}
    # A dataclass without a docstring gets its signature as one.
    if owner.__doc__ and not owner.__doc__.startswith(owner.__name__ + "("):
        schema["description"] = " ".join(owner.__doc__.split())
    return schema | {"properties": properties, "additionalProperties": False}


def _schema(hint: Any, where: str) -> dict[str, Any]:
    hint, nullable, extras = unwrap(hint)
    origin = get_origin(hint)
    schema: dict[str, Any]
    if origin is Literal:
        schema = {"enum": [*get_args(hint), *([None] if nullable else [])]}
        nullable = False
    elif hint in _TYPES:
        schema = {"type": _TYPES[hint]}
    elif origin is list:
        schema = {"type": "array", "items": _schema(get_args(hint)[0], where)}
    elif origin is dict and get_args(hint)[0] is str:
        schema = {"type": "object", "additionalProperties": _schema(get_args(hint)[1], where)}
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        schema = _object_schema(hint)
    else:
        raise TypeError(f"{where}: {hint!r} is not the type of a parameter")
    if nullable:
        schema["type"] = [schema["type"], "null"]
    if text := text_of(extras):
        schema["description"] = text
    for extra in extras:
        schema |= _bounds(extra, schema)
    return schema


def _bounds(extra: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(extra, Range):
        found = {"minimum": extra.minimum, "maximum": extra.maximum}
    elif isinstance(extra, Length):
        kind = "Items" if "items" in schema else "Length"
        found = {f"min{kind}": extra.minimum or None, f"max{kind}": extra.maximum}
    elif isinstance(extra, Pattern):
        return {"pattern": extra.expression}
    else:
        return {}
    return {key: bound for key, bound in found.items() if bound is not None}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def _object(owner: type[T], given: dict[str, Any], path: str) -> T:
    values = {name: default for name, _, default in _declared(owner)}
    hints = {name: hint for name, hint, _ in _declared(owner)}
    for name, value in given.items():
        where = f"{path}{name}"
        if name not in values:
            known = ", ".join(values) or "there are none"
            raise ParameterError(f"parameter `{where}`: unknown (known: {known})")
        values[name] = _value(hints[name], value, where)
    return owner(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    hint, nullable, extras = unwrap(hint)
    if value is None and nullable:
        return None
    origin = get_origin(hint)
    if origin is Literal:
        allowed = get_args(hint)
        if not any(value == each and type(value) is type(each) for each in allowed):
            names = ", ".join(repr(each) for each in allowed)
            raise ParameterError(f"parameter `{where}`: {value!r} is not one of {names}")
    elif origin is list:
        items = _typed(list, value, where)
        of = get_args(hint)[0]
        value = [_value(of, item, f"{where}/{at}") for at, item in enumerate(items)]
    elif origin is dict:
        entries = _typed(dict, value, where)
        of = get_args(hint)[1]
        value = {key: _value(of, item, f"{where}/{key}") for key, item in entries.items()}
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        value = _object(hint, _typed(dict, value, where), f"{where}/")
    else:
        value = _typed(hint, value, where)
    for extra in extras:
        _check(extra, value, where)
    return value


def _typed(kind: Any, value: Any, where: str) -> Any:
    # In JSON 8.0 is an integer, too, and 8 a number; true is neither.
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        name = {list: "an array", dict: "an object"}.get(kind) or f"of type {_TYPES[kind]}"
        raise ParameterError(f"parameter `{where}`: {value!r} is not {name}")
    return value


def _check(extra: Any, value: Any, where: str) -> None:
    what, size = "it", value
    if isinstance(extra, Length):
        what, size = "its length", len(value)
    if isinstance(extra, (Range, Length)):
        if extra.minimum is not None and size < extra.minimum:
            raise ParameterError(f"parameter `{where}`: {what} is {size}, under {extra.minimum}")
        if extra.maximum is not None and size > extra.maximum:
            raise ParameterError(f"parameter `{where}`: {what} is {size}, over {extra.maximum}")
    if isinstance(extra, Pattern) and not re.search(extra.expression, value):
        raise ParameterError(f"parameter `{where}`: {value!r} does not match {extra.expression}")
