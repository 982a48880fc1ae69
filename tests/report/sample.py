"""A report of ten minutes with something in every section."""

from __future__ import annotations

import math

from claude_comm.report.figures import (
    LATENCY_CLASSES_MS,
    Bucket,
    BurialKind,
    FileKind,
    HopFigures,
    MessageLine,
    Negotiated,
    Percentiles,
    Report,
    SlowMessage,
    Summary,
    TaskFigures,
)

START_US = 1_790_000_000_000_000
SECOND_US = 1_000_000
CLASSES = len(LATENCY_CLASSES_MS) + 1


def report(*, buckets: int = 120, lines: int = 50, name: str = "marker") -> Report:
    """`name` is the name of one module, wherever that is shown."""
    latency = Percentiles(4.2, 31.0, 180.5, 2_210.0)
    return Report(
        subject=f"session {name}",
        made_us=START_US + 700 * SECOND_US,
        version="1.2.3",
        start_us=START_US,
        end_us=START_US + buckets * 5 * SECOND_US,
        bucket_us=5 * SECOND_US,
        summary=Summary(
            messages=100_000,
            handled=99_100,
            buried=640,
            pending=260,
            retried=1_203,
            size_bytes=31_000_000,
            modules=("sparta", name, "arangodb", "unsloth"),
            latency=latency,
        ),
        buckets=[bucket(at, name) for at in range(buckets)],
        hops=[
            HopFigures(
                source="sparta",
                target=name,
                messages=40_000,
                handled=39_900,
                buried=40,
                size_bytes=9_000_000,
                latency=latency,
            ),
            HopFigures(
                source=name,
                target="arangodb",
                messages=39_800,
                handled=39_000,
                buried=600,
                size_bytes=20_000_000,
                latency=latency,
            ),
            HopFigures(
                source="arangodb",
                target="unsloth",
                messages=20_000,
                handled=20_000,
                buried=0,
                size_bytes=2_000_000,
                latency=latency,
            ),
            HopFigures(source="unsloth", target="sparta", messages=200, handled=200, buried=0, size_bytes=20_000),
        ],
        burials=[
            BurialKind(
                consumer="arangodb",
                reason="is a text where a number is needed",
                path="$.documents[0].year",
                count=612,
                example="01a2217d-5b53-7968-8000-3dedb18e3000",
                last_us=START_US,
            ),
            BurialKind(
                consumer=name,
                reason="failed 3 times, last with TimeoutError",
                path="",
                count=28,
                example="01a2",
                last_us=START_US,
            ),
        ],
        slowest=[
            SlowMessage(
                id=f"01a2217d-5b53-7968-8000-{at:012}",
                source="sparta",
                target=name,
                type="page",
                sent_us=START_US + at,
                latency_ms=2_210 - at,
                attempts=1 + at % 3,
                waited_ms=1_000 if at else None,
            )
            for at in range(10)
        ],
        tasks=[
            TaskFigures(module=name, task="convert", completed=812, total=1_000, updated_us=START_US),
            TaskFigures(module="unsloth", task="train", completed=3, total=3, updated_us=START_US),
        ],
        files=[FileKind(operation="read", succeeded=812, failed=3, last_failed="papers/broken.pdf")],
        agreements=[
            Negotiated(
                producer=name,
                consumer="arangodb",
                answer="incompatible",
                witness='{"documents": 5}',
                reason="$.documents: ...",
            )
        ],
        lines=[
            MessageLine(
                number=at,
                id=f"{at:036}",
                source="sparta",
                target=name,
                type="page",
                sent_us=START_US + at,
                status="handled",
                latency_ms=4.25,
            )
            for at in range(lines)
        ],
        lines_left_out=100_000 - lines,
    )


def bucket(at: int, name: str) -> Bucket:
    wave = 1 + math.sin(at / 9)
    sent = {"sparta": round(300 * wave) + 40, name: round(280 * wave) + 30, "arangodb": 150 if at > 40 else 0}
    middle = 3 + round(2 * math.sin(at / 15))
    classes = [max(0, 200 - 70 * abs(index - middle)) for index in range(CLASSES)]
    percentiles = Percentiles(2.0 + wave, 12 + 8 * wave, 150 + 90 * wave, 2_000.0)
    return Bucket(START_US + at * 5 * SECOND_US, sent, classes, None if 60 <= at < 64 else percentiles)
