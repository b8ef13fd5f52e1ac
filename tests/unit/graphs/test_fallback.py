"""What the person is told when no model has words for it."""

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from graphs.fallback import plain_answer
from graphs.repetition import REPEATED

FOUND = {
    "en": "I could not finish the answer, but this is what I found:",
    "ko": "답변을 끝내지 못했지만, 여기까지 찾았습니다:",
}
ASKED = {"en": "What did I note about the garden?", "ko": "정원에 대해 뭘 적어 뒀지?"}
NOTHING = {"en": "I could not find an answer", "ko": "답을 찾지 못했습니다"}
CARD = '{"id":"entry_1","label":"토마토 {물} 주기","category":"정원"}'


def turn(*texts: str) -> list[AnyMessage]:
    return [ToolMessage(text, tool_call_id=f"call_{place}") for place, text in enumerate(texts)]


@pytest.mark.parametrize("spoken", ["en", "ko"])
@pytest.mark.parametrize(
    "text",
    [
        *('{"found":[]}', '{"categories":[],"entries":[],"more":false}', "{}", "[]", " "),
        *('{"entry":{"content":"물은 아침에 준', REPEATED + '{"found":[]}'),
    ],
)
def test_an_empty_result_is_nothing_found(spoken: str, text: str) -> None:
    assert NOTHING[spoken] in plain_answer(ASKED[spoken], turn(text))
    said = [AIMessage("I am looking."), *turn(text)]
    assert plain_answer(ASKED[spoken], said) == "I am looking."


@pytest.mark.parametrize("spoken", ["en", "ko"])
@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (['{"found":[]}', f'{{"found":[{CARD}]}}'], ["토마토 {물} 주기"]),
        ([f'{{"found":[{CARD}]}}', f'{{"entry":{CARD}}}'], ["토마토 {물} 주기"]),
        ([f'{{"categories":[{{"name":"정원","count":1}}],"entries":[{CARD}],"more":true}}'],
         ["토마토 {물} 주기"]),
        (['{"category":"정원","exists":true}'], ["정원"]),
        (["Water in the\nmorning", "Water in the\nmorning"], ["Water in the morning"]),
        (["42", "[1] the first"], ["42", "[1] the first"]),
        ([str(number) for number in range(9)], ["6", "7", "8"]),
    ],
)  # fmt: skip
def test_what_was_found_is_told_once_and_readably(
    spoken: str, texts: list[str], lines: list[str]
) -> None:
    told = plain_answer(ASKED[spoken], turn(*texts))
    assert told.split("\n") == [FOUND[spoken], *(f"- {line}" for line in lines)]


def test_what_was_done_to_an_entry_is_told() -> None:
    texts = (f'{{"deleted":{CARD}}}', f'{{"saved":{CARD}}}')
    assert plain_answer(ASKED["en"], turn(*texts)).split("\n")[1:] == [
        *("- 토마토 {물} 주기 (deleted)", "- 토마토 {물} 주기 (saved)"),
    ]
