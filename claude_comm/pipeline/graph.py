"""The graph of a pipeline: which step comes after which, in an order in which they can be done.

Law: pure, and a fault never hides another. A graph has no circle; what is done again is done by `repeat`, which has a
bound. Its ends are the steps that none comes after: what they return is the result.
"""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Iterator

import msgspec

from claude_comm.documents.form import DocumentProblem
from claude_comm.pipeline import lists
from claude_comm.pipeline.document import START, Pipeline, Step


class StepGraph(msgspec.Struct, frozen=True):
    """The steps by name, in an order in which each comes after those that it is given something by; and what follows
    each, `START` included."""

    steps: dict[str, Step]
    followers: dict[str, tuple[str, ...]]

    @property
    def ends(self) -> tuple[str, ...]:
        return tuple(name for name in self.steps if not self.followers[name])

    def forks(self, name: str) -> bool:
        """Whether what the step returns goes to several."""
        return len(self.followers[name]) > 1

    def before(self, name: str) -> list[str]:
        """All steps that the step depends on, the nearest first."""
        found: dict[str, None] = {}
        pending = list(self.steps[name].after)
        while pending:
            other = pending.pop(0)
            if other != START and other not in found:
                found[other] = None
                pending += self.steps[other].after
        return list(found)

    def loop(self, step: Step) -> list[str]:
        """The steps that `repeat` of this one does again, the first of them first; empty where they are no chain."""
        assert step.repeat is not None
        chain = [step.name]
        while chain[0] != step.repeat.start:
            after = self.steps[chain[0]].after
            if len(after) != 1 or after[0] == START or self.followers[after[0]] != (chain[0],):
                return []
            chain.insert(0, after[0])
        return [] if self.steps[chain[0]].joins and len(chain) > 1 else chain


def graph(pipeline: Pipeline) -> tuple[StepGraph | None, list[DocumentProblem]]:
    """The graph, or what is wrong with it."""
    problems = [*_names(pipeline), *_conditions(pipeline)]
    if problems:
        return None, problems
    by_name = {step.name: step for step in pipeline.steps}
    try:
        order = [*graphlib.TopologicalSorter({step.name: step.after for step in pipeline.steps}).static_order()]
    except graphlib.CycleError as error:
        circle = list(reversed(error.args[1]))
        text = " -> ".join(circle)
        return None, [
            DocumentProblem(
                f"{by_name[circle[0]].place}.after",
                f"the steps go round in a circle: {text}. Do it again with `repeat`, which has a bound.",
            )
        ]
    # Among what may be done at once, the order of the document.
    rank = {step.name: number for number, step in enumerate(pipeline.steps)}
    depth: dict[str, int] = {START: 0}
    for name in order:
        if name != START:
            depth[name] = 1 + max(depth[other] for other in by_name[name].after)
    names = sorted(by_name, key=lambda name: (depth[name], rank[name]))
    followers = {
        name: tuple(other.name for other in pipeline.steps if name in other.after) for name in (START, *by_name)
    }
    made = StepGraph({name: by_name[name] for name in names}, followers)
    problems = [*_loops(made), *lists.problems(made.steps, made.followers)]
    return (None if problems else made), problems


def _names(pipeline: Pipeline) -> Iterator[DocumentProblem]:
    known = [step.name for step in pipeline.steps]
    for number, step in enumerate(pipeline.steps):
        if step.name in known[:number]:
            sentence = (
                f"a step is called {step.name!r} already: give it another name, and name its module with `module`."
            )
            yield DocumentProblem(f"{step.place}.name", sentence)
        for name in (*step.after, *([step.repeat.start] if step.repeat else [])):
            at = "after" if name in step.after else "repeat.from"
            if name not in known and name != START:
                near = difflib.get_close_matches(name, known, 1)
                hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(known)}."
                yield DocumentProblem(f"{step.place}.{at}", f"no step is called {name!r}.{hint}")
        if len(set(step.after)) < len(step.after):
            yield DocumentProblem(f"{step.place}.after", "a step is named twice.")


def _conditions(pipeline: Pipeline) -> Iterator[DocumentProblem]:
    for step in pipeline.steps:
        if step.joins and step.when is not True:
            sentence = "a step that joins others has no condition: put it on the steps before, or on the one after."
            yield DocumentProblem(f"{step.place}.when", sentence)
        if step.joins and step.carry:
            yield DocumentProblem(
                f"{step.place}.carry", "a step that joins others carries nothing: its parts have names."
            )


def _loops(graph: StepGraph) -> Iterator[DocumentProblem]:
    for step in graph.steps.values():
        if step.repeat is None:
            continue
        chain = graph.loop(step)
        for name in chain:
            other = graph.steps[name]
            listed = other.split or other.gather
            if other.optional or other.passes or other.carry or listed or (other.repeat and other is not step):
                sentence = (
                    "a step that is done again is not `optional`, `passes` and `carry`s nothing, neither splits nor "
                    "gathers a list, and repeats once."
                )
                yield DocumentProblem(other.place, sentence)
        if not chain:
            yield DocumentProblem(
                f"{step.place}.repeat",
                f"from {step.repeat.start!r} to {step.name!r} there is no chain of steps without branches: only "
                "a chain can be done again.",
            )
