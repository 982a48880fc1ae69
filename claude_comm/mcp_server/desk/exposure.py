"""What a server shows of the registry, and what a caller may do with it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

import msgspec

SEARCH, ALL = "search", "all"
# As whose messages agents call the server's own tools, where these are not in the list: a name that no module can have.
SERVER = "@server"
# The server's tools that concern modules whichever they are: not where only some are shown.
OF_ALL = frozenset(
    ("read_messages", "show_session", "explain_failure", "negotiate", "validate_pipeline", "run_pipeline")
)


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What this server shows: `tools` as `--tools` has them; `allow` and `deny` are patterns of `MODULE` or
    `MODULE.TYPE`; `bare` are modules whose tools are named by their type alone;
    `legacy_logging` tells clients of older revisions what modules report as log messages, too."""

    tools: Sequence[str] = ("search",)
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    bare: Sequence[str] = ()
    read_only: bool = False
    legacy_logging: bool = False

    @property
    def searched(self) -> bool:
        """Whether agents find what they call, because not all of it is in the list."""
        return SEARCH in self.tools and ALL not in self.tools

    @property
    def narrowed(self) -> bool:
        """Whether only some modules are shown."""
        return bool(self.allow or self.deny)

    def offers(self, tool: str) -> bool:
        """Whether a tool of the server may be there at all."""
        return tool not in OF_ALL or not self.narrowed

    def how_to(self, tool: str, **arguments: Any) -> str:
        """How an agent calls a tool of the server, in words."""
        if not self.offers(tool):
            return f"{tool} would help, which concerns all modules: this server shows some alone (--allow, --deny)"
        if ALL in self.tools or tool in self.tools:
            return f"call {tool} with " + " and ".join(f"{name} {value!r}" for name, value in arguments.items())
        if self.searched:
            message = msgspec.json.encode(arguments).decode()
            return f"call call_module with module '{SERVER}', type '{tool}' and message {message}"
        return f"{tool} would help, which this server does not show: it was started with --tools of other names"

    def shows(self, module: str, type: str = "") -> bool:
        """Whether a module, or a type of its messages, may be seen and called."""
        named = (module, f"{module}.{type}") if type else (module,)
        if any(fnmatch.fnmatchcase(name, pattern) for name in named for pattern in self.deny):
            return False
        if not self.allow:
            return True
        if not type:
            return any(fnmatch.fnmatchcase(module, pattern.partition(".")[0]) for pattern in self.allow)
        return any(fnmatch.fnmatchcase(name, pattern) for name in named for pattern in self.allow)


class Caller(msgspec.Struct, frozen=True):
    """Who asks: `owner` owns the tasks that are begun, `module` is in whose name messages go out (empty: the server's).

    `scopes` are what a token allows (`read:MODULE`, `send:MODULE`, with `*` for all, and `admin`); None: everything.
    """

    owner: str = "local"
    module: str = ""
    scopes: frozenset[str] | None = None

    def may(self, what: str, module: str = "*") -> bool:
        """Whether the caller may `read` or `send` to a module; `*` is everything at once."""
        allowed = {"admin", f"{what}:*", f"{what}:{module}"}
        return self.scopes is None or bool(allowed & self.scopes)
