"""What a file adds to its entry's terms, and that taking it away leaves the entry's own."""

from hypothesis import given
from hypothesis import strategies as st

from memory.file_terms import MOST_FILE_TERMS, MOST_TERMS_OF_FILES, file_terms, terms_in, with_files
from memory.lexical import LABEL_WEIGHT, entry_terms

OWN = entry_terms("레디스 만료", "개발", "redis expires keys")


def test_a_file_is_found_by_its_name_and_its_text() -> None:
    made = with_files(OWN, [file_terms("budget.pdf", "a zeppelin"), file_terms("b", None)])
    assert made.weights["zeppelin"] == 1
    assert made.weights["budget"] == LABEL_WEIGHT
    assert made.weights["redi"] == OWN.weights["redi"]
    assert (made.category, made.length) == (OWN.category, OWN.length)


def test_without_files_an_entry_has_its_own_terms() -> None:
    assert with_files(OWN, []) == OWN


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=200)), max_size=4))
def test_files_add_up(files: list[tuple[str, str]]) -> None:
    made = with_files(OWN, [file_terms(name, text) for name, text in files])
    apart = [entry_terms(name, "", text) for name, text in files]
    assert made.length == OWN.length
    for term, weight in made.weights.items():
        of_files = sum(one.weights.get(term, 0) for one in apart)
        assert weight == OWN.weights.get(term, 0) + of_files


def test_terms_are_bounded_to_those_said_most_often() -> None:
    many = "often often " + " ".join(f"w{number}x" for number in range(MOST_FILE_TERMS + 5_000))
    kept = with_files(OWN, [file_terms("f", many)])
    assert kept.weights["often"] == 2
    assert len(terms_in(file_terms("f", many))) == MOST_FILE_TERMS
    assert terms_in(None) == set()
    assert len(kept.weights) <= MOST_FILE_TERMS + len(OWN.weights)
    other = [file_terms(str(n), many.replace("w", f"v{n}")) for n in range(3)]
    whole = with_files(OWN, other).weights
    assert MOST_TERMS_OF_FILES <= len(whole) <= MOST_TERMS_OF_FILES + len(OWN.weights)
    assert whole.keys() >= OWN.weights.keys()
