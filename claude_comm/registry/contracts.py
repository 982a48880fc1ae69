"""Contracts: the types of message that a module accepts and produces, each with a schema, under a version.

Law: pure. A contract crosses the wire as JSON and is addressed by its digest: the same contract written differently has
the same one. What may differ between two registrations of one contract (when, how many may wait, the words for a
reader, what it can be found by) is no part of it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, Micros
from claude_comm.errors import ClaudeCommError, ConfigurationError, SchemaError
from claude_comm.names import check_name, check_target
from claude_comm.registry.versions import check_range, check_version

Schema = dict[str, Any] | bool
# What a new version must keep of the ones before it; see `registry.policies`.
Compatibility: TypeAlias = Literal[
    "none", "backward", "backward-transitive", "forward", "forward-transitive", "full", "full-transitive"
]
# What happens to a message that breaks an agreement: nothing, a warning, or a refusal.
Enforcement: TypeAlias = Literal["off", "warn", "enforce"]
# What a `format` in its schemas is: a remark, or a promise.
Formats: TypeAlias = Literal["annotate", "assert"]
# For the properties that a message of this type has, by name; with `*` also those that the contract does not name.
Aliases: TypeAlias = dict[str, list[str]]

COMPATIBILITIES = Compatibility.__args__  # type: ignore[attr-defined]
ENFORCEMENTS = Enforcement.__args__  # type: ignore[attr-defined]
FORMATS = Formats.__args__  # type: ignore[attr-defined]
_CHOICES = {"compatibility": COMPATIBILITIES, "enforcement": ENFORCEMENTS, "formats": FORMATS}

# Of the record that stands in the registry.
VERSION = 1

# With one of these as a key, a mapping is a schema; without, it maps message types to schemas.
_KEYWORDS = frozenset(
    "$schema $id $ref $defs definitions type properties required items prefixItems additionalProperties "
    "patternProperties unevaluatedProperties enum const anyOf oneOf allOf not if format pattern minimum maximum "
    "minLength maxLength minItems maxItems title description".split()
)


class Produced(msgspec.Struct, frozen=True, omit_defaults=True):
    """A type of message that a module sends; `target` names to whom, where that is known beforehand."""

    type: str
    schema: Schema
    target: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One module's declaration, in one version.

    | field | |
    | --- | --- |
    | `accepts` | message type to the schema of its payload; `topics` are read beside the inbox |
    | `produces` | what is sent; `replies` maps an accepted type to the schema of what its handler answers |
    | `aliases` | accepted type to {property: former names}: a producer's former name is renamed, which is no guess |
    | `passes` | accepted type to the properties that what is sent on still has, unchanged; `*`: those not named, too |
    | `prefers` | ranges of its versions, those first that messages are best meant for; without them the newest is |
    | `compatibility` | what the next version must keep |
    | `enforcement` | what becomes of a message that breaks an agreement, where this module sends or reads it |
    | `formats` | `assert`: each `format` in its schemas was written out as a pattern; `annotate`: it is a remark |
    | `capabilities` | what the module can do, in names of its own (`pdf.extract`): others find it by them |
    | `max_lag` | how many messages may wait in its inbox (0: what the publisher's settings say) |

    `v` is the version of the record: fields that a newer release adds are passed over, and one whose meaning changes
    counts it up.
    """

    module: str
    version: str = "1.0.0"
    accepts: dict[str, Schema] = {}
    produces: list[Produced] = []
    replies: dict[str, Schema] = {}
    aliases: dict[str, Aliases] = {}
    passes: dict[str, list[str]] = {}
    topics: list[str] = []
    prefers: list[str] = []
    compatibility: Compatibility = "none"
    enforcement: Enforcement = "enforce"
    formats: Formats = "annotate"
    description: str = ""
    capabilities: list[str] = []
    max_lag: int = 0
    registered_us: Micros = 0
    v: int = VERSION

    def sends(self, target: str, type: str) -> Schema | None:
        """The schema of what this module sends to that target, or None where it declares none."""
        fallback = None
        for produced in self.produces:
            if produced.type == type and produced.target == target:
                return produced.schema
            if produced.type == type and not produced.target:
                fallback = produced.schema
        return fallback

    @property
    def digest(self) -> str:
        """The address of this contract: of what it promises, under its module's name and version."""
        # The words of the engine take longer to import than a publisher that has no contract.
        from claude_comm.registry import canonical

        produced = [
            {"type": p.type, "target": p.target, "schema": canonical.canonical(p.schema)} for p in self.produces
        ]
        return canonical.digest(
            {
                "module": self.module,
                "version": self.version,
                "accepts": canonical.by_name(self.accepts),
                "produces": sorted(produced, key=lambda message: (str(message["type"]), str(message["target"]))),
                "replies": canonical.by_name(self.replies),
                "aliases": self.aliases,
                "passes": {type: sorted(names) for type, names in self.passes.items()},
                "topics": sorted(self.topics),
            }
        )


