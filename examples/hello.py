"""The simple face: one module sends, another reads, both see how far the work is. Needs nothing running.

Run it with `python examples/hello.py`.
"""

from claude_comm import ModuleCommunicator

with ModuleCommunicator("sparta") as sparta, sparta.session("first-steps"):
    message_id = sparta.send_message("sparta", "marker", {"text": "Hello from SPARTA", "lines": 3})
    sparta.track_progress("greeting", completed=1, total=1)

with ModuleCommunicator("marker") as marker:
    newest = marker.get_messages("marker")[0]
    assert newest["id"] == message_id
    print(f"{newest['source']} says: {newest['data']['text']}")
    print(f"greeting: {marker.get_progress('greeting')['percentage']:.0f}%")
