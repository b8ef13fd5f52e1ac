"""Which entries come first, from their postings alone."""

from memory.ranking import COMMON_CANDIDATES, MOST_TERMS, READ_AT_MOST, Ranking, Statistics, rarity

ARCHIVE = Statistics(entries=1_000, mean_length=20)


def order(ranking: Ranking) -> list[int]:
    return [one.entry for one in ranking.best()]


def test_a_rare_term_tells_more_than_a_common_one() -> None:
    ranking = Ranking({"rare": 2, "common": 900}, ARCHIVE)
    ranking.add("rare", [(1, 1, 20)])
    ranking.add("common", [(2, 1, 20), (1, 1, 20)])
    assert order(ranking)[0] == 1
    assert ranking.found_in([1, 2]) == {1: {"rare", "common"}, 2: {"common"}}


def test_more_weight_and_less_length_come_first_and_of_equals_the_newer() -> None:
    ranking = Ranking({"term": 10}, ARCHIVE)
    ranking.add("term", [(1, 1, 20), (2, 4, 20), (3, 1, 200), (4, 1, 20)])
    assert order(ranking) == [2, 4, 1, 3]


def test_what_is_far_below_the_best_is_not_found() -> None:
    ranking = Ranking({"rare": 1, "everywhere": 999}, ARCHIVE)
    ranking.add("rare", [(1, 1, 20)])
    ranking.add("everywhere", [(1, 1, 20), (2, 1, 20)])
    assert order(ranking) == [1]


def test_common_terms_only_add_to_candidates_of_rare_ones() -> None:
    ranking = Ranking({"rare": 5, "often": READ_AT_MOST, "always": 5 * READ_AT_MOST}, ARCHIVE)
    assert ranking.rare == ["rare"]
    assert ranking.common == ["often", "always"]


def test_common_terms_alone_find_too() -> None:
    ranking = Ranking({"always": 5 * READ_AT_MOST}, ARCHIVE)
    assert ranking.rare == ["always"]


def test_a_long_query_is_asked_by_its_rarest_terms() -> None:
    ranking = Ranking({f"term{number}": number + 1 for number in range(300)}, ARCHIVE)
    assert len(ranking.rare) == MOST_TERMS
    assert "term0" in ranking.rare
    assert "term299" not in ranking.rare


def test_only_the_best_are_looked_up_for_common_terms() -> None:
    ranking = Ranking({"term": 500}, ARCHIVE)
    ranking.add("term", [(number, 1 + number % 2, 20) for number in range(500)])
    candidates = ranking.candidates()
    assert len(candidates) == COMMON_CANDIDATES
    assert all(number % 2 for number in candidates)


def test_kept_entries_are_all_that_is_found() -> None:
    ranking = Ranking({"term": 3}, ARCHIVE)
    ranking.add("term", [(1, 1, 20), (2, 1, 20), (3, 1, 20)])
    ranking.keep([entry for entry in ranking.seen() if entry != 2])
    assert order(ranking) == [3, 1]


def test_rarity_is_never_negative() -> None:
    assert rarity(1_000, 1_000) >= 0.0
    assert rarity(1_010, 1_000) >= 0.0
    assert rarity(1, 1_000) > rarity(500, 1_000)
