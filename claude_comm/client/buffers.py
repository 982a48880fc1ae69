"""Values that are buffers: numpy arrays, Arrow tables and pandas frames, as content types of their own.

Law: an array travels as an `npy` file, a table as an Arrow IPC stream: what other programs read as well. A large one
goes from its own memory into the store chunk by chunk, and out of it into the memory of the new one.
Nothing is pickled: an array of Python objects is refused.

| value, or type of a handler | content type | needs |
| --- | --- | --- |
| `numpy.ndarray` | `application/x-npy` | numpy |
| `pyarrow.Table`, `pyarrow.RecordBatch` | `application/vnd.apache.arrow.stream` | pyarrow |
| `pandas.DataFrame` | the same | pandas and pyarrow |
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from claude_comm.blobs.large import blob_of
from claude_comm.blobs.transfer import Blob
from claude_comm.envelope import BLOB, Envelope
from claude_comm.errors import DoesNotFit, EncodeError

NPY = "application/x-npy"
ARROW = "application/vnd.apache.arrow.stream"

# Takes what is written, a piece at a time.
Write: TypeAlias = Callable[[Any], object]
_TYPES = {
    ("numpy", "ndarray"): NPY,
    ("pyarrow.lib", "Table"): ARROW,
    ("pyarrow.lib", "RecordBatch"): ARROW,
    ("pandas.core.frame", "DataFrame"): ARROW,
    ("pandas", "DataFrame"): ARROW,
}
MODULES = frozenset(module for module, _ in _TYPES)


class Encoded(msgspec.Struct, frozen=True):
    """A value that is a buffer: its content type, about how many bytes it has, and what writes them."""

    content_type: str
    size: int
    write: Callable[[Write], None]

    def joined(self) -> bytes:
        """All of it in one piece, for a message."""
        pieces = io.BytesIO()
        self.write(pieces.write)
        return pieces.getvalue()


def content_type_of(shape: Any) -> str:
    """The content type of a type of such values; empty for any other type."""
    return _TYPES.get((getattr(shape, "__module__", ""), getattr(shape, "__name__", "")), "")


def encoded(value: Any) -> Encoded | None:
    """None for a value of another kind. Raises EncodeError for an array of Python objects."""
    kind = content_type_of(value.__class__)
    if kind == NPY:
        return _array(value)
    if kind != ARROW:
        return None
    import pyarrow

    if value.__class__.__name__ == "DataFrame":
        value = pyarrow.Table.from_pandas(value)
    return Encoded(ARROW, int(value.nbytes), lambda write: _write_table(value, write))


def reader_of(shape: Any) -> Callable[[Envelope], Any]:
    """From an envelope to a value of such a type; it raises DoesNotFit or DecodeError."""
    kind, name = content_type_of(shape), shape.__name__

    def read(envelope: Envelope) -> Any:
        blob = blob_of(envelope)
        found = blob.content_type if envelope.content_type == BLOB else envelope.content_type
        if found != kind:
            raise DoesNotFit(f"Expected `{kind}`, got `{found}` - at `$`")
        try:
            return _read_array(blob) if kind == NPY else _read_table(blob, name)
        except (ValueError, EOFError, SyntaxError) as error:  # pyarrow's errors are ValueErrors, too
            raise DoesNotFit(f"Expected `{kind}`: {error} - at `$`") from None

    return read


def _array(array: Any) -> Encoded:
    import numpy
    from numpy.lib import format as npy

    if array.dtype.hasobject:
        raise EncodeError("an array of Python objects cannot be sent: only its numbers travel, and it has none.")
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = numpy.ascontiguousarray(array)
    header = io.BytesIO()
    npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
    flat = array.reshape(-1, order="C" if array.flags.c_contiguous else "F").view(numpy.uint8)

    def write(take: Write) -> None:
        take(header.getvalue())
        take(flat.data)

    return Encoded(NPY, int(array.nbytes), write)


def _read_array(blob: Blob) -> Any:
    import numpy
    from numpy.lib import format as npy

    with blob.open() as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
        start = file.tell()
    if dtype.hasobject:
        raise ValueError("an array of Python objects is not read")
    array = numpy.empty(shape, dtype, order="F" if is_fortran else "C")
    if array.nbytes != blob.size - start:
        raise ValueError("the array has another size than its header says")
    flat = array.reshape(-1, order="F" if is_fortran else "C").view(numpy.uint8)
    blob.read_into(memoryview(flat.data), start)
    return array


def _write_table(table: Any, write: Write) -> None:
    import pyarrow

    with pyarrow.PythonFile(_Sink(write), mode="w") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write(table)


def _read_table(blob: Blob, name: str) -> Any:
    import pyarrow

    buffer = pyarrow.allocate_buffer(blob.size)
    blob.read_into(memoryview(buffer).cast("B"))
    table = pyarrow.ipc.open_stream(buffer).read_all()
    if name == "RecordBatch":
        return table.combine_chunks().to_batches()[0] if table.num_rows else pyarrow.RecordBatch.from_pylist([])
    return table.to_pandas() if name == "DataFrame" else table


class _Sink(io.RawIOBase):
    """What Arrow writes to."""

    def __init__(self, write: Write) -> None:
        self._write, self._at = write, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, piece: Any) -> int:
        size = len(memoryview(piece).cast("B"))
        self._write(piece)
        self._at += size
        return size
