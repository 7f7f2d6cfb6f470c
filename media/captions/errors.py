"""The base of everything that `media.captions` raises."""

from media.errors import MediaError


class CaptionsError(MediaError):
    """Bytes or text that are no captions, or that exceed a limit; says what was expected and found."""
