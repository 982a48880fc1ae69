"""An ECMA-262 pattern as Python's `re` would have to be given it to find the same.

Law: searching for `python_source(p)` with `re` finds something exactly where ECMA-262 finds `p`. Python's own reading
of `p` has no `\\p{…}` and no `\\u{…}`, finds `$` before a last line end too, and takes `\\d`, `\\w` and `\\s` for
classes of Unicode.
"""

from __future__ import annotations

from typing import assert_never

from claude_comm.schema.regex import charset, parser
from claude_comm.schema.regex.charset import Chars

_WORD = "[0-9A-Za-z_]"
_PLACES = {
    "start": r"\A",
    "end": r"\Z",
    "boundary": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    # Python before 3.14 finds no `\B` in an empty text.
    "inside": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}
_LOOKS = {("ahead", True): "(?=", ("ahead", False): "(?!", ("behind", True): "(?<=", ("behind", False): "(?<!"}


def python_source(source: str) -> str:
    """The pattern for `re`; raises a `LanguageError` for what is no pattern, or is not regular."""
    return _written(parser.parse(source, reading="ecma"))


def _written(node: parser.Node) -> str:
    match node:
        case parser.Set(chars=chars):
            return _class(chars)
        case parser.Sequence(items=items):
            return "".join(map(_written, items))
        case parser.Choice(options=options):
            return f"(?:{'|'.join(map(_written, options))})"
        case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
            return f"(?:{_written(item)}){{{minimum},{'' if maximum is None else maximum}}}"
        case parser.Assert(kind=kind):
            return _PLACES[kind]
        case parser.Look(side=side, wanted=wanted, body=body):
            return f"{_LOOKS[side, wanted]}{_written(body)})"
        case _:
            assert_never(node)


def _class(chars: Chars) -> str:
    if chars == charset.ANY:
        return r"[\s\S]"
    return f"[{''.join(f'{_escaped(low)}-{_escaped(high)}' for low, high in chars)}]" if chars else "(?!)"


def _escaped(code: int) -> str:
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
