"""What a type checker sees: the forms of a handler, and the types of payloads and replies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S

RIGHT = """
from claude_comm import AsyncConsumer, AsyncContext, Consumer, Context, Module, Publisher

module = Module("m")

@module.handles("a")
def one(payload: int) -> None: ...

@module.handles("b")
async def two(payload: int, context: AsyncContext) -> str:
    total: int = await context.request("n", payload, as_=int)
    return await context.send("n", total)

@module.handles_batch("c")
def three(payloads: list[int], context: Context) -> None:
    context.send("n", payloads[0] + context.request("n", 1, as_=int))

def total(publisher: Publisher, consumer: Consumer) -> int:
    return publisher.request("m", 1, as_=int) + sum(delivery.payload(int) for delivery in consumer)
"""
WRONG = (
    '@module.handles("d")\ndef no_parameter() -> None: ...',
    '@module.handles("d")\ndef three_parameters(a: int, b: int, c: int) -> None: ...',
    '@module.handles_batch("d")\ndef no_list(payload: int) -> None: ...',
    'def text(publisher: Publisher) -> str:\n    return publisher.request("m", 1, as_=int)',
    "def texts(consumer: Consumer) -> list[str]:\n    return [delivery.payload(int) for delivery in consumer]",
)
CHECKERS = {
    "mypy": ["mypy", "--strict", "--no-error-summary", "--hide-error-context"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}


@pytest.mark.long
@pytest.mark.parametrize("checker", CHECKERS)
def test_right_handlers_pass_and_wrong_ones_are_errors(checker: str, tmp_path: Path) -> None:
    pytest.importorskip(checker)
    source = tmp_path / "program.py"
    source.write_text(RIGHT + "\n" + "\n\n".join(WRONG) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], str(source)],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=tmp_path,
    )  # fmt: skip
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if "error" in line and "program.py:" in line}
    first_wrong = RIGHT.count("\n") + 2
    assert all(line >= first_wrong for line in lines), done.stdout
    text = source.read_text(encoding="utf-8").splitlines()
    for wrong in WRONG:
        at = next(n for n in range(len(text)) if "\n".join(text[n:]).startswith(wrong)) + 1
        assert lines & set(range(at, at + wrong.count("\n") + 1)), f"{checker} takes:\n{wrong}\n{done.stdout}"
