"""The samplers of the SDK, asked without what they do not read.

Law: the answer that the sampler itself would give. One that may read a span's name, attributes or links is not here:
then the SDK makes the spans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, TraceFlags

# Whether a span is recorded and sampled, given its parent and the id of its trace.
Sampling: TypeAlias = Callable[[SpanContext | None, int], bool]


def sampling_of(sampler: Sampler) -> Sampling | None:
    """None for a sampler that is not one of these."""
    if type(sampler) is StaticSampler:
        return _static(sampler)
    if type(sampler) is TraceIdRatioBased:
        limit, bound = sampler.TRACE_ID_LIMIT, sampler.bound
        return lambda _, trace_id: trace_id & limit < bound
    if type(sampler) is ParentBased:
        return _parent_based(sampler)
    return None


def _static(sampler: StaticSampler) -> Sampling | None:
    if sampler._decision is Decision.RECORD_ONLY:
        return None
    answer = sampler._decision is Decision.RECORD_AND_SAMPLE
    return lambda _parent, _trace_id: answer


def _parent_based(sampler: ParentBased) -> Sampling | None:
    children = sampler._remote_parent_sampled, sampler._remote_parent_not_sampled
    alike = children == (sampler._local_parent_sampled, sampler._local_parent_not_sampled)
    if sampler._root is ALWAYS_ON and children == (ALWAYS_ON, ALWAYS_OFF) and alike:
        return as_parent  # the default of the SDK, and of most programs
    root = sampling_of(sampler._root)
    remote = _of_parents(sampler._remote_parent_sampled, sampler._remote_parent_not_sampled)
    local = _of_parents(sampler._local_parent_sampled, sampler._local_parent_not_sampled)
    if root is None or remote is None or local is None:
        return None

    def decide(parent: SpanContext | None, trace_id: int) -> bool:
        if parent is None:
            return root(parent, trace_id)
        return (remote if parent.is_remote else local)(parent, trace_id)

    return decide


def as_parent(parent: SpanContext | None, _trace_id: int) -> bool:
    """As its parent, and sampled without one."""
    # As the tuple that it is: each property would be a call.
    return parent is None or bool(parent[3] & TraceFlags.SAMPLED)


def _of_parents(sampled: Sampler, not_sampled: Sampler) -> Sampling | None:
    yes, no = sampling_of(sampled), sampling_of(not_sampled)
    if yes is None or no is None:
        return None
    return lambda parent, trace_id: (yes if parent and parent.trace_flags.sampled else no)(parent, trace_id)
