"""Tasks: requests that outlive the process that sent them, and that any process answers for.

Law: a task is a message on the streams, its replies in a stream of its own, and a record on the control server; this
process keeps nothing. A task is answered for only after all of that is on the server's disk. Its id cannot be guessed,
and whoever asks for the task of another is told that there is none.

A task goes round by round: a message is sent, the module answers or asks the user. What the user answered goes with
the next message. A round may be sent twice where a process died in between; the reply to one of them counts.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.identity import micros
from claude_comm.delivery.reply import result
from claude_comm.envelope import Envelope
from claude_comm.errors import ClaudeCommError, EnvelopeError, RequestFailed
from claude_comm.interchange.agent_answers import INPUT_PROPERTY, AgentInput, Question
from claude_comm.mcp_server.desk.answers import ToolReply
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import SOURCE
from claude_comm.mcp_server.desk.modules import NO_RESULT, Fault, Outcome, failed, replied, with_input
from claude_comm.mcp_server.desk.progress import progress_of
from claude_comm.names import is_name
from claude_comm.ops import agent_tasks, registry
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Json

TTL_MS = 86_400_000
POLL_MS = 500
# A module that has a handler for it is told when a task is given up.
CANCEL_TYPE = "comm.cancel"
_ID_BYTES = 24

Status: TypeAlias = Literal["working", "input_required", "completed", "failed", "cancelled"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a task was begun with; `message` is the id of its first message and `digest` that of the contract."""

    owner: str
    tool: str
    source: str
    module: str
    type: str
    payload: Json
    message: str
    digest: str
    created_us: int


