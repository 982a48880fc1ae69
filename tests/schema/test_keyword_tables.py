"""The tables of keywords that stand outside `schema/keywords.py`, each with why it does.

Law: what a keyword is (which values it constrains, what it holds, which bound it is, in which dialects) stands in
`keywords.TABLE` alone. What stays elsewhere says something about one algorithm and not about the keyword: which ones it
understands, which it writes, in which words it speaks of them. A new table is a row here, or better a column there.
"""

from __future__ import annotations

import ast

from claude_comm.schema.keywords import TABLE
from tests.support.homes import PACKAGE

UNDERSTOOD = (
    "the part of the language that this algorithm understands: with any other keyword it hands over or gives up"
)
WRITTEN = "a schema that is written, not read"
RULES = "a function for each keyword: this is the algorithm"
WORDS = "what people are told of a keyword"
NATIVE = "what another library calls the same"
MEASURED = "where another program was seen to be slow or different: measured, not to be read off the specification"

REASONS = {
    "cli/commands/agreements.py:_COLUMNS": "names of columns, keywords by chance",
    "documents/form.py:_INNER": UNDERSTOOD,
    "documents/form.py:_SILENT": "the annotations of our own documents",
    "interchange/references.py:_ANCHORS": "the two of four identifiers that name a place inside a document",
    "interchange/scaffold/types.py:_STRING": NATIVE,
    "interchange/scaffold/types.py:_NUMBER": NATIVE,
    "interchange/scaffold/types.py:_SIZES": NATIVE,
    "interchange/translations.py:_HIDDEN": "by the direction of a message, as OpenAPI has it",
    "mcp_server/tool_schemas/inline.py:_DROPPED": "what means nothing any more once references are written out",
    "mcp_server/tool_schemas/inline.py:_OPAQUE": "a cut below these would widen what it is meant to narrow",
    "mcp_server/tool_schemas/inline.py:_REFERENCED_OTHERWISE": "references that are not written out",
    "mcp_server/tool_schemas/merge.py:_RULES": RULES,
    "mcp_server/tool_schemas/simplify.py:_FLAGS": "those whose value may be true or false, and stays that",
    "mcp_server/tools/discovery.py:TOOLS": WRITTEN,
    "mcp_server/tools/messages.py:TOOLS": WRITTEN,
    "mcp_server/tools/proofs.py:TOOLS": WRITTEN,
    "mcp_server/tools/work.py:TOOLS": WRITTEN,
    "mcp_server/tools/work.py:_PIPELINE": WRITTEN,
    "schema/containment/boundary_values.py:_STRUCTURE": UNDERSTOOD,
    "schema/containment/canonical.py:_DEPENDENT": MEASURED,
    "schema/containment/canonical.py:_SPLITTING": MEASURED,
    "schema/containment/canonical.py:_NOTABLE": MEASURED,
    "schema/containment/check.py:_READ_TWO_WAYS": MEASURED,
    "schema/containment/guided_witness.py:_OBJECT": UNDERSTOOD,
    "schema/containment/guided_witness.py:_MET": "what a message of declared properties alone meets by itself",
    "schema/containment/guided_witness.py:_ARRAY": UNDERSTOOD,
    "schema/containment/guided_witness.py:_COMPOSED": UNDERSTOOD,
    "schema/containment/guided_witness.py:_ASKED": "what a residual may ask of properties",
    "schema/containment/guided_witness.py:_TAKEN_APART": "what leads to other places, or is broken part by part",
    "schema/containment/remainder.py:SINGLE": "those that one value breaks in the only way that there is",
    "schema/containment/implications.py:RULES": RULES,
    "schema/containment/joined.py:_NEIGHBOURS": "those that say something else without each other, for `allOf` to join",
    "schema/containment/minimal_instance.py:_LISTS": "those whose value may be a list of cases",
    "schema/containment/minimal_instance.py:_OPEN": "what asks nothing of an object without properties",
    "schema/containment/minimal_instance.py:_EVERY": UNDERSTOOD,
    "schema/containment/contrary.py:_BOUNDED": UNDERSTOOD,
    "schema/containment/contrary.py:_FIRST": "the order in which they are tried",
    "schema/containment/contrary.py:_OPPOSITES": "the contrary of a bound, as another bound",
    "schema/containment/contrary.py:_HOLDS": RULES,
    "schema/containment/one_text.py:_TEXT": UNDERSTOOD,
    "schema/containment/reasons.py:_TIGHTEN": "what a producer can be advised to declare as well",
    "schema/containment/room.py:_ENDING": "what may leave a kind without end with few values",
    "schema/containment/room.py:_OF_NAMES": UNDERSTOOD,
    "schema/containment/room.py:_ABOUT_NAMES": UNDERSTOOD,
    "schema/containment/room.py:_PLAIN": UNDERSTOOD,
    "schema/containment/room.py:_OWN": UNDERSTOOD,
    "schema/evolution/compare.py:_UNORDERED": "lists whose order means nothing: `anyOf` is compared otherwise",
    "schema/evolution/image.py:_FOLLOWED": UNDERSTOOD,
    "schema/evolution/image.py:_ABOUT_NAMES": UNDERSTOOD,
    "schema/evolution/image.py:_TURNING": "under these a wider part makes a narrower whole",
    "schema/formula/keyword_rules.py:RULES": RULES,
    "schema/normalform/closing.py:_COMPOSING": "what closing passes through to describe the same value",
    "schema/normalform/closing.py:_ASKING": "what declares a name by asking for it",
    "schema/normalform/document.py:_ABOUT_TEXT": UNDERSTOOD,
    "schema/normalform/forms.py:TESTS": "what tests a value in place and does not describe it",
    "schema/normalform/normalize.py:_MARKS": "what a rewritten copy may not carry along unread",
    "schema/normalform/normalize.py:_OWN": RULES,
    "schema/normalform/normalize.py:_OLD": RULES,
    "schema/normalform/validator_dialect.py:ADDRESSES": "those whose value is a URI that the validator parses",
    "schema/normalform/validator_dialect.py:_NOTABLE": MEASURED,
    "schema/types/pydantic_decimals.py:_DIGIT": WRITTEN,
    "schema/types/pydantic_decimals.py:_DECIMAL_TUPLE": WRITTEN,
    "schema/types/pydantic_scalars.py:_MOMENTS": WRITTEN,
    "schema/types/pydantic_scalars.py:_SECONDS": WRITTEN,
    "schema/types/pydantic_scalars.py:SCALARS": WRITTEN,
    "schema/types/pydantic_types.py:_RULES": "names of pydantic's core schemas, keywords by chance",
    "schema/types/pydantic_types.py:_KEYS_READ": "names of pydantic's core schemas, keywords by chance",
    "schema/types/samples.py:_STRUCTURE": UNDERSTOOD,
    "schema/validation/enforced.py:_COMPOSED": "what looks at an object from beside its properties",
    "schema/validation/enforced.py:_CLOSED_PLACE": "what may already say which other properties a place has",
    "schema/validation/enforced.py:_LISTS_KINDS": "what says outright of which kind a value is",
    "schema/validation/errors.py:_RULES": NATIVE,
    "schema/validation/phrases.py:_ONE": WORDS,
    "schema/validation/phrases.py:_NEEDS": WORDS,
    "schema/validation/plain.py:_FORM": RULES,
    "schema/validation/plain.py:_OTHER": RULES,
    "schema/validation/plain.py:_REFERRING": UNDERSTOOD,
    "schema/validation/precheck.py:_BEYOND": UNDERSTOOD,
    "schema/validation/typed_decoder.py:_OBJECT": UNDERSTOOD,
    "schema/validation/typed_decoder.py:_MAP": UNDERSTOOD,
    "schema/validation/typed_decoder.py:_ARRAY": UNDERSTOOD,
    "schema/validation/union_needs.py:_PLAIN": UNDERSTOOD,
    "testing/edges.py:_STRUCTURE": UNDERSTOOD,
}  # fmt: skip


def tables(source: str) -> list[str]:
    """The names at the top of a module whose value spells two or more keywords."""
    names = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            texts = {node.value for node in ast.walk(statement.value) if isinstance(node, ast.Constant)}
            if len({text for text in texts if isinstance(text, str) and text in TABLE}) >= 2:
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                names.append(ast.unparse(target))
    return names


def test_each_table_of_keywords_outside_the_one_has_its_reason() -> None:
    outside = {
        f"{path.relative_to(PACKAGE).as_posix()}:{name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "schema" / "keywords.py"
        for name in tables(path.read_text())
    }
    assert outside - REASONS.keys() == set(), "a new table: make it a column of `keywords.TABLE`, or say why not"
    assert REASONS.keys() - outside == set(), "these tables are gone"


def test_a_table_is_found_however_it_is_written() -> None:
    assert tables(
        'A = {"minLength": 1, "maxLength": 2}\nB: tuple = ("type", "x")\nC = frozenset(("if",)) | {"not"}'
    ) == ["A", "C"]
