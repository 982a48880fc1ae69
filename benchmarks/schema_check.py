"""`check` beside `jsonschema-rs` alone and `jsonsubschema`, on realistic message schemas, interleaved in one run.

Every engine is asked each pair before the next pair is begun, so that whatever else the machine does falls on all
alike. "Cold" asks about schemas never seen before; "warm" asks again, as a registry does whose modules change one
schema of many. The figures are milliseconds a check, and how many pairs were decided. `jsonsubschema` takes part where
the `bench` extra is installed; on every tenth pair and for a second each, because some of its answers take minutes.
"""

from __future__ import annotations

import json
import random
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs

from claude_comm.errors import SchemaError
from claude_comm.schema import check

PATIENCE_S = 1.0
SPARSE = 10
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


def main() -> None:
    """Prints one line for each engine, cold and warm."""
    engines: dict[str, Engine] = {"claude-comm": ours, "jsonschema-rs alone": covers}
    third = jsonsubschema()
    if third is not None:
        signal.signal(signal.SIGALRM, out_of_patience)
        engines["jsonsubschema"] = third
    runs: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for index, (produced, accepted) in enumerate(pairs()):
        for name, engine in engines.items():
            if engine is third and index % SPARSE:
                continue
            for run in ("cold", "warm"):
                runs.setdefault((run, name), []).append(timed(engine, produced, accepted))
    for (run, name), results in sorted(runs.items()):
        times = sorted(took for took, _ in results)
        middle, last = statistics.median(times), times[int(len(times) * 0.99)]
        share = 100 * sum(decided for _, decided in results) / len(results)
        print(f"{run:5} {name:20} median {middle:8.3f} ms   p99 {last:8.2f} ms   decided {share:5.1f}%")
