"""The letters of line-21 captions (CTA-608-E, tables 5 to 10)."""

from typing import Final

# ruff: noqa: RUF001  (the letters are meant)

_BASIC: Final = {0x27: "’", 0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú"} | {
    0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ", 0x7E: "ñ", 0x7F: "█",
}  # fmt: skip

TRANSPARENT: Final = "\0"
"""Stands for the space that shows the picture."""

SPECIAL: Final = "®°½¿™¢£♪à" + TRANSPARENT + "èâêîôû"
"""Second bytes 0x30 to 0x3F behind 0x11."""

EXTENDED: Final = ("ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»", "ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤│ÅåØø┌┐└┘")
"""Second bytes 0x20 to 0x3F behind 0x12 and behind 0x13; each takes the place of the letter before it."""


def basic(code: int) -> str:
    """The letter of a byte from 0x20 to 0x7F."""
    return _BASIC.get(code) or chr(code)
