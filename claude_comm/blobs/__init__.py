"""Large payloads: kept as verified chunks beside the streams, named in messages by their manifest.

    blobs = BlobStore()
    publisher.publish("marker", {"document": blobs.put_file("scan.pdf")})

and in the handler, whose payload has a field `document: Manifest`:

    blobs.open(payload.document).save("copy.pdf")
"""

from claude_comm.blobs.files import BlobStore, open_blob
from claude_comm.blobs.manifest import Manifest
from claude_comm.blobs.transfer import Blob

__all__ = ["Blob", "BlobStore", "Manifest", "open_blob"]
