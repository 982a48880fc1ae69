"""A file of any size, sent and read without having it in memory.

Run it with `python examples/large_files.py`. Above 256 KiB a payload goes through the store of the home
(`docs/large-payloads.md`).
"""

import tempfile
import threading
from pathlib import Path

from claude_comm import Module, Publisher
from claude_comm.blobs import Blob

archive = Module("archive")


@archive.handles("scan")
def keep(scan: Blob) -> int:
    with scan.open() as file:
        first = file.read(8)
    print(f"{scan.name}: {scan.size:,} bytes, which begin with {first!r}")
    archive.stop()
    return scan.size


if __name__ == "__main__":
    thread = threading.Thread(target=archive.run)
    thread.start()
    with tempfile.TemporaryDirectory() as folder, Publisher("scanner") as scanner:
        path = Path(folder) / "scan.bin"
        path.write_bytes(b"%SCAN-1\n" + bytes(5_000_000))
        scanner.send_file("archive", path, type="scan")
        thread.join()
