"""Labels, categories, titles and summaries by extraction, in both languages."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.offline.structured import fill
from graphs.offline.topics import TOPICS
from memory.text import grapheme_count, language, words

LABELS = [
    ("redis TTL은 3600초로 설정했다.", "redis TTL은 3600초로 설정했다"),
    ("Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 메모리가 찼을 때 오래된 키부터 지운다.",
     "Redis의 maxmemory-policy"),
    ("# 주간 회의록\n\n배포는 금요일로 미뤘다.", "주간 회의록"),
    ("내 생일은 3월 5일이야", "내 생일은 3월 5일이야"),
    ("The staging database password rotates on the first Monday of each month.",
     "staging database password"),
    ("## Weekly notes\n\n- we met\n- we left", "Weekly notes"),
    ("- [ ] buy milk", "buy milk"),
    ("https://github.com/langchain-ai/langgraph/pull/4821", "github.com/langchain-ai"),
    ("**Note:** the door code is 4411", "door code is 4411"),
    ("회의 (주간)", "회의 (주간)"),
    ("(중요) 회의록 정리 문서", "(중요) 회의록 정리 문서"),
    ("foo(bar)", "foo(bar)"),
    ("배열 a[0].", "배열 a[0]"),
    ('"quoted" text about "redis"', '"quoted" text about "redis"'),
    ('{"a":1}', '"a":1'),
    ("((all) of it).", "(all) of it"),
    ("“whole”, said he", "“whole”, said he"),
    ("don't say 'maybe'", "don't say 'maybe'"),
    ("Let's meet (room 4", "Let's meet (room 4"),
    ("meet in room 4)", "meet in room 4"),
]  # fmt: skip

NOISE = [
    *("", "   \n\t", "42", "3.14", "ㅋㅋㅋㅋㅋㅋ", "aaaaaaaaaaaa", "!!!", "\x00\x01\x02\x03"),
    "d41d8cd98f00b204e9800998ecf8427e",
    "k3J9x0Qm2Lz8Rt5Vb7Nw1Yp4Hs6Dg0Fa",
]

PIECES = [
    *"redis 만료는 3600초로 정했다. The server restarts 매일 밤, 김치찌개 recipe: 20분 # -".split(),
    *"그리고 and maxmemory-policy를 allkeys-lru로 https://example.com/a/b 👍 (주의)".split(),
]

CATEGORIES = [
    ("redis TTL은 3600초로 설정했다.", "데이터베이스", "Databases"),
    ("김치찌개는 묵은지를 먼저 볶다가 쌀뜨물을 붓고 20분 끓인다.", "요리", "Recipes"),
    ("Simmer the stew for 20 minutes, add garlic and salt.", "Recipes", "요리"),
    ("My flight to Berlin leaves at 9; the hotel is booked.", "Travel", "여행"),
    ("The wifi password is tomato1234", "Accounts", "계정"),
    ("내일 회의 안건은 분기 보고서다.", "업무", "Meetings"),
    ("kubectl rollout restart deployment/api -n prod", "Infrastructure", "배포"),
]


def ask(schema: str, **data: object) -> Any:
    return json.loads(fill(schema, json.dumps(data)))


@pytest.mark.parametrize(("content", "label"), LABELS)
def test_labels_are_taken_from_the_content(content: str, label: str) -> None:
    assert ask("LabelDraft", content=content) == {
        "summarizable": True,
        "label": label,
        "reason": "",
    }


@pytest.mark.parametrize("content", NOISE)
def test_noise_has_no_label_but_a_reason(content: str) -> None:
    draft = ask("LabelDraft", content=content)
    assert not draft["summarizable"]
    assert draft["label"] == ""
    assert draft["reason"].endswith(".")


def test_the_reason_is_in_the_language_of_the_content() -> None:
    assert language(ask("LabelDraft", content="ㅋㅋㅋㅋㅋㅋㅋㅋ")["reason"]) in ("ko", "en")
    assert language(ask("LabelDraft", content="가가가가가가가가")["reason"]) == "ko"
    assert language(ask("LabelDraft", content="aaaaaaaaaaaa")["reason"]) == "en"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_content_has_a_whole_label_or_none(content: str) -> None:
    draft = ask("LabelDraft", content=content)
    if draft["summarizable"]:
        label = draft["label"]
        assert 1 <= grapheme_count(label) <= 30
        assert len(label.splitlines()) == 1
        assert set(words(label)) <= set(words(label + " " + content))
    assert draft == ask("LabelDraft", content=content)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(PIECES),
        min_size=1,
        max_size=30,
    )
)
def test_a_label_holds_no_word_that_its_content_does_not(pieces: list[str]) -> None:
    content = " ".join(pieces)
    label = ask("LabelDraft", content=content)["label"]
    plain = "".join(words(content))
    assert all(word in plain for word in words(label))


@pytest.mark.parametrize(("content", "new", "other"), CATEGORIES)
def test_categories(content: str, new: str, other: str) -> None:
    assert ask("CategoryDraft", content=content, categories=[])["category"] == new
    known = ["메모", "Notes", "아무거나", other]
    assert ask("CategoryDraft", content=content, categories=known)["category"] == other
    # What was chosen once is chosen again.
    again = ask("CategoryDraft", content=content, categories=["Notes", new])
    assert again["category"] == new


def test_a_category_of_the_persons_own_name_is_found_in_the_content() -> None:
    known = ["Notes", "Tomato 프로젝트", "Berlin"]
    draft = ask("CategoryDraft", content="Dinner in Berlin was good", categories=known)
    assert draft["category"] == "Berlin"


def test_what_no_topic_tells_of_is_a_note() -> None:
    assert ask("CategoryDraft", content="그냥 그런 느낌", categories=[])["category"] == "메모"
    assert ask("CategoryDraft", content="just so", categories=[])["category"] == "Notes"
    assert ask("CategoryDraft", content="just so", categories=["메모"])["category"] == "메모"


def test_no_two_topics_have_a_name_in_common() -> None:
    names = [
        name for topic in TOPICS for name in {one.casefold() for one in (*topic.ko, *topic.en)}
    ]
    assert len(names) == len(set(names))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=5))
def test_any_content_has_a_category(content: str, known: list[str]) -> None:
    first = ask("CategoryDraft", content=content, categories=known)["category"]
    assert first in known or (first.strip() and grapheme_count(first) <= 40)
    if first not in known:
        again = ask("CategoryDraft", content=content, categories=[*known, first])
        assert again["category"] == first


def said(*contents: str) -> list[dict[str, str]]:
    """A conversation whose sides take turns, the person first."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]


