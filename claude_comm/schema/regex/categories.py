"""General categories of Unicode, for `\\p{…}`, and what is part of a word in every script.

Law: the tables are those of the run-time validator (`unicode_table`), the same for every Python. Scripts and other
properties are not among them, and are refused as `NotRegular`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.errors import NotRegular
from claude_comm.schema.regex.unicode_table import RUNS

_LONG_CATEGORIES = {
    **{"Letter": "L", "Cased_Letter": "LC", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Mark": "M"},
    **{"Titlecase_Letter": "Lt", "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Nonspacing_Mark": "Mn"},
    **{"Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd"},
    **{"Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Symbol": "S"},
    **{"Connector_Punctuation": "Pc", "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Combining_Mark": "M"},
    **{"Close_Punctuation": "Pe", "Initial_Punctuation": "Pi", "Final_Punctuation": "Pf", "Separator": "Z"},
    **{"Other_Punctuation": "Po", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk"},
    **{"Other_Symbol": "So", "Space_Separator": "Zs", "Line_Separator": "Zl", "Paragraph_Separator": "Zp"},
    **{"Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Surrogate": "Cs", "Private_Use": "Co"},
    **{"Unassigned": "Cn"},
}


def general_category(text: str) -> Chars:
    """`\\p{…}`: a general category, `Any`, `ASCII` or `Assigned`. Scripts and the like are not in the table."""
    key, equals, value = text.partition("=")
    if equals and key not in ("gc", "General_Category"):
        raise NotRegular(f"`\\p{{{text[:40]}}}`: only general categories are known here")
    name = value if equals else key
    if not equals and name in ("Any", "ASCII"):
        return charset.ANY if name == "Any" else ((0, 0x7F),)
    table = categories()
    if not equals and name == "Assigned":
        return charset.invert(table["Cn"])
    short = _LONG_CATEGORIES.get(name, name)
    wanted = ("Lu", "Ll", "Lt") if short == "LC" else tuple(key for key in table if short and key.startswith(short))
    if not wanted:
        raise NotRegular(f"`\\p{{{text[:40]}}}`: only general categories are known here")
    return charset.union(*(table[key] for key in wanted))


@cache
def categories() -> dict[str, Chars]:
    """The characters of each general category, by its short name."""
    return {name: tuple(_decoded(runs)) for name, runs in RUNS.items()}


def _decoded(runs: str) -> Iterator[tuple[int, int]]:
    start = 0
    for run in runs.split():
        gap, _, more = run.partition(".")
        low = start + int(gap, 16)
        high = low + int(more or "0", 16)
        yield low, high
        start = high + 1


@cache
def unicode_word() -> Chars:
    """What `\\b` of the run-time validator takes for parts of words: letters, marks and digits of every script.

    Unicode technical standard 18, annex C. Alphabetic symbols are circled and squared letters; all other alphabetic
    characters are letters or marks.
    """
    symbols: Chars = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
    joiners: Chars = ((0x200C, 0x200D),)
    letters = (chars for name, chars in categories().items() if name.startswith(("L", "M", "Nd", "Nl", "Pc")))
    return charset.union(*letters, symbols, joiners)
