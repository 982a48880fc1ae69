"""Asks a gateway what its own OpenAPI document allows, and much that it does not: no request may end in a 500.

    python tools/fuzz_gateway.py SCHEMATHESIS --seconds 60

SCHEMATHESIS is the program of that name, in an environment of its own: it pins libraries that claude-comm pins
otherwise. The gateway and its server live in a folder that is removed; two modules with contracts are registered first.
Exits with 1 for an answer that is a 500, or that the document does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from typing import Any

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Feeds have no end.
ENDLESS = "/v1/feed"
PAGE = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
CONTRACTS: dict[str, dict[str, Any]] = {
    "sink": {"version": "1.0.0", "accepts": {"page": PAGE}},
    "web": {"version": "1.0.0", "produces": [{"type": "page", "schema": PAGE, "target": "sink"}]},
}
# What the command waits for after its time is up.
END_S = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schemathesis", help="the program")
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "CLAUDE_COMM_HOME": home}
        token = json.loads(_ran(environ, "module", "add", "ops", "--service", "--json"))["token"]
        gateway = subprocess.Popen(
            _command("gateway", "--json", "--port", "0", "--grant", "ops=admin"), env=environ, stdout=subprocess.PIPE
        )
        try:
            assert gateway.stdout is not None
            address = json.loads(gateway.stdout.readline())["address"]
            for module, contract in CONTRACTS.items():
                _register(address, token, module, contract)
            return _fuzzed(asked.schemathesis, address, token, asked.seconds)
        finally:
            gateway.terminate()
            gateway.wait()
            _ran(environ, "down")


def _fuzzed(program: str, address: str, token: str, seconds: int) -> int:
    options = ("--max-time", str(seconds), "--checks", CHECKS, "--exclude-path", ENDLESS, "--request-timeout", "10",
               "--phases", "fuzzing", "--continue-on-failure", "--no-color")  # fmt: skip
    command = (program, "run", f"{address}/openapi.json", "-H", f"Authorization: Bearer {token}", *options)
    return subprocess.run(command, check=False, timeout=seconds + END_S).returncode


def _register(address: str, token: str, module: str, contract: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{address}/v1/modules/{module}/contract",
        json.dumps(contract).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(request).close()


def _ran(environ: Mapping[str, str], *arguments: str) -> str:
    return subprocess.run(_command(*arguments), env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "claude_comm", *arguments]


if __name__ == "__main__":
    sys.exit(main())
