"""Audits of a namespace's streams, as they stand on the server or in a file that was saved there.

Law: a saved file holds every entry byte for byte, and the keyring that the admin signed. Whoever checks it needs the
admin's public key, and nothing else that could have been changed with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError, NotFound
from claude_comm.names import Keys, Stream
from claude_comm.ops import follow
from claude_comm.ops import keyring as ops
from claude_comm.runtime import key_files
from claude_comm.runtime.trusted_keys import admin_public, newest
from claude_comm.security.audit import StreamAudit, StreamAuditor
from claude_comm.security.checking import EntryVerifier
from claude_comm.security.keyring import Keyring, unseal
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client

_PAGE = 1_000
# One entry of a stream: its id, and its fields.
Entry: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]


class _Head(msgspec.Struct, frozen=True, tag="audit"):
    """The first line of a saved file."""

    namespace: str
    keyring: bytes


class _Line(msgspec.Struct, frozen=True, tag="entry"):
    """An entry of a stream, as it stood there."""

    stream: str
    id: str
    fields: list[tuple[bytes, bytes]]


class UnknownStream(NotFound):
    """No stream of that name is announced."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no stream of {name!r} is there. `claude-comm status` lists them.")


def audit(client: Client, settings: Settings, names: Sequence[str] = ()) -> list[StreamAudit]:
    """Audits the streams of these modules and topics (`topic:NAME`), or all. Raises UnknownStream, KeyringRefused."""
    keys = Keys(settings.namespace)
    keyring = newest(client.run(ops.read(keys)), settings, admin_public(settings))
    return [_audited(settings, keyring, stream, _pages(client, stream)) for stream in _chosen(client, keys, names)]


def save(client: Client, settings: Settings, path: Path, names: Sequence[str] = ()) -> int:
    """Writes the streams and the keyring into a file; how many entries. Raises ConfigurationError, UnknownStream."""
    keys, count = Keys(settings.namespace), 0
    streams = _chosen(client, keys, names)
    document = client.run(ops.read(keys)) or b""
    try:
        with path.open("xb") as file:
            file.write(msgspec.json.encode(_Head(settings.namespace, document)) + b"\n")
            for stream in streams:
                for page in _pages(client, stream):
                    lines = [_Line(stream.key, id_.decode(), list(fields.items())) for id_, fields in page]
                    file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
                    count += len(page)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
    return count


def audit_file(path: Path, settings: Settings, admin: str = "") -> list[StreamAudit]:
    """Audits a saved file, without a server; `admin` is the admin's public key, else that of the settings. Raises
    ConfigurationError or KeyringRefused."""
    public = key_files.parse_public(admin) if admin else admin_public(settings)
    try:
        with path.open("rb") as file:
            head = msgspec.json.decode(file.readline(), type=_Head)
            keyring = unseal(head.keyring, public, key_files.verify, namespace=head.namespace)
            return _of_lines(map(_line, file), head, keyring, settings)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"{path} is no file of `claude-comm audit --save`: {error}.") from None


def _line(text: bytes) -> _Line:
    return msgspec.json.decode(text, type=_Line)


def _of_lines(lines: Iterator[_Line], head: _Head, keyring: Keyring, settings: Settings) -> list[StreamAudit]:
    keys, verifier = Keys(head.namespace), EntryVerifier(keyring, key_files.verify)
    auditors: dict[str, StreamAuditor] = {}
    pages: dict[str, list[Entry]] = {}
    for line in lines:
        stream = keys.parse_stream(line.stream.encode())
        if stream is None:
            raise ValueError(f"{line.stream} is no stream of the namespace {head.namespace}")
        if line.stream not in auditors:
            auditors[line.stream] = StreamAuditor(keys, stream, verifier, settings.max_envelope_bytes)
        page = pages.setdefault(line.stream, [])
        page.append((line.id.encode(), dict(line.fields)))
        if len(page) >= _PAGE:
            auditors[line.stream].add(page)
            page.clear()
    for name, page in pages.items():
        auditors[name].add(page)
    return [auditor.result() for auditor in auditors.values()]


def _audited(settings: Settings, keyring: Keyring, stream: Stream, pages: Iterator[list[Entry]]) -> StreamAudit:
    verifier = EntryVerifier(keyring, key_files.verify)
    auditor = StreamAuditor(Keys(settings.namespace), stream, verifier, settings.max_envelope_bytes)
    for page in pages:
        auditor.add(page)
    return auditor.result()


def _chosen(client: Client, keys: Keys, names: Sequence[str]) -> list[Stream]:
    announced = client.run(follow.announced(keys)).streams
    if not names:
        return announced
    wanted = {name: {keys.stream(name)} | ({keys.events(name)} if ":" not in name else set()) for name in names}
    for name, streams in wanted.items():
        if not streams.intersection(stream.key for stream in announced):
            raise UnknownStream(name)
    return [stream for stream in announced if any(stream.key in streams for streams in wanted.values())]


def _pages(client: Client, stream: Stream) -> Iterator[list[Entry]]:
    after = "0-0"
    while pages := client.run(follow.read_until({stream.key: after}, "+", count=_PAGE)):
        page = pages[stream.key]
        yield [(id_, dict(zip(fields[::2], fields[1::2], strict=True))) for id_, fields in page]
        after = page[-1][0].decode()