def by_type(declared: object) -> dict[str, Schema]:
    """A declaration as a map from message type to schema; a bare schema is that of the default type. `{}` is a map of
    no types, not the schema that allows anything: that is `true` here, or stands under its type."""
    if declared is None or declared == {}:
        return {}
    if not isinstance(declared, Mapping) or _KEYWORDS & declared.keys():
        return {DEFAULT_TYPE: _schema(DEFAULT_TYPE, declared)}
    return {check_name(name, "message type"): _schema(name, schema) for name, schema in declared.items()}


def contract(
    module: str,
    *,
    version: str = "1.0.0",
    accepts: Mapping[str, Any] | bool | None = None,
    produces: list[Produced] | None = None,
    replies: Mapping[str, Any] | None = None,
    aliases: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    passes: Mapping[str, Sequence[str]] | None = None,
    topics: Sequence[str] = (),
    prefers: Sequence[str] = (),
    compatibility: Compatibility = "none",
    enforcement: Enforcement = "enforce",
    formats: Formats = "annotate",
    description: str = "",
    capabilities: Sequence[str] = (),
    max_lag: int = 0,
    registered_us: int = 0,
) -> Contract:
    """A contract with its names checked. Raises InvalidName, ConfigurationError or SchemaError.

    `defaults` maps an accepted type to {property: value}: they are written into its schema as the keyword `default`,
    which is where adapters look for them. With `formats="assert"` a pattern is written beside each `format` of its
    schemas, so that proofs and validators hold messages to it.
    """
    if max_lag < 0:
        raise ConfigurationError(f"max_lag is {max_lag!r}: it is a number of messages, or 0 for no limit of its own.")
    _check_choices(compatibility=compatibility, enforcement=enforcement, formats=formats)
    sent, accepted = [_checked(produced) for produced in produces or []], by_type(accepts)
    _check_accepted(module, accepted, aliases=aliases, defaults=defaults, passes=passes)
    accepted = {type: _with_defaults(type, schema, (defaults or {}).get(type, {})) for type, schema in accepted.items()}
    answered = {check_name(name, "message type"): _schema(name, schema) for name, schema in (replies or {}).items()}
    return Contract(
        module=check_name(module),
        version=check_version(version),
        accepts=_with_formats(formats, accepted),
        produces=[msgspec.structs.replace(p, schema=_with_format(formats, p.type, p.schema)) for p in sent],
        replies=_with_formats(formats, answered),
        aliases={type: {name: list(old) for name, old in names.items()} for type, names in (aliases or {}).items()},
        passes={type: list(names) for type, names in (passes or {}).items()},
        topics=[check_name(topic, "topic") for topic in topics],
        prefers=[check_range(wanted) for wanted in prefers],
        compatibility=compatibility,
        enforcement=enforcement,
        formats=formats,
        description=description,
        capabilities=[check_name(capability, "capability") for capability in capabilities],
        max_lag=max_lag,
        registered_us=registered_us,
    )


