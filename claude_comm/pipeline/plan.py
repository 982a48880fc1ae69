"""From a checked pipeline to the route that its inputs start on.

Law: pure. The route begins with the start of the session, which is no step but has followers like one, and ends with
its collector; both are named after the session. An optional step whose module is not registered is gone past.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from typing import Any

from claude_comm.errors import ConfigurationError
from claude_comm.names import COLLECTOR
from claude_comm.pipeline import ids, route
from claude_comm.pipeline.check import Checked
from claude_comm.pipeline.document import START
from claude_comm.pipeline.route import Leg, Route, RouteLoop

_START = "start."


def collector(session: str) -> str:
    """The name under which the results of a session are gathered."""
    return COLLECTOR + hashlib.sha256(session.encode()).hexdigest()[:16]


def plan(checked: Checked, session: str, agreements: Mapping[str, str]) -> tuple[str, ...]:
    """The route of the inputs; `agreements` are ids by step. Raises ConfigurationError for one with too many edges."""
    graph = checked.graph
    assert graph is not None  # a pipeline that is run has been checked
    end = collector(session)
    numbers = itertools.count(1)
    edges = {
        name: {other: next(numbers) for other in graph.followers[name] or ([end] if name != START else [])}
        for name in (START, *graph.steps)
    }
    legs = [Leg(step=_START + end.removeprefix(COLLECTOR), module=end, next=edges[START])]
    for name, step in graph.steps.items():
        facts, adapter = checked.facts[name], checked.adapter(name)
        more: dict[str, Any] = {}
        if step.repeat is not None:
            more["repeat"] = RouteLoop(step.repeat.start, step.repeat.most, next(numbers), step.repeat.condition)
        legs.append(
            Leg(
                step=name,
                module="" if step.module == name else step.module,
                type=facts.type,
                agreement=agreements.get(name, ""),
                adapter=adapter.steps if adapter else (),
                when=False if facts.absent else step.when,
                after=step.after if step.joins and not step.gather else (),
                split=step.split,
                gather=step.gather,
                next=edges[name],
                joined=next(numbers) if step.joins else 0,
                carry=step.carry,
                passes=checked.passed.get(name, ()),
                optional=step.optional,
                **more,
            )
        )
    legs.append(Leg(step=end, after=graph.ends if len(graph.ends) > 1 else ()))
    if next(numbers) > ids.MAX_EDGES:
        raise ConfigurationError(f"a pipeline has at most {ids.MAX_EDGES:,} ways from one step to another.")
    return tuple(map(route.write, legs))


def steps_by_edge(whole: Route) -> dict[int, str]:
    """The step to which each edge leads: what is handled under an id of that edge is handled by that step. A part of a
    join is none: the step is done for what the parts make."""
    found: dict[int, str] = {}
    for leg in whole.legs.values():
        found |= {edge: name for name, edge in leg.next.items() if not whole.legs[name].joins}
        if leg.joined:
            found[leg.joined] = leg.step
        if leg.repeat is not None:
            found[leg.repeat.edge] = leg.repeat.back
    return found
