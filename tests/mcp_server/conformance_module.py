"""A module with the messages that the official conformance suite asks for, by their names."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

import msgspec

from claude_comm import Context, Module, RetryPolicy, Settings
from claude_comm.interchange.agent_answers import AgentInput, PromptAnswer, Question, ResourceAnswer, ToolAnswer

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
        "0000000049454e44ae426082"
    )
).decode()
SOUND = base64.b64encode(b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00D\xac\x00\x00").decode()


class Nothing(msgspec.Struct):
    mcp_input: AgentInput | None = None


class Named(msgspec.Struct):
    name: str


class Compute(msgspec.Struct):
    seconds: float = 0
    label: str = ""


class File(msgspec.Struct):
    filename: str
    mcp_input: AgentInput | None = None


class Message(msgspec.Struct):
    message: str
    mcp_input: AgentInput | None = None


class Prompt(msgspec.Struct):
    prompt: str
    mcp_input: AgentInput | None = None


class TwoArguments(msgspec.Struct):
    arg1: str
    arg2: str


class Embedded(msgspec.Struct):
    resourceUri: str  # noqa: N815  (its name in the suite)


class Id(msgspec.Struct):
    id: str


class Sum(msgspec.Struct):
    a: int


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image() -> dict[str, Any]:
    return {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def embedded(uri: str, kind: str, words: str) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


def answer(*blocks: dict[str, Any]) -> ToolAnswer:
    return ToolAnswer(list(blocks))


def form(message: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sampling(words: str, most: int = 100) -> dict[str, Any]:
    message = {"role": "user", "content": text(words)}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": most}}


ROOTS: dict[str, Any] = {"method": "roots/list", "params": {}}
TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
NAME = {"user_name": form("What is your name?", name=TEXT)}


def given(payload: Any, key: str) -> Any:
    """What was answered to one question; None where it was not."""
    response = None if payload.mcp_input is None else payload.mcp_input.answers.get(key)
    return response if isinstance(response, dict) else None


def conformance(settings: Settings | None = None) -> Module:
    module = Module("conformance", settings=settings, retry=RetryPolicy(attempts=1), concurrency=8)
    for part in (contents, questions, elicitations, prompts, resources, jobs):
        part(module)
    return module


def says(**words: Any) -> dict[str, Any]:
    return {"x-mcp": words}


def contents(module: Module) -> None:
    fixed = {
        "test_simple_text": answer(text("This is a simple text response for testing.")),
        "test_image_content": answer(image()),
        "test_audio_content": answer({"type": "audio", "data": SOUND, "mimeType": "audio/wav"}),
        "test_embedded_resource": answer(
            embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
        ),
        "test_multiple_content_types": answer(
            text("Multiple content types test:"),
            image(),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    }
    for name, whole in fixed.items():
        _fixed(module, name, whole)

    @module.handles("test_error_handling")
    def fail(payload: Nothing) -> ToolAnswer:
        raise ValueError("This tool intentionally returns an error for testing")

    @module.handles("test_tool_with_progress")
    def progress(payload: Nothing, context: Context) -> ToolAnswer:
        for done in (0, 50, 100):
            context.progress("test", done, 100)
            time.sleep(0.05)
        return answer(text("done"))

    @module.handles("test_tool_with_logging")
    def logging(payload: Nothing, context: Context) -> ToolAnswer:
        for done, words in enumerate(("Tool execution started", "Tool processing data", "Tool execution completed")):
            context.progress(words, done, 2)
            time.sleep(0.05)
        return answer(text("done"))

    @module.handles("test_logging_tool")
    def logging_tool(payload: Nothing, context: Context) -> ToolAnswer:
        return logging(payload, context)


def _fixed(module: Module, name: str, whole: ToolAnswer) -> None:
    @module.handles(name)
    def respond(payload: Nothing) -> ToolAnswer:
        return whole


def questions(module: Module) -> None:
    @module.handles("test_input_required_result_elicitation")
    def elicit(payload: Nothing) -> ToolAnswer | Question:
        name = given(payload, "user_name")
        if name is None or "content" not in name:
            return Question(NAME)
        return answer(text(f"Hello, {name['content']['name']}!"))

    @module.handles("test_streaming_elicitation")
    def streaming(payload: Nothing) -> ToolAnswer | Question:
        return elicit(payload)

    @module.handles("test_input_required_result_sampling")
    def sample(payload: Nothing) -> ToolAnswer | Question:
        said = given(payload, "capital_question")
        return (
            Question({"capital_question": sampling("What is the capital of France?")})
            if said is None
            else answer(text(json.dumps(said["content"])))
        )

    @module.handles("test_input_required_result_list_roots")
    def roots(payload: Nothing) -> ToolAnswer | Question:
        said = given(payload, "client_roots")
        return Question({"client_roots": ROOTS}) if said is None else answer(text(json.dumps(said["roots"])))

    def stateful(payload: Nothing) -> ToolAnswer | Question:
        if given(payload, "confirm") is None or payload.mcp_input is None:
            return Question({"confirm": form("Please confirm", ok=FLAG)}, state="asked")
        return answer(text("state-ok" if payload.mcp_input.state == "asked" else "state-lost"))

    module.handles("test_input_required_result_request_state")(stateful)
    module.handles("test_input_required_result_tampered_state")(stateful)

    @module.handles("test_input_required_result_multiple_inputs")
    def several(payload: Nothing) -> ToolAnswer | Question:
        asked = {**NAME, "greeting": sampling("Generate a greeting", 50), "client_roots": ROOTS}
        if any(given(payload, key) is None for key in asked):
            return Question(asked, state="several")
        return answer(text("all answered"))

    @module.handles("test_input_required_result_multi_round")
    def rounds(payload: Nothing) -> ToolAnswer | Question:
        state = payload.mcp_input.state if payload.mcp_input else ""
        if state == "" or (state == "one" and given(payload, "step1") is None):
            return Question({"step1": form("Step 1: What is your name?", name=TEXT)}, state="one")
        if state == "one" or given(payload, "step2") is None:
            return Question({"step2": form("Step 2: What is your favorite color?", color=TEXT)}, state="two")
        return answer(text("done"))

    @module.handles("test_input_required_result_capabilities")
    def capable(payload: Nothing) -> ToolAnswer | Question:
        if payload.mcp_input is None:
            return Question({**NAME, "greeting": sampling("Generate a greeting")})
        return answer(text("done"))

    @module.handles("test_missing_capability")
    def missing(payload: Nothing) -> ToolAnswer | Question:
        return Question({"greeting": sampling("Hello")}) if payload.mcp_input is None else answer(text("done"))


def elicitations(module: Module) -> None:
    @module.handles("test_sampling")
    def sample(payload: Prompt) -> ToolAnswer | Question:
        said = given(payload, "reply")
        return (
            Question({"reply": sampling(payload.prompt)})
            if said is None
            else answer(text(f"LLM response: {said['content']['text']}"))
        )

    @module.handles("test_elicitation")
    def elicit(payload: Message) -> ToolAnswer | Question:
        said = given(payload, "user")
        asked = form(payload.message, username=TEXT, email=TEXT)
        return Question({"user": asked}) if said is None else answer(text(f"User response: {json.dumps(said)}"))

    def asking(tool: str, **properties: Any) -> None:
        @module.handles(tool)
        def elicit(payload: Nothing) -> ToolAnswer | Question:
            said = given(payload, "form")
            if said is None:
                return Question({"form": form("Please choose", **properties)})
            return answer(text(f"Elicitation completed: action={said['action']}, content={json.dumps(said)}"))

    asking(
        "test_elicitation_sep1034_defaults",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    titled = [
        {"const": f"value{number}", "title": f"{word} Option"} for number, word in enumerate(("First", "Second"), 1)
    ]
    asking(
        "test_elicitation_sep1330_enums",
        untitledSingle={"type": "string", "enum": ["option1", "option2", "option3"]},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )


def prompts(module: Module) -> None:
    prompt = says(**{"as": "prompt"})

    def message(block: dict[str, Any]) -> dict[str, Any]:
        return {"role": "user", "content": block}

    @module.handles("test_simple_prompt", accepts=prompt)
    def simple(payload: Nothing) -> PromptAnswer:
        return PromptAnswer([message(text("This is a simple prompt for testing."))])

    arguments = {
        "type": "object",
        "properties": {"arg1": {"type": "string", "examples": ["test", "text"]}, "arg2": TEXT},
        "required": ["arg1", "arg2"],
    }

    @module.handles("test_prompt_with_arguments", accepts={**arguments, **prompt})
    def two(payload: TwoArguments) -> PromptAnswer:
        words = f"Prompt with arguments: arg1='{payload.arg1}', arg2='{payload.arg2}'"
        return PromptAnswer([message(text(words))])

    uri = {"type": "object", "properties": {"resourceUri": TEXT}, "required": ["resourceUri"]}

    @module.handles("test_prompt_with_embedded_resource", accepts={**uri, **prompt})
    def resource(payload: Embedded) -> PromptAnswer:
        block = embedded(payload.resourceUri, "text/plain", "Embedded resource content for testing.")
        return PromptAnswer([message(block), message(text("Please process the embedded resource above."))])

    @module.handles("test_prompt_with_image", accepts=prompt)
    def picture(payload: Nothing) -> PromptAnswer:
        return PromptAnswer([message(image()), message(text("Please analyze the image above."))])

    asking = {"type": "object", "properties": {"mcp_input": {}}}

    @module.handles("test_input_required_result_prompt", accepts={**asking, **prompt})
    def asks(payload: Nothing) -> PromptAnswer | Question:
        said = given(payload, "user_context")
        if said is None:
            return Question({"user_context": form("What context should the prompt use?", context=TEXT)})
        return PromptAnswer([message(text(f"Context: {said['content']['context']}"))])


def resources(module: Module) -> None:
    def listed(uri: str, kind: str) -> dict[str, Any]:
        return {"description": f"The resource {uri}.", **says(**{"as": "resource", "uri": uri, "mimeType": kind})}

    def holding(name: str, uri: str, kind: str, **content: str) -> None:
        @module.handles(name, accepts=listed(uri, kind))
        def read(payload: Nothing) -> ResourceAnswer:
            return ResourceAnswer([{"uri": uri, "mimeType": kind, **content}])

    words = "This is the content of the static text resource."
    holding("static_text", "test://static-text", "text/plain", text=words)
    holding("static_binary", "test://static-binary", "image/png", blob=PIXEL)
    holding("watched", "test://watched-resource", "text/plain", text="Watched.")
    template = {
        "type": "object",
        "properties": {"id": TEXT},
        "required": ["id"],
        **says(**{"as": "resource", "uriTemplate": "test://template/{id}/data", "mimeType": "application/json"}),
    }

    @module.handles("template", accepts=template)
    def of_template(payload: Id) -> ResourceAnswer:
        data = json.dumps({"id": payload.id, "templateTest": True, "data": f"Data for ID: {payload.id}"})
        uri = f"test://template/{payload.id}/data"
        return ResourceAnswer([{"uri": uri, "mimeType": "application/json", "text": data}])


def jobs(module: Module) -> None:
    @module.handles("greet")
    def greet(payload: Named) -> ToolAnswer:
        return answer(text(f"Hello, {payload.name}!"))

    cancelled = threading.Event()

    @module.handles("comm.cancel", accepts={"type": "object", **says(**{"as": "nothing"})})
    def cancel(payload: dict[str, Any]) -> None:
        cancelled.set()

    compute = {"type": "object", "properties": {"seconds": {"type": "number"}, "label": TEXT}}

    @module.handles("slow_compute", accepts={**compute, **says(task="optional")})
    def slow(payload: Compute) -> ToolAnswer:
        until = time.monotonic() + payload.seconds
        while time.monotonic() < until and not cancelled.is_set():
            time.sleep(0.02)
        cancelled.clear()
        return answer(text(f"computed {payload.label}"))

    @module.handles("failing_job", accepts=says(task="required"))
    def failing(payload: Nothing) -> ToolAnswer:
        time.sleep(0.2)
        raise ValueError("this job always fails")

    @module.handles("protocol_error_job", accepts=says(task="optional"))
    def broken(payload: Nothing) -> Sum:
        answered: Any = {"a": "what its contract does not have"}
        return answered  # type: ignore[no-any-return]

    filename = {"type": "object", "properties": {"filename": TEXT, "mcp_input": {}}, "required": ["filename"]}

    @module.handles("confirm_delete", accepts={**filename, **says(task="optional")})
    def confirm(payload: File) -> ToolAnswer | Question:
        if given(payload, "confirm") is None:
            return Question({"confirm": form(f"Delete {payload.filename}?", confirm=FLAG)})
        return answer(text("deleted"))

    asking = {"type": "object", "properties": {"mcp_input": {}}}

    @module.handles("multi_input", accepts={**asking, **says(task="optional")})
    def multi(payload: Nothing) -> ToolAnswer | Question:
        asked = {"first": form("First?", name=TEXT), "second": form("Second?", name=TEXT)}
        return Question(asked) if any(given(payload, key) is None for key in asked) else answer(text("both"))

    @module.handles("test_tool_with_task", accepts={**asking, **says(task="required", ask="first")})
    def with_task(payload: Nothing) -> ToolAnswer | Question:
        name = given(payload, "user_name")
        return Question(NAME) if name is None else answer(text(f"Hello, {name['content']['name']}!"))
