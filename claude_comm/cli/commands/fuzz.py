"""The command `fuzz`."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.module.finder import find_module
from claude_comm.client.module.module import Module
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.terminal.output import OutputFailed, emit, emit_json, emit_styled
from claude_comm.terminal.styles import FAILED, GOOD
from claude_comm.testing.fuzzing import EXAMPLES, Fuzzed, fuzz, fuzz_refuse
from claude_comm.testing.saved import file_name, written_tests
from claude_comm.testing.trial import LIMIT_S


def command(
    target: Annotated[str, typer.Argument(metavar="PACKAGE.FILE:MODULE", help="Where the Module object is.")],
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type of message; may be given several times.")
    ] = None,
    examples: Annotated[
        int,
        typer.Option("--examples", min=0, help="Number of random messages, after those at the edges of the contract."),
    ] = EXAMPLES,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same messages.")] = 0,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="TARGET=JSON",
            help="The reply to a handler's request to TARGET; may be given several times.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="EXCEPTION",
            help="An exception that does not count as a defect; may be given several times.",
        ),
    ] = None,
    limit: Annotated[
        float, typer.Option("--limit", min=0.01, help="Seconds that a handler may take for one message.")
    ] = LIMIT_S,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FOLDER", help="Write the defects as tests into this folder.")
    ] = None,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Use messages just outside of the contract: each must be refused.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Call a module's handlers with messages from its own contract, and report what fails.

    The first messages are at the edges of what each handler accepts: bounds, each branch of a union, optional
    properties present and absent, empty and longest values, odd text. Random messages follow. It needs no server and
    sends nothing, but it really calls the handlers, in this process. Each defect is reported once, with the smallest
    message that shows it. Exits with 0 if there is no defect, 1 if there is one, and 2 if a handler needs an answer.
    """
    module = find_module(target)
    if refuse:
        results = fuzz_refuse(module, types=types or (), limit_s=limit)
    else:
        results = fuzz(
            module, types=types or (), examples=examples, seed=seed, answers=_answers(answer or ()),
            allow=_exceptions(module, allow or ()), limit_s=limit,
        )  # fmt: skip
    saved = _save(save, module.name, target, results) if save is not None and not refuse else None
    if as_json:
        emit_json(
            {"module": module.name, "saved": None if saved is None else str(saved), "types": list(map(_told, results))}
        )
    else:
        _show(results, saved)
    return 1 if any(result.defects for result in results) else 2 if any(result.needs for result in results) else 0


def _answers(given: Sequence[str]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for text in given:
        target, sign, value = text.partition("=")
        try:
            answers[target] = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"--answer {text!r}: give TARGET=JSON ({error}).") from None
        if not sign:
            raise ConfigurationError(f"--answer {text!r}: give TARGET=JSON.")
    return answers


def _exceptions(module: Module, names: Sequence[str]) -> list[type[BaseException]]:
    """The exceptions of these names: of Python, or of the files that the handlers are in."""
    known: dict[str, Any] = dict(vars(builtins))
    for handler in module.handlers:
        known.update(getattr(handler.function, "__globals__", {}))
    chosen = [known.get(name) for name in names]
    for name, kind in zip(names, chosen, strict=True):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(f"--allow {name!r} is no exception of Python or of the module's file.")
    return [kind for kind in chosen if kind is not None]


def _save(folder: Path, module: str, target: str, results: Sequence[Fuzzed]) -> Path | None:
    defects = [defect for result in results for defect in result.defects]
    if not defects:
        return None
    file = folder / file_name(module)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(written_tests(module, target, defects, before), encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{file} cannot be written: {error.strerror}.") from None
    return file


def _told(result: Fuzzed) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(result)
    return fields


def _show(results: Sequence[Fuzzed], saved: Path | None) -> None:
    for result in results:
        if result.needs:
            emit_styled(clean(f"{result.type}: could not be called: {result.needs}"), FAILED)
            continue
        count = len(result.defects)
        verdict = "no defect" if not count else "1 defect" if count == 1 else f"{count} defects"
        emit_styled(clean(f"{result.type}: {result.tried} messages, {verdict}"), FAILED if count else GOOD)
        for defect in result.defects:
            where = f" (at {defect.place})" if defect.place else ""
            emit(clean(f"  {defect.kind}: {defect.reason}{where}"))
            emit(clean(f"    {msgspec.json.encode(defect.message).decode()}"))
    if saved is not None:
        emit(clean(f"saved as tests in {saved}"))
