"""The order in which the files of the tests are begun when several processes share them.

Law: those that take longest, most of them waiting for processes and clocks, come first, so that no process ends up
with one of them alone while the others have nothing left. A file that is not named here comes after them.
"""

from __future__ import annotations

import pytest

# The seconds that each took by itself, in steps; those of ten and more are worth a line.
LONGEST_FIRST = (
    "tests/docs/test_pages.py",
    "tests/demo/test_demo.py",
    "tests/workers/test_janitor.py",
    "tests/mcp_server/test_server.py",
    "tests/client/module/test_drain.py",
    "tests/test_readme.py",
    "tests/workers/test_progress.py",
    "tests/client/module/test_typed_delivery.py",
    "tests/client/module/test_any_order.py",
    "tests/chaos/test_durability.py",
    "tests/pipeline/test_run.py",
    "tests/cluster/test_cluster_silence.py",
    "tests/store/test_watermarks.py",
    "tests/runtime/test_jobs.py",
    "tests/pipeline/test_page.py",
    "tests/client/consumer/test_trust.py",
    "tests/cli/commands/test_running.py",
    "tests/test_full_server.py",
    "tests/client/module/test_leaving.py",
    "tests/workers/test_following.py",
    "tests/client/module/test_instances.py",
    "tests/deploy/test_services.py",
    "tests/cluster/test_cluster_paths.py",
    "tests/client/publisher/test_requests.py",
    "tests/client/consumer/test_innocents.py",
    "tests/test_floors.py",
    "tests/transport/test_deadlines.py",
    "tests/schema/test_wide.py",
    "tests/schema/regex/test_language.py",
    "tests/gateway/test_guard.py",
    "tests/store/test_whole.py",
    "tests/store/test_project.py",
    "tests/testing/test_replaying.py",
)
_PLACES = {name: place for place, name in enumerate(LONGEST_FIRST)}


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts in place; tests of one file keep their order."""
    items.sort(key=lambda item: _PLACES.get(item.nodeid.partition("::")[0], len(_PLACES)))
