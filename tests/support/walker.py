"""What a search for a pattern walks, where nothing is remembered."""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.schema.regex import charset, parser

TOO_MUCH = 10_000


class Walker:
    """A matcher without memory that walks every path, and counts the characters it looks at."""

    def __init__(self, text: str) -> None:
        self.text, self.looks = text, 0

    def search(self, node: parser.Node) -> int:
        for start in range(len(self.text) + 1):
            for _ in self.ends(node, start):
                pass
        return self.looks

    def ends(self, node: parser.Node, at: int) -> Iterator[int]:
        match node:
            case parser.Set(chars=chars):
                self.looks += 1
                if self.looks > TOO_MUCH:
                    raise OverflowError
                if at < len(self.text) and charset.contains(chars, ord(self.text[at])):
                    yield at + 1
            case parser.Sequence(items=items):
                yield from self.chain(items, at)
            case parser.Choice(options=options):
                for option in options:
                    yield from self.ends(option, at)
            case parser.Repeat():
                yield from self.turns(node, at, 0)
            case parser.Assert(kind=kind):
                if (kind == "start" and at == 0) or (kind == "end" and at == len(self.text)):
                    yield at
            case parser.Look(wanted=wanted, body=body):
                if any(True for _ in self.ends(body, at)) == wanted:
                    yield at

    def chain(self, items: tuple[parser.Node, ...], at: int) -> Iterator[int]:
        if not items:
            yield at
            return
        for end in self.ends(items[0], at):
            yield from self.chain(items[1:], end)

    def turns(self, node: parser.Repeat, at: int, done: int) -> Iterator[int]:
        if node.maximum is None or done < node.maximum:
            for end in self.ends(node.item, at):
                if end > at or done < node.minimum:
                    yield from self.turns(node, end, done + 1)
                else:
                    yield end
        if done >= node.minimum:
            yield at
