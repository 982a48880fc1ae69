"""The dialects by their numbers in jsonschema_rs.

Apart from `dialect`: whoever only asks which dialect a schema speaks does not load that library.
"""

from __future__ import annotations

import jsonschema_rs

from claude_comm.schema.dialect import Dialect

NUMBER: dict[Dialect, int] = {
    "draft2020-12": jsonschema_rs.Draft202012,
    "draft2019-09": jsonschema_rs.Draft201909,
    "draft7": jsonschema_rs.Draft7,
    "draft6": jsonschema_rs.Draft6,
    "draft4": jsonschema_rs.Draft4,
}
