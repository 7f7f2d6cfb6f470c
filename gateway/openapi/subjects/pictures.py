"""Frames, posters and thumbnails."""

from typing import Final

from gateway.frame_request import LONGEST_S, OFFERED
from gateway.openapi.words import VIDEO, Schema, file, query
from media.stills import LEAST_WIDTH, MOST_WIDTH

SHEET: Final = {
    "name": "sheet",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
}
WIDTH: Final = query(
    "width", "Pixels; the aspect is kept, nothing is enlarged", type="integer", minimum=LEAST_WIDTH, maximum=MOST_WIDTH
)
FRAME: Final = (
    query("offset", "Seconds, HH:MM:SS.mmm, or either after a minus: from the live edge", type="string"),
    query("deviceType", "The device that it is for: chooses the rendition", type="string"),
    WIDTH,
    query("exact", "The picture itself, not the nearest keyframe", type="boolean", default=False),
    query("duration", "Seconds of media in a video/mp4", type="number", exclusiveMinimum=0, maximum=LONGEST_S),
)

SCHEMAS: Final[dict[str, Schema]] = {}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/frame": {
        "get": file("A frame, or media from it on", VIDEO, *FRAME, types=OFFERED, problems=(400, 404, 406, 416, 503))
    },
    "/v1/videos/{video}/poster.jpg": {
        "get": file("The poster", VIDEO, WIDTH, types=("image/jpeg",), problems=(400, 404, 503))
    },
    "/v1/videos/{video}/thumbnails.vtt": {
        "get": file("Where the preview thumbnails are", VIDEO, types=("text/vtt",), problems=(404, 503))
    },
    "/v1/videos/{video}/sprites/{sheet}.jpg": {
        "get": file("A sheet of thumbnails", VIDEO, SHEET, types=("image/jpeg",), problems=(400, 404, 503))
    },
}
