"""How much of a model's context a text takes, estimated without any model's tables. Pure."""

PER_MESSAGE = 4
"""Tokens that a message costs beside its text."""


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` is: a quarter of its UTF-8 bytes.

    English has near four bytes a token, Hangul three bytes a character and somewhat fewer than
    one token each, so that one rule serves both without a table to download.
    """
    return (len(text.encode("utf-8", "surrogatepass")) + 3) // 4
