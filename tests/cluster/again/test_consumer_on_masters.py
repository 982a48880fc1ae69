"""On three masters: what the tests of this name show of one server."""

from tests.client.consumer.test_consumer import *  # noqa: F403
