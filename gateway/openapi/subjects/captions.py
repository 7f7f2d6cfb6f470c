"""Caption files."""

from typing import Final

from gateway.openapi.words import TEXT, TIME_MS, VIDEO, WHOLE, Schema, call, list_of, members

LANGUAGE: Final = {
    "name": "language",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "examples": ["en", "pt-BR"]},
    "description": "BCP 47",
}
LABEL: Final = {"name": "label", "in": "query", "schema": TEXT, "description": "What viewers read; else the language"}
KIND: Final = {
    "name": "kind",
    "in": "query",
    "schema": {"enum": ["captions", "subtitles"], "default": "captions"},
    "description": "captions tell sounds, too; subtitles are speech only",
}

SCHEMAS: Final[dict[str, Schema]] = {
    "CaptionFile": members(
        language=TEXT, label=TEXT, kind={"enum": ["captions", "subtitles"]}, bytes=WHOLE, uploaded_ms=TIME_MS, url=TEXT
    ),
    "CaptionFiles": members(captions=list_of("CaptionFile")),
    "NewCaptions": members(language=TEXT, label=TEXT, kind={"enum": ["captions", "subtitles"]}, bytes=WHOLE),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/captions": {
        "get": call("The caption files of the video", VIDEO, answers={"200": "CaptionFiles"}, problems=(404, 503))
    },
    "/v1/videos/{video}/captions/{language}": {
        "put": call(
            "Give the video captions: WebVTT or SubRip, at most 512 KiB",
            VIDEO,
            LANGUAGE,
            LABEL,
            KIND,
            answers={"200": "NewCaptions", "201": "NewCaptions"},
            problems=(400, 401, 404, 408, 409, 413, 422, 503),
            security="streamKey",
        )
        | {"requestBody": {"required": True, "content": {"text/vtt": {}, "application/x-subrip": {}}}},
        "delete": call(
            "Take them away",
            VIDEO,
            LANGUAGE,
            answers={"204": None},
            problems=(400, 401, 404, 503),
            security="streamKey",
        ),
    },
    "/v1/videos/{video}/captions/{language}.vtt": {
        "get": call("A caption file as WebVTT", VIDEO, LANGUAGE, answers={"200": None}, problems=(404,))
    },
}
