"""What was chosen lately: by owner and content, and no more of it than its bound."""

from tools.choices import Choices


def test_the_oldest_choice_goes_first() -> None:
    choices = Choices(kept=2)
    for content in ("하나", "둘", "셋"):
        assert choices.keep("me", content, f"{content} 분류") == f"{content} 분류"
    assert choices.of("me", "하나") is None
    assert choices.of("me", "둘!") == "둘 분류"
    assert choices.keep("me", "셋", "다른 분류") == "셋 분류"
    assert choices.of("you", "셋") is None


def test_neither_owner_nor_content_is_kept() -> None:
    choices = Choices()
    choices.keep("somebody", "a secret content", "Notes")
    assert "somebody" not in repr(vars(choices))
    assert "secret" not in repr(vars(choices))
