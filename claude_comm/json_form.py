"""The JSON form of a payload: the one model of values that contracts, validators and decoders speak of.

Law: what goes out under an agreement is in its JSON form; what has none is refused where it is sent, by name. In the
model 1 and 1.0 are one number: whoever reads takes the one for the other. `docs/values.md` says it in full.
"""

from __future__ import annotations

import enum
import math
import re
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from claude_comm.errors import DoesNotFit, EncodeError

Encoded = TypeVar("Encoded")
# Whatever reading a value as a type may raise: `TypeError` for a list in a set, `OverflowError` for a duration that is
# too long; `OSError` for a path that is; `AttributeError` for a member without a slot.
UNFIT = (msgspec.MsgspecError, ValueError, RecursionError, TypeError, OverflowError, OSError, AttributeError)
# Whatever writing a value may raise: it runs the code of the value's type, and a Struct whose field was deleted raises
# AttributeError.
UNWRITTEN = (Exception,)
# How a float of 8 bytes begins in MessagePack whose exponent may be all ones, which is NaN, an infinity, or one of the
# very largest; and one of 4, which others may write. Most messages have neither second byte, and one byte, as a
# number, is found in a twentieth of the time that two or an expression take.
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]|\xca[\x7f\xff][\x80-\xff]")


def foreign(value: Any) -> Any:
    """The form of what msgspec does not know: a model of pydantic writes itself, by its aliases.

    What is MessagePack already, such as the payload of an envelope that is passed on, is read.
    """
    if isinstance(value, msgspec.Raw):
        return _decode(value)
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        raise TypeError(f"a {type(value).__name__} has no JSON form")
    return dump(value, mode="json", by_alias=True)


def spelled(payload: Any) -> Any:
    """The payload with each object of a pydantic dataclass as pydantic writes it, by its aliases, as it writes a model.

    msgspec takes it for any other dataclass, and would write it by the names of its attributes, by which pydantic does
    not read it. What stands in a Struct or a plain dataclass is read by msgspec as well, and stays as it is.
    """
    # Without pydantic's dataclasses there is none: most programs pay for one look.
    return payload if "pydantic.dataclasses" not in sys.modules else _spelled(payload)


def spells_as_is() -> bool:
    """Whether `spelled` gives back every payload of now as it is, so that many payloads need one look together."""
    return "pydantic.dataclasses" not in sys.modules


