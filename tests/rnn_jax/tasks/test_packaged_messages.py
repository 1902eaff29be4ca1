import gettext
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from rnn_jax.tasks import characters, packaged_files
from rnn_jax.tasks.packaged_messages import read_catalog, translations


@pytest.fixture
def django():
    spec = util.find_spec("django")
    if spec is None:
        pytest.skip("Django, which ships the messages, is not installed")
    return Path(spec.origin).parent


def test_a_catalog_says_what_the_standard_library_looks_up(django):
    file = django / "conf/locale/fr/LC_MESSAGES/django.mo"
    ours = read_catalog(file)
    with file.open("rb") as opened:
        theirs = gettext.GNUTranslations(opened)
    assert len(ours) > 200
    assert all(theirs.gettext(message) == translation for message, translation in ours.items())
    # None is passed over: theirs holds no message without plural or context that ours lacks.
    listed = {each for each in theirs._catalog if isinstance(each, str) and each and "\x04" not in each}
    assert listed == set(ours)


def test_a_file_that_is_no_catalog_is_refused(tmp_path):
    (tmp_path / "no.mo").write_bytes(b"\x95\x04\x12\xde" + bytes(30))
    with pytest.raises(ValueError, match=r"no\.mo is not a little-endian \.mo file"):
        read_catalog(tmp_path / "no.mo")


def test_languages_are_those_with_catalogs(django):
    assert translations("fr")["April"] == "avril"
    assert list(translations("fr")) == sorted(translations("fr"))
    with pytest.raises(
        ValueError, match="language must be one that Django has catalogs of, such as 'fr', got 'xx'"
    ):
        translations("xx")


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(packaged_files, "find_spec", lambda name: None)
    translations.cache_clear()
    with pytest.raises(
        ModuleNotFoundError, match=r"messages come with Django.*pip install 'rnn-jax-bench\[data\]'"
    ):
        translations("fr")


@pytest.mark.parametrize(
    "text", ["Réinitialisation du mot de passe", "a  b\n c\xa0: 100 %", "¿Olvidó su contraseña?"]
)
def test_text_survives_being_numbers(text):
    plain = characters.plain(text)
    assert characters.decoded(characters.encoded(text)) == plain
    for aligned in (characters.left_aligned, characters.right_aligned):
        assert characters.decoded(aligned([characters.encoded(text)], 60)[0]) == plain
    assert characters.encoded("aж") == [1, 0]
    assert len(set(characters.ALPHABET)) == len(characters.ALPHABET)


def test_texts_are_aligned_and_cut_after_their_first_characters():
    table = [[5, 6, 7, 8], [9]]
    np.testing.assert_array_equal(characters.right_aligned(table, 3), [[5, 6, 7], [-1, -1, 9]])
    np.testing.assert_array_equal(characters.left_aligned(table, 3), [[5, 6, 7], [9, -1, -1]])
