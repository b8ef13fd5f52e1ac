"""Made-up notes and questions for measuring: words as frequent as in any language (Zipf)."""

import random
from itertools import accumulate

PARTICLES = ["은", "는", "이", "가", "을", "를", "에", "에서", "의", "와", "로", "", ""]
SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4, 37)][:250]
LETTERS = [one + other for one in "bcdfghjklmnprstvwz" for other in "aeiou"]


class Notes:
    """The same notes and questions for the same seed, half Korean, half in Latin letters."""

    def __init__(self, seed: int, vocabulary: int = 30_000) -> None:
        chance = self._chance = random.Random(seed)
        words = range(vocabulary)
        self._korean = [
            "".join(chance.choices(SYLLABLES, k=chance.choice((2, 2, 3, 4)))) for _ in words
        ]
        self._latin = [
            "".join(chance.choices(LETTERS, k=chance.choice((2, 3, 3, 4)))) for _ in words
        ]
        self._shares = list(accumulate(1 / (rank + 3) for rank in words))

    def note(self) -> str:
        """About 40 words, 200 characters."""
        return self._text(max(5, int(self._chance.gauss(40, 15))))

    def question(self) -> str:
        return self._text(self._chance.randint(2, 8))

    def _text(self, count: int) -> str:
        korean = self._chance.random() < 0.5
        words = self._korean if korean else self._latin
        chosen = self._chance.choices(words, cum_weights=self._shares, k=count)
        if korean:
            chosen = [word + self._chance.choice(PARTICLES) for word in chosen]
        return " ".join(chosen)