def _spelled(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, dict):
        if _SCALARS.issuperset(map(type, value.values())):
            return value
        members = {name: _spelled(item) for name, item in value.items()}
        return members if any(members[name] is not item for name, item in value.items()) else value
    if kind in (list, tuple, set, frozenset):
        if _SCALARS.issuperset(map(type, value)):
            return value
        items = [_spelled(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    serializer = getattr(kind, "__pydantic_serializer__", None)
    if serializer is None or not hasattr(kind, "__dataclass_fields__"):
        return value
    return serializer.to_python(value, mode="json", by_alias=True)


def complete(payload: object) -> bool:
    """Gives dataclass objects in a payload the defaults that only their class has; whether there were any.

    msgspec's decoder leaves a default that is not sent to the class, where its encoder does not find it.
    """
    found, ahead = False, [payload]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            ahead += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            ahead += value
        elif names := _fields(type(value)):
            own = getattr(value, "__dict__", None)
            for name in names:
                if own is not None and name not in own and name in vars(type(value)):
                    object.__setattr__(value, name, getattr(value, name))
                    found = True
            ahead += [getattr(value, name, None) for name in names]
    return found


def _fields(kind: type) -> tuple[str, ...]:
    return tuple(getattr(kind, "__dataclass_fields__", ())) or getattr(kind, "__struct_fields__", ())


_SCALARS = frozenset((str, int, float, bool, type(None), bytes))
_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder(enc_hook=foreign).encode


def json_form(payload: object) -> Any:
    """The payload as JSON has it: a datetime is its ISO text, a set an array, bytes base64 text, a key text.

    Raises EncodeError for what has no such form; a float that is not finite is found when it is written.
    """
    try:
        return msgspec.to_builtins(spelled(payload), str_keys=True, enc_hook=foreign)
    except UNWRITTEN as error:
        raise EncodeError(f"a {type(payload).__name__} payload has no JSON form: {error}.") from None


def written(form: Any) -> msgspec.Raw:
    """A JSON form as MessagePack. Raises EncodeError, naming the place, for a number or text that has none."""
    try:
        data = _encode(form)
    except UNWRITTEN as error:
        raise unsendable(form, error) from None
    refuse_not_finite(data, form)
    return msgspec.Raw(data)


def typed_encoder(
    decode: Callable[[bytes], Any], *, floats: bool, otherwise: Callable[[object], Encoded]
) -> Callable[[object], bytes | Encoded]:
    """What encodes payloads as MessagePack where that is their JSON form and decodes as a type, and gives any other to
    `otherwise`.

    `decode` takes nothing but what JSON has; where it takes `floats`, those that are not finite are looked for here.
    The payloads are there when it is made.
    """

    as_is = spells_as_is()

    def encode(payload: object) -> bytes | Encoded:
        try:
            data = _encode(payload if as_is else _spelled(payload))
            decode(data)
        except UNWRITTEN:
            return otherwise(payload)
        return otherwise(payload) if floats and may_hold_not_finite(data) else data

    return encode


def typed_form(payload: object, decode: Callable[[bytes], Any], *, floats: bool) -> bytes | None:
    """The same for one payload; None for any other."""
    return typed_encoder(decode, floats=floats, otherwise=_nothing)(payload)


def _nothing(_payload: object) -> None:
    return None


def unsendable(payload: object, error: Exception) -> EncodeError:
    """Why a payload has no MessagePack, once writing it has failed."""
    place = _place(payload, _too_long) if isinstance(error, OverflowError) else ""
    if place:
        return EncodeError(f"{place} is an integer beyond 64 bits, which no message can carry: send it as text.")
    return EncodeError(f"a {type(payload).__name__} payload cannot be sent: {error}.")


def refuse_not_finite(data: bytes, form: Any) -> None:
    """Raises EncodeError for NaN and the infinities in a payload and in bytes that hold its MessagePack."""
    if may_hold_not_finite(data) and (place := _place(form, _not_finite)):
        raise EncodeError(f"{place} is not a finite number, which JSON does not have: send null or text instead.")


def may_hold_not_finite(data: bytes) -> bool:
    """Whether NaN or an infinity may be in MessagePack."""
    return (0x7F in data or 0xFF in data) and _NOT_FINITE.search(data) is not None


def _not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _too_long(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def _place(form: Any, wanted: Callable[[Any], bool]) -> str:
    """Where the first such value is, as a path; empty where there is none."""
    ahead: list[tuple[str, Any]] = [("$", form)]
    while ahead:
        place, value = ahead.pop()
        if isinstance(value, dict):
            ahead += [(f"{place}.{name}", item) for name, item in value.items()]
        elif isinstance(value, list | tuple):
            ahead += [(f"{place}[{index}]", item) for index, item in enumerate(value)]
        elif wanted(value):
            return place
    return ""


def whole_numbers(form: Any) -> Any:
    """The same value with each float that denotes an integer written as one: as the decimal that it prints as."""
    if isinstance(form, float):
        return _whole(form) if form.is_integer() else form
    if isinstance(form, dict):
        return {name: whole_numbers(item) for name, item in form.items()}
    if isinstance(form, list):
        return [whole_numbers(item) for item in form]
    return form


def _whole(number: float) -> int:
    if abs(number) < 2**53:
        return int(number)
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return int(whole + fraction) * int(10 ** (int(exponent or 0) - len(fraction)))


def is_pydantic(shape: Any) -> bool:
    """Whether a type is one of pydantic's: a model, its own dataclass, or a type that holds or is marked by one."""
    if isinstance(shape, type) and not typing.get_args(shape):
        return hasattr(shape, "__pydantic_validator__")
    marks = getattr(shape, "__metadata__", ())
    own = any(type(mark).__module__.partition(".")[0] == "pydantic" for mark in marks)
    return own or any(map(is_pydantic, _types_among(typing.get_args(shape), marks)))


def _types_among(parts: tuple[Any, ...], marks: tuple[Any, ...]) -> list[Any]:
    """The types among the arguments of a type: no mark of `Annotated`, and no value of `Literal`."""
    return [part for part in parts if not any(part is mark for mark in marks) and not isinstance(part, _PLAIN)]


_PLAIN = (str, int, bytes, type(None), enum.Enum, list)


def pydantic_validator(shape: Any) -> Any:
    """What pydantic validates values of a type with."""
    if isinstance(shape, type) and not typing.get_args(shape):
        return shape.__pydantic_validator__  # type: ignore[attr-defined]
    # Asked for by types of pydantic alone, which has been imported then.
    import pydantic

    return pydantic.TypeAdapter(shape).validator


def read(form: Any, shape: Any) -> Any:
    """A JSON form, or a value of MessagePack's own, as a value of type `shape`. Raises DoesNotFit, naming the place."""
    convert = _pydantic if is_pydantic(shape) else _msgspec
    try:
        return convert(form, shape)
    except UNFIT as error:
        # Only a refusal is worth the second look, in which 1.0 is read as 1.
        try:
            return convert(whole_numbers(form), shape)
        except UNFIT:
            raise DoesNotFit(f"the payload is not a {_name(shape)}: {error}.") from None


def _msgspec(form: Any, shape: Any) -> Any:
    return msgspec.convert(form, shape, str_keys=True, builtin_types=None)


def _pydantic(form: Any, shape: Any) -> Any:
    return pydantic_validator(shape).validate_json(msgspec.json.encode(form))


def _name(shape: Any) -> str:
    return getattr(shape, "__name__", str(shape))
