"""A pipeline as it is written, and as values: the steps, and what each asks of the messages that pass through it.

Law: pure. A document that has the form (`documents/pipeline.json`) becomes a `Pipeline`, or problems with their places;
nothing is guessed. Steps of which none says `after` stand in a list: each comes after the one before it. Where one says
it, the steps are a graph, and those that come after none are given the inputs.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from claude_comm.documents import form
from claude_comm.documents.form import DocumentProblem
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.pipeline.faults import faults
from claude_comm.registry.contracts import Schema
from claude_comm.registry.versions import within
from claude_comm.schema.evolution.adapter import Adapter
from claude_comm.schema.evolution.adapter import Step as AdapterStep
from claude_comm.schema.validation.phrases import place
from claude_comm.schema.verdict import Json

# The start of a pipeline among the names of its steps: it cannot be the name of one.
START = ""
# The schemas that a step may be written with.
_SCHEMAS = ("input_schema", "output_schema", "when")


class RepeatClause(msgspec.Struct, frozen=True, rename={"start": "from", "condition": "while"}, omit_defaults=True):
    """After this step its result goes back to the step `start` while it fits `condition`, so that each step between
    is done `most` times at the most."""

    start: str
    most: Annotated[int, msgspec.Meta(ge=2, le=63)]
    condition: Json = True


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a pipeline. `place` is where it stands in the document.

    | field | |
    | --- | --- |
    | `name`, `module`, `version` | its name, the module that does it, and the versions of that module that may |
    | `type` | the type of the messages to it; empty: the one that its module accepts |
    | `accepts`, `returns` | the schemas of what enters and of what leaves it; None where the document says none |
    | `after` | the steps whose results it is given: several are joined into an object with a property for each |
    | `split` | what it returns is a list, and each item goes on by itself |
    | `gather` | the step whose items it joins into a list again, when they have come to it |
    | `when` | a message that does not fit this schema does not enter the step |
    | `optional` | what it cannot handle goes on as it came |
    | `passes` | properties that its module hands on unchanged; `*`: also those that no schema names |
    | `carry` | properties of what enters it that are put beside its result |
    | `aliases` | other names under which a property of what enters may come |
    | `adapter` | changes to what enters it, as `schema adapt` proposes them |
    """

    name: str
    module: str
    version: str
    place: str
    type: str = ""
    accepts: Schema | None = None
    returns: Schema | None = None
    after: tuple[str, ...] = ()
    split: bool = False
    gather: str = ""
    when: Schema = True
    optional: bool = False
    passes: tuple[str, ...] = ()
    carry: tuple[str, ...] = ()
    aliases: dict[str, list[str]] = {}
    adapter: Adapter | None = None
    repeat: RepeatClause | None = None

    @property
    def joins(self) -> bool:
        """Whether it is given what several messages make of one input."""
        return len(self.after) > 1 or bool(self.gather)

    @property
    def wanted_type(self) -> str:
        return self.type or DEFAULT_TYPE


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pipeline; `accepts` is the schema of its inputs, None where the document says none."""

    name: str
    steps: tuple[Step, ...]
    accepts: Schema | None = None

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


class Read(msgspec.Struct, frozen=True):
    """What a document says, as far as it can be read, and all that is wrong with its form and its schemas."""

    pipeline: Pipeline | None
    problems: list[DocumentProblem]


def read(document: object) -> Read:
    """Whatever JSON value it is; what has not the form is left out of the pipeline and among the problems."""
    problems = form.problems("pipeline", document) + _schema_problems(document)
    modules = document.get("modules") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(modules, list):
        return Read(None, problems)
    if not modules or not all(isinstance(module, dict) for module in modules):
        return Read(None, problems)
    formal = not problems
    steps = [_step(module, index, modules, problems if formal else []) for index, module in enumerate(modules)]
    name, accepts = document.get("pipeline_name"), document.get("input_schema")
    return Read(
        Pipeline(
            name=name if isinstance(name, str) else "",
            steps=tuple(steps),
            accepts=accepts if isinstance(accepts, dict | bool) else None,
        ),
        problems,
    )


def malformed(document: object) -> dict[tuple[int, str], list[DocumentProblem]]:
    """The faults of each schema that cannot be used, by the number of its step and what it is there (step -1: the
    pipeline itself). A schema of another type than an object or a boolean is a fault of the document's form, and named
    there."""
    found: dict[tuple[int, str], list[DocumentProblem]] = {}
    modules = document.get("modules") if isinstance(document, dict) else None
    owners: list[tuple[int, Any]] = list(enumerate(modules)) if isinstance(modules, list) else []
    for index, owner in [(-1, document), *owners]:
        for name in _SCHEMAS if index >= 0 else ("input_schema",):
            schema = owner.get(name) if isinstance(owner, dict) else None
            at = ("modules", index, name) if index >= 0 else (name,)
            if isinstance(schema, dict) and (listed := faults(schema, at)):
                found[index, name] = listed
        repeat = owner.get("repeat") if index >= 0 and isinstance(owner, dict) else None
        condition = repeat.get("while") if isinstance(repeat, dict) else None
        if isinstance(condition, dict) and (listed := faults(condition, ("modules", index, "repeat", "while"))):
            found[index, "while"] = listed
    return found


def _schema_problems(document: object) -> list[DocumentProblem]:
    return [problem for listed in malformed(document).values() for problem in listed]


def _step(module: dict[str, Any], index: int, modules: list[Any], problems: list[DocumentProblem]) -> Step:
    def here(*more: str | int) -> str:
        return place(("modules", index, *more))

    def given(name: str, kind: Any, otherwise: Any) -> Any:
        if name not in module:
            return otherwise
        try:
            return msgspec.convert(module[name], kind)
        except msgspec.ValidationError as error:
            problems.append(DocumentProblem(here(name), _sentence(error)))
            return otherwise

    version, name = given("version", str, "*"), given("name", str, f"modules[{index}]")
    try:
        within("1.0.0", version)
    except ConfigurationError as error:
        problems.append(DocumentProblem(here("version"), str(error)))
        version = "*"
    adapter = given("adapter", tuple[AdapterStep, ...], None)
    return Step(
        name=name,
        module=given("module", str, name),
        version=version,
        place=here(),
        type=given("type", str, ""),
        accepts=given("input_schema", Schema | None, None),
        returns=given("output_schema", Schema | None, None),
        after=_after(module, index, modules),
        split=given("split", bool, False),
        gather=given("gather", str, ""),
        when=given("when", Schema, True),
        optional=given("optional", bool, False),
        passes=given("passes", tuple[str, ...], ()),
        carry=given("carry", tuple[str, ...], ()),
        aliases=given("aliases", dict[str, list[str]], {}),
        adapter=None if adapter is None else Adapter(adapter),
        repeat=given("repeat", RepeatClause, None),
    )


def _after(module: dict[str, Any], index: int, modules: list[dict[str, Any]]) -> tuple[str, ...]:
    """What the step comes after; the start of the pipeline for a first one."""
    if not any("after" in other for other in modules):
        return (str(modules[index - 1].get("name", f"modules[{index - 1}]")) if index else START,)
    after = module.get("after", [])
    named = [after] if isinstance(after, str) else after
    return tuple(name for name in named if isinstance(name, str)) or (START,) if isinstance(named, list) else (START,)


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}."
