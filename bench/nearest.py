"""What somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one and all others; empty if there is none."""
    words = list(known)
    close = get_close_matches(word, words, n=1, cutoff=0.55)
    listing = f" (one of {', '.join(words)})" if words else ""
    return f"; did you mean {close[0]!r}?{listing}" if close else listing
