"""JSON Pointers (RFC 6901): written, read, and followed; and the references of a normal form, which are all one kind.

Law: a pointer that is made here leads, in the document that it was made for, back to the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from claude_comm.schema.verdict import Json

_DEFINITIONS = "#/$defs/"


def escape(key: str) -> str:
    """One step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def pointer(steps: Iterable[str | int]) -> str:
    """The pointer that takes these steps."""
    return "".join("/" + escape(str(step)) for step in steps)


def steps(fragment: str) -> list[str]:
    """The steps of a pointer that is written as the fragment of an address, with or without its `#`."""
    parts = unquote(fragment.removeprefix("#")).split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def follow(root: Json, fragment: str) -> Json:
    """What a pointer leads to; raises `LookupError` where it leads nowhere."""
    value = root
    for step in steps(fragment):
        if isinstance(value, dict):
            value = value[step]
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)]
        else:
            raise LookupError(step)
    return value


def reference_to(name: str) -> str:
    """A reference to a definition of a normal form."""
    return _DEFINITIONS + name


def definition_name(reference: str) -> str:
    """The name of the definition that a reference of a normal form leads to."""
    return reference.removeprefix(_DEFINITIONS)
