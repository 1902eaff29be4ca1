"""Messages and their translations, from the gettext catalogs that Django ships: nothing is downloaded."""

import struct
from functools import cache
from pathlib import Path

from rnn_jax.tasks.packaged_files import package_folder

DISTRIBUTION = "Django"
_MAGIC = 0x950412DE
_CONTEXT, _PLURAL = "\x04", "\x00"


def read_catalog(path: Path) -> dict[str, str]:
    """Message and translation of every entry of a little-endian .mo file in UTF-8.

    The standard library's reader looks messages up but does not list them. Entries with a plural or a context,
    the heading, and those without a translation are left out.

    Raises:
        ValueError: it is no such file.

    References:
        GNU gettext manual, The Format of GNU MO Files.
    """
    content = path.read_bytes()
    if len(content) < 20 or struct.unpack_from("<I", content)[0] != _MAGIC:
        raise ValueError(f"{path} is not a little-endian .mo file")
    count, messages, translations = struct.unpack_from("<3I", content, 8)

    def text(table: int, number: int) -> str:
        length, offset = struct.unpack_from("<2I", content, table + 8 * number)
        return content[offset : offset + length].decode()

    pairs = ((text(messages, number), text(translations, number)) for number in range(count))
    return {
        message: translation
        for message, translation in pairs
        if message and translation and _PLURAL not in message and _CONTEXT not in message
    }


@cache
def translations(language: str) -> dict[str, str]:
    """English message and its translation, over all of Django's catalogs of a language, sorted by message.

    Of a message with several translations the one in the first catalog counts, by path.

    Args:
        language: as Django's folders are called, such as "fr".

    Raises:
        ModuleNotFoundError: Django is not installed.
        ValueError: it has no catalog of that language.
    """
    root = package_folder("django", DISTRIBUTION, "messages")
    files = sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/*.mo"))
    if not files:
        raise ValueError(f"language must be one that Django has catalogs of, such as 'fr', got {language!r}")
    found: dict[str, str] = {}
    for file in files:
        for message, translation in read_catalog(file).items():
            found.setdefault(message, translation)
    return dict(sorted(found.items()))
