"""`check` beside `jsonschema-rs` alone and `jsonsubschema`, on realistic message schemas, interleaved in one run.

Every engine is asked each pair before the next pair is begun, so that whatever else the machine does falls on all
alike. Cold is each pair once, in a process that has been asked nothing but one pair of two words: what an engine keeps
from earlier questions is of no use, for no pair comes twice, and of the schemas it is said how many do. Warm is the
same question put a second time at once. The figures are milliseconds a check, and how many pairs were decided.
`jsonsubschema` takes part where the `bench` extra is installed; on every tenth pair and for a second each, because some
of its answers take minutes.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs

from benchmarks.side_by_side import Figure, Result
from claude_comm.errors import SchemaError
from claude_comm.schema import check

PATIENCE_S = 1.0
SPARSE = 10
FIRST = {"type": "integer"}, {"type": "string"}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases" / "message-schemas.jsonl"
Engine = Callable[[Any, Any], bool]


def ours(produced: Any, accepted: Any) -> bool:
    try:
        return check(produced, accepted, policy="strict").answer != "undecided"
    except SchemaError:
        return False


def covers(produced: Any, accepted: Any) -> bool:
    """`jsonschema-rs` alone: it has no witness, so only its proofs decide."""
    one, other = (jsonschema_rs.canonicalize(schema, offline=True) for schema in (produced, accepted))
    return bool(other.covers(one) == jsonschema_rs.canonical.Containment.YES)


def jsonsubschema() -> Engine | None:
    try:
        from jsonsubschema import isSubschema
    except ImportError:
        return None

    def ask(produced: Any, accepted: Any) -> bool:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        try:
            isSubschema(produced, accepted)
        except Exception:  # noqa: BLE001 - it raises whatever it stumbles over; here that only counts as undecided
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return True

    return ask


def pairs() -> list[tuple[Any, Any]]:
    if SHARED.exists():
        cases = [json.loads(line) for line in SHARED.read_text(encoding="utf-8").splitlines()]
        return [(case["sub"], case["sup"]) for case in cases]
    return [made(random.Random(seed)) for seed in range(300)]


def made(chance: random.Random) -> tuple[Any, Any]:
    """A message schema and a later version of it."""
    kinds = [
        {"type": "string", "minLength": 1},
        {"type": "integer", "minimum": 0},
        {"enum": ["a", "b", "c"]},
        {"type": "boolean"},
    ]
    fields = {f"field_{index}": chance.choice(kinds) for index in range(chance.randint(3, 14))}
    names = list(fields)
    inner = {"type": "object", "properties": {name: fields[name] for name in names[:3]}, "required": names[:1]}
    old = {
        "type": "object",
        "properties": {**fields, "lines": {"type": "array", "items": inner}},
        "required": names[:2],
    }
    changed = chance.choice(names)
    return old, {**old, "properties": {**old["properties"], changed: chance.choice([*kinds, {"type": "number"}])}}


def out_of_patience(*_: object) -> None:
    raise TimeoutError


def timed(engine: Engine, produced: Any, accepted: Any) -> tuple[float, bool]:
    """Milliseconds, and whether it was decided."""
    start = time.perf_counter()
    decided = engine(produced, accepted)
    return (time.perf_counter() - start) * 1_000, decided


Runs = dict[str, list[tuple[float, bool]]]


def asked(engines: dict[str, Engine], chosen: list[tuple[Any, Any]], *, before: int = 0) -> Runs:
    """Each pair by one engine after the other; the last time is measured, `before` it so many are not."""
    runs: Runs = {name: [] for name in engines}
    for produced, accepted in chosen:
        for name, engine in engines.items():
            for _ in range(before):
                engine(produced, accepted)
            runs[name].append(timed(engine, produced, accepted))
    return runs


def seen_before(chosen: list[tuple[Any, Any]]) -> int:
    """How many pairs hold a schema that an earlier pair held: what is kept of it helps even when asked cold."""
    seen, again = set[str](), 0
    for pair in chosen:
        texts = {json.dumps(schema) for schema in pair}
        again += not texts.isdisjoint(seen)
        seen |= texts
    return again


def tagged(forms: int, value: dict[str, Any]) -> dict[str, Any]:
    """A union of messages that a property tells apart, each behind a reference."""
    tagged_forms = {
        f"form_{index}": {
            "type": "object",
            "properties": {
                "type": {"const": f"t{index}"},
                "id": {"type": "string"},
                "value": {"$ref": "#/$defs/value"},
            },
            "required": ["type", "id", "value"],
        }
        for index in range(forms)
    }
    return {
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in tagged_forms],
        "$defs": {**tagged_forms, "value": value},
    }


def unions() -> list[tuple[Any, Any]]:
    """Small tagged unions and their next versions: a form more, a form less, a wider value, a narrower one."""
    plain, wide = {"type": ["string", "number"]}, {"type": ["string", "number", "null"]}
    return [
        pair
        for forms in (3, 5, 8, 12)
        for pair in (
            (tagged(forms, plain), tagged(forms + 1, plain)),
            (tagged(forms + 1, plain), tagged(forms, plain)),
            (tagged(forms, plain), tagged(forms, wide)),
            (tagged(forms, wide), tagged(forms, plain)),
        )
    ]


def shown(title: str, runs: Runs, note: str) -> Result:
    """The figures of a run; what a median hides is in the note."""
    words = [note, *(f"{name}: {_spread(results)}." for name, results in runs.items())]
    figures = [Figure(name, [took for took, _ in results]) for name, results in runs.items()]
    return Result(title, "ms", figures, " ".join(words))


def _spread(results: list[tuple[float, bool]]) -> str:
    times = sorted(took for took, _ in results)
    share = 100 * sum(decided for _, decided in results) / len(results)
    return f"99 of 100 within {times[int(len(times) * 0.99)]:.3g} ms, {share:.1f}% decided"


def main() -> list[Result]:
    """Cold, warm, and beside `jsonsubschema` where it is installed."""
    engines: dict[str, Engine] = {"claude-comm": ours, "jsonschema-rs alone, without witnesses": covers}
    chosen = pairs()
    # What an engine imports when it is first asked falls on one check of a process, and is told apart.
    first = [f"{name} {timed(engine, *FIRST)[0]:.0f} ms" for name, engine in engines.items()]
    again = f"{seen_before(chosen)} with a schema that an earlier one holds"
    cold = f"{len(chosen)} pairs, each asked once, {again}. The first question of the process: {', '.join(first)}."
    found = [
        shown("Verdicts asked cold", asked(engines, chosen), cold),
        shown("Verdicts asked again", asked(engines, chosen, before=1), "The same pairs, each a second time at once."),
    ]
    small = asked({"claude-comm": ours}, unions())
    found.append(shown("Verdicts on tagged unions", small, "Unions of 3 to 13 forms behind references, asked cold."))
    third = jsonsubschema()
    if third is not None:
        signal.signal(signal.SIGALRM, out_of_patience)
        few = chosen[::SPARSE]
        runs = asked({**engines, "jsonsubschema": third}, few)
        found.append(shown("Verdicts beside jsonsubschema", runs, f"{len(few)} of the pairs, asked before."))
    return found
