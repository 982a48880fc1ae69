"""Reading many replies at once.

Law: the n-th reply is the n-th command's; error replies come as values. redis-py hands out replies one call at a
time, which at full speed costs more than the server's own work; these take whole pipelines off hiredis' reader.
"""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
import redis
from redis._parsers import _AsyncHiredisParser, _HiredisParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA


class BulkParser(_HiredisParser):
    """redis-py's hiredis parser, with `read_many`."""

    def read_many(self, count: int, timeout_s: float) -> list[Any]:
        """The next `count` replies. Raises redis-py's connection errors."""
        replies: list[Any] = []
        if self._reader is None:
            raise redis.ConnectionError("the connection is closed")
        gets = self._reader.gets
        while len(replies) < count:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                self.read_from_socket(timeout_s)  # type: ignore[no-untyped-call]
            elif isinstance(reply, redis.ConnectionError):
                raise reply
            elif not isinstance(reply, hiredis.PushNotification):
                replies.append(reply)
        return replies


class AsyncBulkParser(_AsyncHiredisParser):
    """The asyncio twin."""

    async def read_many(self, count: int, timeout_s: float) -> list[Any]:
        """The next `count` replies. Raises redis-py's connection errors."""
        replies: list[Any] = []
        reader: Any = self._reader
        if reader is None:
            raise redis.ConnectionError("the connection is closed")
        gets = reader.gets
        while len(replies) < count:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                async with asyncio.timeout(timeout_s):
                    await self.read_from_socket()  # type: ignore[no-untyped-call]
            elif isinstance(reply, redis.ConnectionError):
                raise reply
            elif not isinstance(reply, hiredis.PushNotification):
                replies.append(reply)
        return replies
