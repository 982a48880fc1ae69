"""How the engine does on real schemas: `python -m tests.support.schemas.real.measure [FOLDER] [--only TEXT]`.

Each schema against itself, each version against the one before and after it, and mutated copies, under both policies:
how many are decided, what it took of the processor beside the budget, what an undecided one says, and whether a verdict
is wrong. Every `Compatible` is attacked with messages; every witness is put to both validators.

FOLDER holds downloaded packages (`public.py` tells how); without it the documents are those written for the tests.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from claude_comm.errors import SchemaError
from claude_comm.schema.containment.check import check
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.verdict import Compatible, Incompatible, Policy, Undecided, Verdict
from tests.support.schemas.attack import broken, refuted
from tests.support.schemas.real.documents import SEED, Document, corpus
from tests.support.schemas.real.public import downloaded
from tests.support.schemas.real.versions import next_version

Kind = Literal["itself", "version", "mutated"]
POLICIES: tuple[Policy, ...] = ("strict", "closed-producer")
# What the public documents speak that do not say so.
DEFAULT = "draft7"
MESSAGES = 40


class Pair(NamedTuple):
    """A question: what kind of pair, of which document, and the two schemas."""

    kind: Kind
    name: str
    produced: Any
    accepted: Any


class Asked(NamedTuple):
    """A question answered: the verdict, milliseconds of the processor, and what is wrong with it."""

    pair: Pair
    policy: Policy
    verdict: Verdict
    took_ms: float
    wrong: str


def pairs(documents: Sequence[Document], chance: random.Random, mutations: int = 1) -> Iterator[Pair]:
    """Each document's last version against itself and against mutated copies, and all its versions both ways round."""
    for name, versions in documents:
        yield Pair("itself", name, versions[-1], versions[-1])
        for old, new in itertools.pairwise(versions):
            yield Pair("version", name, old, new)
            yield Pair("version", name, new, old)
        for _ in range(mutations):
            copy = next_version(versions[-1], chance, 1)
            yield Pair("mutated", name, *((versions[-1], copy) if chance.random() < 0.5 else (copy, versions[-1])))


def asked(pair: Pair, policy: Policy, budget_ms: float, messages: int = MESSAGES) -> Asked:
    """The answer to one pair, looked at from all sides. Raises `SchemaError`."""
    start = time.thread_time()
    verdict = check(
        pair.produced,
        pair.accepted,
        policy=policy,
        budget_ms=budget_ms,
        default_dialect=DEFAULT,
        clock=time.thread_time,
    )
    took_ms = (time.thread_time() - start) * 1_000
    return Asked(pair, policy, verdict, took_ms, _wrong(pair, policy, verdict, messages))


def _wrong(pair: Pair, policy: Policy, verdict: Verdict, messages: int) -> str:
    dialects = dialect_of(pair.produced, DEFAULT), dialect_of(pair.accepted, DEFAULT)
    if isinstance(verdict, Incompatible):
        if not verdict.reasons:
            return "no reason"
        return refuted(pair.produced, pair.accepted, verdict.witness, dialects)
    if isinstance(verdict, Compatible) and messages:
        chance = random.Random(f"{pair.name}/{policy}")
        found = broken(pair.produced, pair.accepted, chance, messages, policy=policy, dialects=dialects)
        return f"broken by {found[0]!r}" if found else ""
    return ""


def decided(answers: Sequence[Asked]) -> float:
    """The share of answers that are one, in percent."""
    return 100 * sum(not isinstance(each.verdict, Undecided) for each in answers) / max(1, len(answers))


def table(answers: Sequence[Asked], budget_ms: float) -> Iterator[str]:
    """The figures, a line for each kind and policy, then what the undecided ones say and which verdicts are wrong."""
    groups: dict[tuple[Kind, Policy], list[Asked]] = defaultdict(list)
    for each in answers:
        groups[each.pair.kind, each.policy].append(each)
    yield "kind     policy            pairs  decided  p50 ms  p99 ms  max ms  late  reasons"
    for (kind, policy), group in sorted(groups.items()):
        times = sorted(each.took_ms for each in group)
        refused = [len(each.verdict.reasons) for each in group if isinstance(each.verdict, Incompatible)]
        late = sum(took > 2 * budget_ms for took in times)
        yield (
            f"{kind:9}{policy:17}{len(group):6}{decided(group):8.1f}%{times[len(times) // 2]:8.1f}"
            f"{times[int(len(times) * 0.99)]:8.0f}{times[-1]:8.0f}{late:6}{sum(refused) / max(1, len(refused)):9.1f}"
        )
    why = Counter(each.verdict.why for each in answers if isinstance(each.verdict, Undecided))
    yield from (f"{count:5} undecided: {text}" for text, count in why.most_common())
    yield from (f"WRONG {each.pair.name} {each.policy}: {each.wrong}" for each in answers if each.wrong)


def main() -> None:
    """Asks all pairs and prints the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", nargs="?", type=Path)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--only", default="", help="documents with this in their name")
    options.add_argument("--budget-ms", type=float, default=2_000)
    options.add_argument("--undecided", action="store_true", help="name every undecided pair")
    given = options.parse_args()
    documents = downloaded(given.folder) if given.folder else corpus(given.seed)
    answers, unusable = list[Asked](), set[str]()
    for pair in pairs([each for each in documents if given.only in each.name], random.Random(given.seed)):
        for policy in POLICIES:
            try:
                answers.append(asked(pair, policy, given.budget_ms))
            except SchemaError:
                # Most often a reference to another document, which nothing here would fetch.
                unusable.add(pair.name)
                continue
            if given.undecided and isinstance(answers[-1].verdict, Undecided):
                print(
                    f"{pair.kind} {pair.name} {policy} {answers[-1].took_ms:.0f} ms: {answers[-1].verdict}", flush=True
                )
    print("\n".join(table(answers, given.budget_ms)))
    print(f"{len(unusable)} documents that cannot be used alone")


if __name__ == "__main__":
    main()
