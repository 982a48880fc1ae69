"""The Lua scripts of `ops/lua`, as commands.

Law: a script is sent by its digest and, where the server does not know it (it was restarted or flushed), once more as
text; a script that was not known has done nothing, so sending it again doubles nothing. What several scripts share is
in a file of its own, which they include: the server sees one text.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from claude_comm.effects import Argument, Command, Script
from claude_comm.errors import ServerRefused

UNKNOWN = "NOSCRIPT"
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_FOLDER = Path(__file__).parent.parent / "ops" / "lua"


def is_unknown(reply: object) -> bool:
    """Whether the server does not know the script."""
    return isinstance(reply, ServerRefused) and reply.code == UNKNOWN


def by_digest(script: Script) -> Command:
    """The short form, for a server that has seen this script."""
    return _command("EVALSHA", _digest(script.name), script)


def by_text(script: Script) -> Command:
    """The whole script; the server knows it from then on."""
    return _command("EVAL", _text(script.name), script)


def _command(verb: str, what: str, script: Script) -> Command:
    words: tuple[Argument, ...] = (verb, what, len(script.keys), *script.keys, *script.args)
    return Command(words, on=script.on)


@cache
def _text(name: str) -> str:
    """The script, each line `-- include: NAME` replaced by what that file holds."""
    text = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda line: _text(line[1]), text)


@cache
def _digest(name: str) -> str:
    return hashlib.sha1(_text(name).encode(), usedforsecurity=False).hexdigest()
