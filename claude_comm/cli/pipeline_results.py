"""The results of a run: JSON lines in the order of the inputs, to stdout, to a file, or gathered for one document."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from claude_comm.client.pipeline.results import as_json
from claude_comm.errors import ConfigurationError
from claude_comm.pipeline.tally import Ended
from claude_comm.terminal.output import OutputFailed, emit_json


class ResultWriter:
    """Writes what has ended, each as soon as all before it have."""

    def __init__(self, output: str, *, gathered: bool) -> None:
        self._output = output
        self.gathered: list[Ended] | None = [] if gathered else None
        self._file: BinaryIO | None = None

    def write(self, ended: Iterable[Ended]) -> None:
        for item in map(as_json, ended):
            if self.gathered is not None:
                self.gathered.append(item)
            elif self._file is None:
                emit_json(item, lines=True)
            else:
                self._put(self._file, msgspec.json.encode(item) + b"\n")

    def __enter__(self) -> Self:
        if self._output:
            try:
                self._file = Path(self._output).open("wb")
            except OSError as error:
                raise ConfigurationError(f"{self._output} cannot be written: {error.strerror}.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _put(self, file: BinaryIO, line: bytes) -> None:
        try:
            file.write(line)
            file.flush()
        except OSError as error:
            raise OutputFailed(f"{self._output} cannot be written: {error.strerror}.") from None