# Why a record is not read although it may be whole.
NEWER = "a newer release wrote it: upgrade this program"
UNSIGNED = "neither the module nor a service signed it"


class Versioned(msgspec.Struct, frozen=True):
    """What every version of a record has."""

    v: int = 1


class UnreadableContract(ClaudeCommError):
    """What stands in the registry is not a contract, or no record of a module's contracts."""

    def __init__(self, module: str, why: str) -> None:
        self.module, self.why = module, why
        super().__init__(f"the registered contract of {module!r} cannot be read ({why}); start that module again.")


def encode(declared: Contract) -> bytes:
    return msgspec.json.encode(declared)


def decode(module: str, text: bytes) -> Contract:
    """Raises UnreadableContract: another program may have written there."""
    try:
        if msgspec.json.decode(text, type=Versioned).v <= VERSION:
            return msgspec.json.decode(text, type=Contract)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableContract(module, str(error)) from None
    raise UnreadableContract(module, NEWER)


def addressed(module: str, digest: str, text: bytes) -> Contract:
    """The contract of that digest, which is computed again: anybody may have written there. Raises
    UnreadableContract. It is shared by all who read the same text in this process."""
    return _verified(module, digest, text) if len(text) <= _SHARED_BYTES else _verify(module, digest, text)


def _verify(module: str, digest: str, text: bytes) -> Contract:
    declared = decode(module, text)
    try:
        if declared.digest == digest:
            return declared
    except SchemaError as error:
        raise UnreadableContract(module, str(error)) from None
    raise UnreadableContract(module, f"it is not the contract of the digest {digest[:12]}")


# To compute a digest takes longer than to read a contract. Some of the latest are kept, 16 MiB of texts at the most.
_SHARED_BYTES = 64 * 1024
_verified = functools.lru_cache(maxsize=256)(_verify)


def _checked(produced: Produced) -> Produced:
    """Raises InvalidName or SchemaError."""
    check_name(produced.type, "message type")
    if produced.target:
        check_target(produced.target)
    _schema(produced.type, produced.schema)
    return produced


def _check_accepted(module: str, accepted: Mapping[str, Schema], **additions: Mapping[str, object] | None) -> None:
    """Raises ConfigurationError for an addition to a type that is not accepted."""
    for what, addition in additions.items():
        for type in addition or {}:
            if type not in accepted:
                raise ConfigurationError(f"{what} are given for {type!r} messages, which {module!r} does not accept.")


def _with_defaults(type: str, schema: Schema, defaults: Mapping[str, Any]) -> Schema:
    if not defaults:
        return schema
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    unknown = [name for name in defaults if not isinstance(properties.get(name), dict)]
    if unknown or not isinstance(schema, dict):
        raise ConfigurationError(f"a default is given for {unknown[0]!r}, which {type!r} messages do not describe.")
    filled = {name: {**properties[name], "default": value} for name, value in defaults.items()}
    return {**schema, "properties": {**properties, **filled}}


def _with_formats(formats: Formats, schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    return {type: _with_format(formats, type, schema) for type, schema in schemas.items()}


def _with_format(formats: Formats, type: str, schema: Schema) -> Schema:
    if formats != "assert":
        return schema
    from claude_comm.schema.types.formats import assert_formats

    try:
        asserted: Schema = assert_formats(schema)
    except SchemaError as error:
        raise SchemaError(f"of {type!r} messages {error.sentence}", path=error.path) from None
    return asserted


def _check_choices(**values: object) -> None:
    for name, value in values.items():
        choices = _CHOICES[name]
        if value not in choices:
            raise ConfigurationError(f"{name} is {value!r}: it is {', '.join(choices[:-1])} or {choices[-1]}.")


def _schema(name: str, schema: object) -> Schema:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping):
        raise SchemaError(
            f"the schema of {name!r} is a {type(schema).__name__}; a JSON Schema is an object or a boolean"
        )
    return dict(schema)
