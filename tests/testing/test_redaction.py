"""What recorded traffic hides: what the contracts mark as sensitive, and the paths that were named."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.testing import Bus, Recorded, RecordedSend, RunningModule, load_module, read_recording
from claude_comm.testing.redaction import marks_of_paths, redacted
from tests.support.command_line import Ran

PATIENTS = """
    from typing import Annotated

    import msgspec
    from claude_comm import Context, Module, RetryPolicy

    Secret = Annotated[str, msgspec.Meta(extra_json_schema={"x-sensitive": True})]

    class Patient(msgspec.Struct):
        name: Secret
        age: int

    class Letter(msgspec.Struct):
        to: Secret
        about: str

    module = Module("ward", retry=RetryPolicy(attempts=1))
    module.produces("letter", Letter, target="post")

    @module.handles("patient")
    def admit(patient: Patient, context: Context) -> Letter:
        if patient.age < 0:
            raise ValueError(f"{patient.name} has no age")
        letter = Letter(patient.name, f"admission at {patient.age}")
        context.send("post", letter, type="letter")
        return letter
"""


def test_what_the_contracts_mark_is_in_no_recording(
    comm: Bus,
    tmp_path: Path,
    module_runner: Callable[..., RunningModule],
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ward.py").write_text(textwrap.dedent(PATIENTS))
    ward = module_runner(load_module("ward.py:module"))
    ward.request({"name": "Ada", "age": 36}, type="patient", session="s1")
    ward.send({"name": "Grace", "age": -1}, type="patient", session="s1")
    ward.done(2)
    ward.stop()
    assert run("record", "--session", "s1", "-o", "ward.jsonl").code == 0
    text = Path("ward.jsonl").read_text()
    assert "Ada" not in text
    assert "Grace" not in text
    handled, buried = read_recording("ward.jsonl")
    assert handled.data == {"name": "xxx", "age": 36}
    assert handled.reply == {"to": "xxx", "about": "admission at 36"}
    assert [sent.data for sent in handled.sent] == [{"to": "xxx", "about": "admission at 36"}]
    assert "xxxxx has no age" in buried.reason
    # The module says the same of what is hidden: the recording still tells a version that differs.
    assert run("replay", "--file", "ward.jsonl", "--against", "ward.py:module").code == 0


def test_a_redacted_value_keeps_its_type_and_length() -> None:
    delivery = Recorded(
        id="1", source="a", consumer="b", type="t", status="handled", took_ms=1.0,
        reason="ValueError: a@b is 7, not 70",
        data={"user": {"mail": "a@b", "age": 7, "tags": ["x", True, 1.5, None]}, "items": [{"price": 3}]},
        sent=[RecordedSend(target="c", type="t", data={"user": "secret"})],
    )  # fmt: skip
    hidden = redacted(delivery, marks_of_paths(["$.user", "$.items[].price"]))
    assert hidden.data == {"user": {"mail": "xxx", "age": 0, "tags": ["x", False, 0.0, None]}, "items": [{"price": 0}]}
    assert hidden.reason == "ValueError: xxx is 0, not 70"
    assert hidden.sent[0].data == {"user": "xxxxxx"}
    with pytest.raises(ConfigurationError, match="is no path"):
        marks_of_paths(["user"])


@pytest.mark.parametrize(
    "secret",
    ["token-" + "5f4dcc3b" * 20, 'a "quoted"\nsecret', "l'été est là: secret\\", "secret\x00\t\u2028 of lines"],
)
def test_a_reason_quotes_a_hidden_text_neither_cut_short_nor_in_another_spelling(secret: str) -> None:
    """The sentences of this package quote the beginning of a long text, as JSON; Python shows a text in its own way."""
    (breach,) = compile_validator({"properties": {"code": {"pattern": "^[0-9]+$"}}}).validate({"code": secret})
    shown = [breach.sentence, repr(ValueError(secret)), f"no code: {secret[:12]}…", ascii(secret), secret]
    for reason in shown:
        delivery = Recorded(
            id="1", source="a", consumer="b", type="t", status="buried", took_ms=1.0, data={"code": secret},
            reason=reason,
        )  # fmt: skip
        assert "x" * 8 in (hidden := redacted(delivery, marks_of_paths(["$.code"])).reason)
        for start in range(0, len(secret) - 6):
            assert secret[start : start + 6] not in hidden
    assert redacted(delivery, marks_of_paths(["$.other"])).reason == secret
