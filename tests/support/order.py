"""The order in which the files of the tests are begun when several processes share them.

Law: those that take longest, most of them waiting for processes and clocks, come first, so that no process ends up
with one of them alone while the others have nothing left. A file that is not named here comes after them.
"""

from __future__ import annotations

import pytest

# The seconds that each took by itself, in steps; those of ten and more are worth a line.
LONGEST_FIRST = (
    "tests/workers/test_progress.py",
    "tests/workers/test_janitor.py",
    "tests/schema/regex/test_language.py",
    "tests/demo/test_demo.py",
    "tests/client/module/test_drain.py",
    "tests/client/module/test_instances.py",
    "tests/chaos/test_controls.py",
    "tests/test_readme.py",
    "tests/client/module/test_any_order.py",
    "tests/runtime/test_jobs.py",
    "tests/chaos/test_durability.py",
    "tests/cluster/test_cluster_silence.py",
    "tests/store/test_watermarks.py",
    "tests/test_full_server.py",
    "tests/schema/test_real.py",
    "tests/client/test_typing.py",
    "tests/cluster/test_cluster_paths.py",
    "tests/client/module/test_typed_delivery.py",
    "tests/schema/evolution/test_image.py",
    "tests/pipeline/test_page.py",
)
_PLACES = {name: place for place, name in enumerate(LONGEST_FIRST)}


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts in place; tests of one file keep their order."""
    items.sort(key=lambda item: _PLACES.get(item.nodeid.partition("::")[0], len(_PLACES)))
