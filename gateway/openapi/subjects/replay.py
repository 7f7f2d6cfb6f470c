"""What happened at a position of a recorded video."""

from typing import Final

from gateway.openapi.words import COUNTS, TEXT, TIME_MS, VIDEO, WHOLE, Schema, call, list_of, members, query

NUMBER: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**53}

SCHEMAS: Final[dict[str, Schema]] = {
    "Burst": members(
        at_ms={**TIME_MS, "description": "Wall clock at which the moment begins"},
        likes={"type": "integer", "description": "More likes than before; below 0: some were taken back"},
        reactions={**COUNTS, "description": "How many of each kind came"},
    ),
    "Bursts": members(moment_ms={**WHOLE, "description": "How long a moment is"}, bursts=list_of("Burst")),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/bursts": {
        "get": call(
            "Reactions and likes by position: what came in each few seconds of at most an hour",
            VIDEO,
            query("from_ms", "Wall clock of the picture", **NUMBER) | {"required": True},
            query("to_ms", "Before this", **NUMBER) | {"required": True},
            {"name": "If-None-Match", "in": "header", "schema": TEXT},
            answers={"200": "Bursts", "304": None},
            problems=(400, 404, 429, 503),
        )
    }
}
