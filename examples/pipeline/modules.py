"""Four modules that know nothing of each other: sparta finds papers, marker reads them, arangodb keeps them, unsloth
writes examples to train on.

Each runs by itself, as in `claude-comm run modules:sparta`, in this folder.
"""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import msgspec

from claude_comm import Module

# Where arangodb and unsloth write.
WORK = Path(os.environ.get("PIPELINE_WORK", "work"))


class Wanted(msgspec.Struct):
    """What sparta is asked for: a paper by the name of its file."""

    folder: str
    name: str


class Paper(msgspec.Struct):
    pdf_path: str
    title: str


class File(msgspec.Struct):
    file_path: str


class Document(msgspec.Struct):
    title: str
    markdown: str


class Read(msgspec.Struct):
    document: Document


class Documents(msgspec.Struct):
    documents: list[Document]


class Stored(msgspec.Struct):
    collection: str
    keys: list[str]


class Dataset(msgspec.Struct):
    dataset_path: str
    examples: int


sparta, marker, arangodb, unsloth = Module("sparta"), Module("marker"), Module("arangodb"), Module("unsloth")


@sparta.handles()
def find(wanted: Wanted) -> Paper:
    """The paper's file, which must be there."""
    path = Path(wanted.folder) / wanted.name
    if not path.is_file():
        raise FileNotFoundError(f"there is no paper {path}")
    return Paper(str(path), path.stem.replace("-", " ").capitalize())


@marker.handles()
def read(file: File) -> Read:
    """The paper as Markdown."""
    markdown = _Markdown()
    markdown.feed(Path(file.file_path).read_text(encoding="utf-8"))
    return Read(Document(markdown.title, markdown.text()))


@arangodb.handles()
def store(batch: Documents) -> Stored:
    """Each document in a file of its own, by a key that is the same whenever it is stored again."""
    folder = WORK / "papers"
    folder.mkdir(parents=True, exist_ok=True)
    keys = []
    for document in batch.documents:
        key = document.title.lower().replace(" ", "-")
        (folder / f"{key}.json").write_bytes(msgspec.json.encode(document))
        keys.append(key)
    return Stored("papers", keys)


@unsloth.handles()
def train(stored: Stored) -> Dataset:
    """A file of examples, one for each paragraph."""
    lines = []
    for key in stored.keys:
        document = msgspec.json.decode((WORK / stored.collection / f"{key}.json").read_bytes(), type=Document)
        paragraphs = [part for part in document.markdown.split("\n\n") if part and not part.startswith("#")]
        lines += [json.dumps({"instruction": f"Write on {document.title}.", "output": part}) for part in paragraphs]
    path = WORK / f"{stored.keys[0]}.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Dataset(str(path), len(lines))


class _Markdown(HTMLParser):
    """Headings and paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self._tag = ""
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._tag = tag
        if tag in ("h1", "h2", "p"):
            self._parts.append({"h1": "# ", "h2": "## ", "p": ""}[tag])

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self.title = data
        elif self._tag in ("h1", "h2", "p"):
            self._parts[-1] += " ".join(data.split())

    def text(self) -> str:
        return "\n\n".join(self._parts)
