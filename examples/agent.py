"""An agent uses a module as a tool: it finds it, calls it wrongly, reads what would be right, and calls it again.

The agent is the official client of the Model Context Protocol (`pip install 'claude-comm[mcp]'`); any other does.
Run it with `python examples/agent.py`.
"""

import asyncio
import os
import sys
import threading

import msgspec
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from claude_comm import Module


class Order(msgspec.Struct):
    item: str
    count: int


class Price(msgspec.Struct):
    cents: int


module = Module("prices")


@module.handles("order")
def price(order: Order) -> Price:
    return Price({"apple": 30, "pear": 45}[order.item] * order.count)


async def agent() -> None:
    server = StdioServerParameters(command=sys.executable, args=["-m", "claude_comm", "mcp"], env=dict(os.environ))
    async with Client(server) as client:
        tools = await client.list_tools()
        print("tools:", ", ".join(tool.name for tool in tools.tools))

        while not (found := (await client.call_tool("find_modules", {"query": "order"})).structured_content["found"]):
            await asyncio.sleep(0.1)
        call = {"module": found[0]["module"], "type": found[0]["type"], "message": {"item": "apple", "count": "many"}}
        refused = await client.call_tool("call_module", call)
        print("refused:", refused.structured_content["breaches"][0]["sentence"])
        print("would be taken:", refused.structured_content["mend"])

        call["message"] = {"item": "apple", "count": 3}
        answered = await client.call_tool("call_module", call)
        print("answered:", answered.structured_content)


running = threading.Thread(target=module.run)
running.start()
try:
    asyncio.run(agent())
finally:
    module.stop()
    running.join()