class End(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a task ended: with an answer, or with an error that is nobody's to mend."""

    status: Status
    at_us: int
    answer: ToolReply | None = None
    error: str = ""


class TaskState(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it stands."""

    id: str
    record: Record
    status: Status
    updated_us: int
    words: str = ""
    end: End | None = None
    requests: dict[str, dict[str, Any]] = {}


async def begin(call: Call, tool: str, contract: Contract, type: str, payload: Json) -> TaskState:
    """Sends the message of a task, which is durable when this returns. Raises ClaudeCommError."""
    id_ = secrets.token_hex(_ID_BYTES)
    source = call.caller.module or SOURCE
    record = Record(
        owner=call.caller.owner,
        tool=tool,
        source=source,
        module=contract.module,
        type=type,
        payload=payload,
        message=await _send(call, source, id_, contract.module, type, with_input(call, contract, type, payload)),
        digest=contract.digest,
        created_us=micros(),
    )
    desk = call.desk
    await desk.run(agent_tasks.begin(desk.keys, id_, msgspec.json.encode(record), TTL_MS))
    await desk.run(agent_tasks.durable(desk.keys, id_))
    return TaskState(id=id_, record=record, status="working", updated_us=record.created_us)


async def find(call: Call, id_: str) -> TaskState | None:
    """The task as it stands now; None for an unknown one and for that of another owner. Raises ClaudeCommError."""
    if not is_name(id_):
        return None
    fields = await call.desk.run(agent_tasks.read(call.desk.keys, id_))
    try:
        record = msgspec.json.decode(fields.get("record", b""), type=Record)
    except msgspec.MsgspecError:
        return None
    if record.owner != call.caller.owner:
        return None
    return await _Standing(call, id_, record, fields).task()


async def respond(call: Call, task: TaskState, answers: dict[str, Json]) -> None:
    """Takes answers to what is asked; other keys are passed over. Raises ClaudeCommError."""
    keys = call.desk.keys
    for key in task.requests.keys() & answers.keys():
        await call.desk.run(agent_tasks.answer(keys, task.id, key, msgspec.json.encode(answers[key])))
    await find(call, task.id)


async def cancel(call: Call, task: TaskState) -> None:
    """Gives a task up; one that has ended stays as it ended. Raises ClaudeCommError."""
    if task.end is not None:
        return
    outcome = End(status="cancelled", at_us=micros())
    first = await call.desk.run(agent_tasks.end(call.desk.keys, task.id, msgspec.json.encode(outcome)))
    record = task.record
    contract = await call.desk.run(registry.contract_of(call.desk.keys, record.module, record.digest))
    if first and contract is not None and CANCEL_TYPE in contract.accepts:
        told = {"message": record.message, "session": session_of(task.id)}
        publisher = call.desk.publisher_of(call.caller)
        await publisher.publish(record.module, told, type=CANCEL_TYPE, session=session_of(task.id))


def session_of(task: str) -> str:
    """The session of the messages of a task: `claude-comm session show` tells what happened in it."""
    return agent_tasks.reply_instance(task)


async def _send(call: Call, source: str, id_: str, module: str, type: str, payload: Json) -> str:
    publisher = call.desk.publisher_of(call.caller)
    reply_to = f"{source}/{agent_tasks.reply_instance(id_)}"
    return await publisher.publish(module, payload, type=type, session=session_of(id_), reply_to=reply_to)


class _Standing:
    """One look at a task."""

    def __init__(self, call: Call, id_: str, record: Record, fields: dict[str, bytes]) -> None:
        self._call, self._id, self._record, self._fields = call, id_, record, fields
        self._desk = call.desk

    async def task(self) -> TaskState:
        if "end" in self._fields:
            return self._ended(msgspec.json.decode(self._fields["end"], type=End))
        replies = await self._replies()
        round_, message = 0, self._record.message
        while True:
            reply = replies.get(message)
            if reply is None:
                return await self._working()
            outcome = await self._outcome(reply)
            if not isinstance(outcome, Question):
                return await self._finish(outcome)
            pending, answers = self._asked(round_, outcome)
            if pending:
                return self._task("input_required", words="It asks the user.", requests=pending)
            round_ += 1
            message = await self._sent(round_, AgentInput(answers, outcome.state))

    def _asked(self, round_: int, question: Question) -> tuple[dict[str, dict[str, Any]], dict[str, Json]]:
        """What is still to be answered, under keys that no other round has, and what was answered, under the module's
        own."""
        pending, answers = {}, {}
        for key, request in question.requests.items():
            field = f"answer:{round_}.{key}"
            if field in self._fields:
                answers[key] = msgspec.json.decode(self._fields[field])
            else:
                pending[f"{round_}.{key}"] = request
        return pending, answers

    async def _sent(self, round_: int, given: AgentInput) -> str:
        """The id of the message with the answers of the round before, which is sent where it was not."""
        if (known := self._fields.get(f"sent:{round_}")) is not None:
            return known.decode()
        record = self._record
        payload = {**record.payload, INPUT_PROPERTY: msgspec.to_builtins(given)}
        message = await _send(self._call, record.source, self._id, record.module, record.type, payload)
        return await self._desk.run(agent_tasks.take_round(self._desk.keys, self._id, str(round_), message))

    async def _replies(self) -> dict[str, Envelope]:
        """The first reply to each message of the task."""
        arrived = await self._desk.run(agent_tasks.replies(self._desk.keys, self._record.source, self._id))
        replies: dict[str, Envelope] = {}
        for _, body in arrived:
            if body is None:
                continue
            try:
                reply = envelopes.decode(body, max_bytes=self._desk.settings.max_envelope_bytes)
            except EnvelopeError:
                continue
            # Nobody but the module that was asked may answer.
            if reply.source == self._record.module:
                replies.setdefault(reply.causation, reply)
        return replies

    async def _outcome(self, reply: Envelope) -> Outcome:
        record = self._record
        contract = await self._desk.run(registry.contract_of(self._desk.keys, record.module, record.digest))
        try:
            value = result(reply, record.module, Any)
        except RequestFailed as failure:
            return failed(self._desk.exposure, failure)
        except ClaudeCommError as error:
            return Fault(str(error))
        return replied(contract or Contract(module=record.module), record.type, value)

    async def _finish(self, outcome: Outcome) -> TaskState:
        if isinstance(outcome, ToolReply):
            end = End(status="completed", at_us=micros(), answer=outcome)
        else:
            sentence = outcome.sentence if isinstance(outcome, Fault) else NO_RESULT
            end = End(status="failed", at_us=micros(), error=sentence)
        keys = self._desk.keys
        if await self._desk.run(agent_tasks.end(keys, self._id, msgspec.json.encode(end))):
            return self._ended(end)
        fields = await self._desk.run(agent_tasks.read(keys, self._id))
        return self._ended(msgspec.json.decode(fields["end"], type=End))

    async def _working(self) -> TaskState:
        """The task with what the module has reported last."""
        stream = self._desk.keys.events(self._record.module)
        most = self._desk.settings.max_envelope_bytes
        for body in await self._desk.run(agent_tasks.latest(stream)):
            report = progress_of(body, session_of(self._id), most)
            if report is not None:
                return self._task("working", words=f"{report.task}: {report.completed:g} of {report.total:g}")
        return self._task("working")

    def _ended(self, end: End) -> TaskState:
        return TaskState(id=self._id, record=self._record, status=end.status, updated_us=end.at_us, end=end)

    def _task(self, status: Status, words: str = "", requests: dict[str, dict[str, Any]] | None = None) -> TaskState:
        return TaskState(
            id=self._id,
            record=self._record,
            status=status,
            updated_us=micros(),
            words=words,
            requests=requests or {},
        )
