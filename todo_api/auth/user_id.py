"""User ids: opaque strings of the identity provider, limited to what a path can carry and a database can store."""

import re
from typing import Any

MAX_LENGTH = 255
PATTERN = re.compile(f"[^/\x00\ud800-\udfff]{{1,{MAX_LENGTH}}}")
# The same limits for the document.
SCHEMA: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_LENGTH,
    "pattern": r"^[^/\u0000]*$",
    "examples": ["alice"],
}
PATH_PARAMETER: dict[str, Any] = {
    "in": "path",
    "name": "user_id",
    "description": "The owner: the token's subject, as the identity provider issued it, percent-encoded.",
    "schema": SCHEMA,
}
