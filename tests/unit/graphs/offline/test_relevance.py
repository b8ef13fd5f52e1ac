"""How much of a question a text has to do with."""

import pytest

from graphs.offline.relevance import coverage, is_relevant, key_words


@pytest.mark.parametrize("asked", ["\u0301", "\u0300 \u0302", ""])
def test_a_question_without_a_letter_is_about_nothing(asked: str) -> None:
    assert key_words(asked) == []
    assert coverage(key_words(asked), "토마토 \u0301") == 0.0
    assert not is_relevant(asked, "토마토 \u0301")
