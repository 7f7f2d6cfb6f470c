"""The base of everything that `media` raises."""


class MediaError(ValueError):
    """Bytes, a number or an order of events that a format or protocol does not allow.

    Each module has one class below this. The message says what was expected and what was found.
    """
