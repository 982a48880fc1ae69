"""Two modules with typed handlers, in two threads here; each could be a process of its own on another machine.

Run it with `python examples/typed_modules.py`, or one of them with `claude-comm run examples/typed_modules.py:counter`.
"""

import threading

import msgspec

from claude_comm import Context, Module

WORDS = ["streams", "carry", "envelopes"]


class Word(msgspec.Struct):
    text: str


class Length(msgspec.Struct):
    text: str
    length: int


counter = Module("counter")
printer = Module("printer")
seen: list[Length] = []

counter.produces("length", Length, target="printer")


@counter.handles("word")
def measure(word: Word, context: Context) -> None:
    context.send("printer", Length(word.text, len(word.text)), type="length")


@printer.handles("length")
def show(length: Length, context: Context) -> None:
    print(f"{length.text}: {length.length}")
    seen.append(length)
    if len(seen) == len(WORDS):
        counter.stop()
        context.stop()


@printer.on_start
def feed(context: Context) -> None:
    for text in WORDS:
        context.send("counter", Word(text), type="word")


if __name__ == "__main__":
    threads = [threading.Thread(target=module.run) for module in (counter, printer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
