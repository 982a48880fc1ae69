"""On three masters: what the tests of this name show of one server."""

from tests.client.publisher.test_backpressure import *  # noqa: F403
