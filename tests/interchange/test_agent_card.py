"""The agent card: what it says, and that A2A's own types take it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from claude_comm.interchange.agent_card import CONTRACT_EXTENSION, STREAM_BINDING, Interface, agent_card
from claude_comm.names import Keys
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, contract
from tests.support.published import awkward, pip, published

# Unknown fields are refused by the reader of the published types, and missing ones by the check of what they require.
_CHECK = """
import json, sys
from google.protobuf.json_format import ParseDict
from a2a.types.a2a_pb2 import AgentCard
from a2a.utils.proto_utils import validate_proto_required_fields
validate_proto_required_fields(ParseDict(json.load(sys.stdin), AgentCard()))
"""


def card(declared: Contract, *interfaces: Interface) -> dict[str, Any]:
    (release,) = published(declared)
    made = agent_card(Keys("spaces"), release, list(interfaces) or [Interface("redis://db.example")])
    return json.loads(msgspec.json.encode(made))


def checked(card: dict[str, Any], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _CHECK],
        input=json.dumps(card),
        env={"PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_a2a_itself_takes_the_cards(tmp_path: Path) -> None:
    directory = pip(tmp_path / "a2a", "a2a-sdk>=1.3,<2")
    for declared in (awkward(), contract("plain", accepts={"message": True}, description="Does a thing.")):
        done = checked(card(declared), directory)
        assert done.returncode == 0, done.stderr
    broken = card(awkward())
    assert checked({**broken, "url": "http://a.example"}, directory).returncode == 1
    assert checked({name: held for name, held in broken.items() if name != "skills"}, directory).returncode == 1


def test_a_skill_for_each_accepted_type_with_its_schemas_under_the_extension() -> None:
    declared = awkward()
    made = card(declared)
    assert [skill["id"] for skill in made["skills"]] == list(declared.accepts)
    (extension,) = made["capabilities"]["extensions"]
    assert extension["uri"] == CONTRACT_EXTENSION
    tree = extension["params"]["skills"]["tree"]
    assert tree["input"]["schema"] == declared.accepts["tree"]
    assert tree["input"]["digest"] == schema_digest(declared.accepts["tree"])
    assert tree["output"]["digest"] == schema_digest(declared.replies["tree"])
    assert extension["params"]["contract"]["digest"] == declared.digest
    for skill in made["skills"]:
        for example in skill.get("examples", []):
            schema = declared.accepts[skill["id"]]
            assert jsonschema_rs.validator_for(schema).is_valid(json.loads(example))


def test_the_preferred_interface_is_the_first() -> None:
    made = card(awkward(), Interface("https://gate.example/a2a", "JSONRPC"), Interface("redis://db.example"))
    bindings = [interface["protocolBinding"] for interface in made["supportedInterfaces"]]
    assert bindings == ["JSONRPC", STREAM_BINDING]
