"""What is asked of the steps of a pipeline that split a list, gather its items, or stand between.

Law: pure. Between the two is a chain: each item goes through the same steps, and nothing joins, branches or is done
again there, so that of each item one message comes to the step that gathers, or the news that it does not come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from claude_comm.documents.form import DocumentProblem
from claude_comm.pipeline.document import START, Step


def problems(steps: Mapping[str, Step], followers: Mapping[str, tuple[str, ...]]) -> Iterator[DocumentProblem]:
    """`steps` by name, and what follows each."""
    for step in steps.values():
        if step.split:
            yield from _splitting(step, steps)
        if step.gather:
            yield from _gathering(step, steps, followers)


def _splitting(step: Step, steps: Mapping[str, Step]) -> Iterator[DocumentProblem]:
    gathering = [other.name for other in steps.values() if other.gather == step.name]
    if len(gathering) != 1:
        there = f"{' and '.join(map(repr, gathering))} do" if gathering else "none does"
        sentence = f'one step after it is to gather its items (`"gather": "{step.name}"`): {there}.'
        yield DocumentProblem(f"{step.place}.split", sentence)
    if step.when is not True or step.optional or step.carry or step.passes or step.repeat:
        sentence = "a step that splits a list has no `when`, `optional`, `carry`, `passes` or `repeat`."
        yield DocumentProblem(f"{step.place}.split", sentence)


def _gathering(
    step: Step, steps: Mapping[str, Step], followers: Mapping[str, tuple[str, ...]]
) -> Iterator[DocumentProblem]:
    at = f"{step.place}.gather"
    if step.gather not in steps or not steps[step.gather].split:
        known = [name for name, other in steps.items() if other.split]
        hint = f"There are: {', '.join(known)}." if known else 'Say `"split": true` at the step that returns the list.'
        yield DocumentProblem(at, f"no step {step.gather!r} splits a list. {hint}")
        return
    if step.split or step.optional or step.repeat:
        yield DocumentProblem(at, "a step that gathers items neither splits a list, repeats nor is `optional`.")
    if len(step.after) != 1:
        yield DocumentProblem(
            f"{step.place}.after", "a step that gathers items comes after one step: the last of their chain."
        )
        return
    name = step.after[0]
    while name != step.gather:
        between = steps.get(name)
        if between is None or name == START:
            yield DocumentProblem(at, f"it does not come after {step.gather!r}.")
            return
        if between.joins or between.split or between.repeat or len(followers[name]) != 1:
            sentence = (
                f"between {step.gather!r} and {step.name!r} items go through a chain of steps: none branches, joins, "
                "splits or is done again."
            )
            yield DocumentProblem(between.place, sentence)
            return
        name = between.after[0]
    if len(followers[name]) != 1:
        yield DocumentProblem(f"{steps[name].place}.split", "one step follows a step that splits a list.")