@pytest.mark.parametrize(
    ("conversation", "title"),
    [
        (said("이거 저장해줘: redis 만료는 3600초"), "redis 만료는 3600초"),
        (said("내가 저장한 redis 만료 메모 찾아줘"), "redis 만료"),
        (said("안녕", "안녕하세요", "파이썬 비동기 배우고 싶어"), "파이썬 비동기 배우고 싶어"),
        (said("how do I save a file in vim?"), "how do I save a file in vim"),
        (said("what did I save about the door code?"), "door code"),
        (said("안녕하세요"), "인사"),
        (said("hi"), "Greeting"),
        (said("list my notes"), "Saved entries"),
    ],
)
def test_titles(conversation: list[dict[str, str]], title: str) -> None:
    assert ask("RoomTitle", conversation=conversation)["title"] == title


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=120), max_size=4))
def test_a_title_is_one_short_line(contents: list[str]) -> None:
    title = ask("RoomTitle", conversation=said(*contents))["title"]
    assert 1 <= grapheme_count(title) <= 40
    assert len(title.splitlines()) == 1


TALK = said(
    "안녕하세요",
    "안녕하세요! 무엇을 도와드릴까요?",
    "redis 만료는 3600초로 하기로 결정했어. 담당자는 김민수야. 음 그렇지 뭐.",
    "알겠습니다. 좋은 선택이네요.",
    "배포는 11월 27일 금요일이야",
    "네, 기억하겠습니다.",
)


def test_a_summary_keeps_decisions_names_and_numbers() -> None:
    summary = ask("RollingSummary", summary=None, conversation=TALK, max_characters=400)["summary"]
    for fact in ("3600초", "결정", "김민수", "11월 27일"):
        assert fact in summary
    assert "사용자" in summary
    assert "도와드릴까요" not in summary


def test_a_summary_goes_on_from_the_old_one() -> None:
    old = "- The person: my name is Jane and I live in Oslo.\n- The person: small things happened."
    talk = said("We decided to use Postgres 17.", "Fine.", "The deadline is May 3.")
    summary = ask("RollingSummary", summary=old, conversation=talk, max_characters=160)["summary"]
    assert "Jane" in summary
    assert "Postgres 17" in summary
    assert len(summary) <= 160
    assert summary.index("Jane") < summary.index("Postgres")


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.none(), st.text(max_size=300)),
    st.lists(st.text(max_size=200), max_size=6),
    st.integers(1, 500),
)
def test_a_summary_stays_within_its_bound(old: str | None, contents: list[str], most: int) -> None:
    asked = {"summary": old, "conversation": said(*contents), "max_characters": most}
    summary = ask("RollingSummary", **asked)["summary"]
    assert len(summary) <= most
    assert summary == ask("RollingSummary", **asked)["summary"]


@pytest.mark.parametrize("schema", ["LabelDraft", "CategoryDraft", "RoomTitle", "RollingSummary"])
@pytest.mark.parametrize(
    "asked",
    ["", "not json", "[]", "null", "{}", "3", "[" * 5000, '{"content": 3, "categories": 4}',
     '{"conversation": 5, "max_characters": "x", "summary": []}',
     '{"conversation": [1, {"role": 2}], "categories": [1, null]}', '"\\ud800"'],
)  # fmt: skip
def test_what_is_malformed_is_answered_too(schema: str, asked: str) -> None:
    assert isinstance(json.loads(fill(schema, asked)), dict)
