"""The letters of DTV captions (CTA-708-E, clause 7.1): code sets G0 to G3."""

from typing import Final

# ruff: noqa: RUF001  (the letters are meant)

TRANSPARENT: Final = "\0"
"""Stands for the spaces that show the picture."""

_G2: Final = {
    0x20: TRANSPARENT, 0x21: TRANSPARENT, 0x25: "…", 0x2A: "Š", 0x2C: "Œ", 0x30: "█", 0x31: "‘", 0x32: "’", 0x33: "“",
    0x34: "”", 0x35: "•", 0x39: "™", 0x3A: "š", 0x3C: "œ", 0x3D: "℠", 0x3F: "Ÿ", 0x76: "⅛", 0x77: "⅜", 0x78: "⅝",
    0x79: "⅞", 0x7A: "│", 0x7B: "┐", 0x7C: "└", 0x7D: "─", 0x7E: "┘", 0x7F: "┌",
}  # fmt: skip
UNKNOWN: Final = "_"
"""What a decoder shows for a letter that the standard has not given out (7.1.8)."""


def basic(code: int) -> str:
    """The letter of a byte of G0 (0x20 to 0x7F) or G1 (0xA0 to 0xFF, Latin 1)."""
    return "♪" if code == 0x7F else chr(code)


def extended(code: int) -> str:
    """The letter of a byte behind EXT1: G2 (0x20 to 0x7F) or G3 (0xA0 to 0xFF)."""
    return "[CC]" if code == 0xA0 else _G2.get(code, UNKNOWN)
