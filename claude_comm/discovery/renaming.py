"""Whether a producer may leave a name out: the one necessary condition of a proof that is read off the text.

Law: True only where some message of the producer, if it has any, is an object without one of the names. A name that
stands nowhere in a schema, whose rules about names are lists of names, can be renamed in any message that it allows.
"""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.discovery.sketch import Sketch
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

# Rules about names that are no list of names, and references that may lead out of the text.
_OTHER_RULES = (b'"patternProperties"', b'"propertyNames"', b'Ref"')
_REFERENCE, _INWARD = b'"$ref"', b'"$ref":"#'


def may_lack(sent: Json, sketch: Sketch, required: Iterable[str]) -> bool:
    """Whether objects of `sent` may lack one of the required names."""
    if sketch.kinds != {"object"}:
        return False
    missing = [name for name in required if name not in sketch.required]
    if not missing:
        return False
    written = text(sent)
    if any(rule in written for rule in _OTHER_RULES) or written.count(_REFERENCE) != written.count(_INWARD):
        return False
    return any(text(name) not in written for name in missing)
