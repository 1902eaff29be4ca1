"""Text as numbers: one alphabet for the languages of western Europe."""

from collections.abc import Sequence

import numpy as np

OTHER = "\ufffd"
_LETTERS = "abcdefghijklmnopqrstuvwxyzßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœ"
_SIGNS = " 0123456789.,:;!?¡¿'\"’‘“”„«»()[]{}<>/\\|%_-–—…=+*&#@`~^$·°"
ALPHABET = OTHER + _LETTERS + _SIGNS
"""Every character has its place here as its number; number 0 stands for all others."""
NOTHING = -1
"""The number of a step without a character: its one-hot is all zeros."""
_NUMBERS = {character: number for number, character in enumerate(ALPHABET)}


def plain(text: str) -> str:
    """The text in lower case, every run of white space (line breaks, no-break spaces) as one blank."""
    return " ".join(text.lower().split())


def encoded(text: str) -> list[int]:
    """The number of each character of `plain(text)`."""
    return [_NUMBERS.get(character, 0) for character in plain(text)]


def decoded(numbers: Sequence[int] | np.ndarray) -> str:
    """The text of these numbers, without the steps that have no character."""
    return "".join(ALPHABET[number] for number in numbers if 0 <= number < len(ALPHABET))


def right_aligned(texts: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """The first `length` numbers of each text, its last one in the last column; int32, (texts, length)."""
    table = np.full((len(texts), length), NOTHING, np.int32)
    for row, numbers in zip(table, texts, strict=True):
        kept = list(numbers[:length])
        if kept:
            row[length - len(kept) :] = kept
    return table


def left_aligned(texts: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Likewise, its first number in the first column."""
    table = np.full((len(texts), length), NOTHING, np.int32)
    for row, numbers in zip(table, texts, strict=True):
        kept = list(numbers[:length])
        row[: len(kept)] = kept
    return table
