"""A picture to draw bars, lines and small capitals on, written as PNG with what Python brings."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

Colour = tuple[int, int, int]

INK, GRID, PAPER = (40, 40, 48), (222, 222, 228), (255, 255, 255)

_FONT = """
0 75557 1 26227 2 71747 3 71717 4 55711 5 74717 6 74757 7 71122 8 75757 9 75717
A 25755 B 65656 C 34443 D 65556 E 74647 F 74644 G 34553 H 55755 I 72227 J 11152 K 55655 L 44447
M 57755 N 65555 O 25552 P 65644 Q 25573 R 65655 S 34216 T 72222 U 55557 V 55522 W 55775 X 55255
Y 55222 Z 71247 _ 00007 . 00002 / 11244 % 51245 - 00700 : 02020 + 02720 ( 12221 ) 42224
"""
GLYPHS = dict(re.findall(r"(\S) (\d{5})", _FONT))
"""Five rows of three dots, each row an octal digit."""

WIDE, HIGH = 4, 6


class Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = bytearray(bytes(PAPER) * (width * height))

    def box(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        left, right = max(0, x), min(self.width, x + width)
        row = bytes(colour) * max(0, right - left)
        for line in range(max(0, y), min(self.height, y + height)):
            start = 3 * (line * self.width + left)
            self._dots[start : start + len(row)] = row

    def line(self, x: int, y: int, to_x: int, to_y: int, colour: Colour) -> None:
        """Two dots thick."""
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for n in range(steps + 1):
            self.box(x + (to_x - x) * n // steps, y + (to_y - y) * n // steps, 2, 2, colour)

    def text(self, x: int, y: int, text: str, colour: Colour = INK, size: int = 2) -> None:
        """Capitals; what the font lacks is left blank."""
        for n, letter in enumerate(text.upper()):
            for row, digit in enumerate(GLYPHS.get(letter, "00000")):
                for column in range(3):
                    if int(digit, 8) & (4 >> column):
                        left = x + (n * WIDE + column) * size
                        self.box(left, y + row * size, size, size, colour)

    def save(self, file: Path) -> None:
        stride = 3 * self.width
        rows = b"".join(
            b"\0" + self._dots[n : n + stride] for n in range(0, len(self._dots), stride)
        )
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A piece of a PNG: length, kind, body, check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text_width(text: str, size: int = 2) -> int:
    return len(text) * WIDE * size
