"""Media playlists of subtitles (draft-pantos-hls-rfc8216bis, 3.1.4), made of those of the video that they are cut like.

A text segment or part has the number, the time and the epoch of the video's, so a text playlist says what the video's
says, low latency and all; only its files are others, and text needs no Media Initialization Section.
"""

from typing import Final

_MAPS: Final = ("#EXT-X-MAP:", "#EXT-X-PRELOAD-HINT:TYPE=MAP")
_REPORT: Final = '#EXT-X-RENDITION-REPORT:URI="../'


def text_playlist(video: str, query: str = "") -> str:
    """The playlist of text that is cut like a video rendition; `query` goes behind the addresses of segments."""
    return "\n".join(_line(line, query) for line in video.split("\n") if not line.startswith(_MAPS))


def _line(line: str, query: str) -> str:
    if line.startswith(_REPORT):
        return line.replace('"../', '"../../', 1)  # text is one folder deeper
    if line.endswith(".m4s"):
        return f"{line.removesuffix('.m4s')}.vtt{query}"
    return line.replace('.m4s"', f'.vtt{query}"', 1) if line.startswith("#EXT-X-P") else line
