"""An impact as text for others: Markdown for a pull request, JUnit XML for a build server.

Law: what came from a message or a contract stands for itself in both, and starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from claude_comm.escaping import UNSAFE, clean
from claude_comm.impact.effects import Effect, Impact

_SPECIAL = {ord(character): f"\\{character}" for character in "\\`*_{}[]<>|#!~"}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_ICONS = {"broken": "❌", "undecided": "❓", "theoretical": "⚠️", "adapted": "🔧", "safe": "✅"}
# Ids that a table names, and characters of a witness that it shows.
NAMED, SHOWN = 5, 200


def way(effect: Effect) -> str:
    """Who sends what to whom, from the module's side."""
    arrow = {"receives": "←", "sends": "→", "answers": "⇢", "pipeline": "↝"}[effect.direction]
    version = f" {effect.version}" if effect.version else ""
    return f"{arrow} {effect.partner}{version} ({effect.type})"


def ids(effect: Effect, most: int = NAMED) -> str:
    """The first ids, and how many more there are."""
    named = ", ".join(f"{message.id} ({message.where})" for message in effect.failing[:most])
    more = len(effect.failing[most:]) + effect.unnamed
    return named + (f" and {more:,} more" if more else "")


def witness(effect: Effect) -> str:
    """The witness as JSON on a line, shortened; empty where there is none."""
    if effect.witness is msgspec.UNSET:
        return ""
    text = msgspec.json.encode(effect.witness).decode(errors="replace")
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def markdown(impact: Impact) -> str:
    """The whole document."""
    return "\n".join(_markdown(impact)) + "\n"


def _markdown(impact: Impact) -> Iterator[str]:
    before = f" (instead of {impact.before})" if impact.before else ""
    yield f"## {_ICONS[impact.status]} Impact of {_cell(impact.module)} {_cell(impact.version)}{_cell(before)}"
    yield ""
    yield f"**{impact.status}**: {_cell(impact.sentence)}"
    yield ""
    yield "| | way | messages | why |"
    yield "| --- | --- | ---: | --- |"
    for effect in impact.effects:
        status = f"{_ICONS[effect.status]} {effect.status}"
        yield f"| {status} | {_cell(way(effect))} | {effect.messages:,} | {_why(effect)} |"
    yield ""
    yield f"Looked at in the namespace `{_code(impact.namespace)}`:"
    yield ""
    for coverage in impact.coverage:
        yield f"- {coverage.source}: {_cell(coverage.sentence)}"
    if impact.failing:
        yield ""
        yield f"<details><summary>{impact.refused:,} message(s) that are there would be refused</summary>"
        yield ""
        for message in impact.failing[:100]:
            place = f"{message.source} ({message.type}), {message.where}" + (f": {message.why}" if message.why else "")
            yield f"- `{_code(message.id)}` {_cell(place)}"
        if impact.refused > len(impact.failing[:100]):
            yield f"- and {impact.refused - len(impact.failing[:100]):,} more"
        yield ""
        yield "</details>"


def _why(effect: Effect) -> str:
    parts = [_cell(effect.why), *(_cell(f"adapter: {step}.") for step in effect.adapter)]
    if effect.failing:
        parts.append(_cell(ids(effect)))
    return "<br>".join(parts)


def _cell(text: object) -> str:
    return clean(text).translate(_SPECIAL)


def _code(text: object) -> str:
    return clean(text).replace("`", "'")


def junit(impact: Impact) -> str:
    """A test suite with a case for each way: broken is a failure, and so is what is theoretical; undecided an error."""
    cases = "".join(map(_case, impact.effects))
    failures = sum(effect.status in ("broken", "theoretical") for effect in impact.effects)
    errors = sum(effect.status == "undecided" for effect in impact.effects)
    covered = "\n".join(f"{coverage.source}: {coverage.sentence}" for coverage in impact.coverage)
    name = f"impact of {impact.module} {impact.version}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="claude-comm">\n<testsuite name="{_xml(name)}" tests="{len(impact.effects)}" '
        f'failures="{failures}" errors="{errors}">\n{cases}'
        f"<system-out>{_xml(covered)}</system-out>\n</testsuite>\n</testsuites>\n"
    )


def _case(effect: Effect) -> str:
    head = f'<testcase classname="{_xml(f"{effect.direction}.{effect.partner}")}" name="{_xml(way(effect))}"'
    kind = {"broken": "failure", "theoretical": "failure", "undecided": "error"}.get(effect.status)
    if kind is None:
        return f"{head}/>\n"
    lines = [effect.why, *effect.reasons]
    lines += [
        f"message {message.id} ({message.where})" + (f" at {message.path}: {message.why}" if message.why else "")
        for message in effect.failing
    ]
    lines += [f"and {effect.unnamed:,} more message(s) of the same shape"] if effect.unnamed else []
    body = "\n".join(lines)
    return f'{head}>\n<{kind} type="{effect.status}" message="{_xml(effect.why)}">{_xml(body)}</{kind}>\n</testcase>\n'


def _xml(text: str) -> str:
    """Lines stay lines; what XML cannot hold is an escape."""
    lines = (UNSAFE.sub(lambda match: clean(match[0]), line) for line in text.split("\n"))
    return "\n".join(lines).translate(_ENTITIES)
