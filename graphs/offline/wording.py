"""What the offline model says, in Korean and English, as a table. Pure."""

from collections.abc import Sequence

from memory.text import Language

_CONFIGURE = {
    "ko": "언어 모델이 설정되어 있지 않아 저장·찾기·목록·수정·삭제만 할 수 있습니다. "
    "OPENAI_API_KEY 또는 OPENAI_BASE_URL을 설정하면(모델은 TOMATO_MODEL로 선택) 대화할 "
    "수 있습니다.",
    "en": "No language model is configured, so I can only save, find, list, change and delete. "
    "Set OPENAI_API_KEY or OPENAI_BASE_URL (TOMATO_MODEL chooses the model) to have a "
    "conversation.",
}
_EXAMPLES = {
    "ko": "- 저장: “이거 저장해줘: 회의는 3시”, “…라고 메모해줘”\n- 찾기: “내가 저장한 회의 "
    "메모 찾아줘”\n"
    "- 목록: “저장한 거 보여줘”, “요리 카테고리 보여줘”\n- 수정: “라벨을 '주간 회의'로 "
    "바꿔줘”, “요리로 옮겨줘”\n"
    "- 삭제: “그거 삭제해줘”, “2번 지워줘”",
    "en": "- save: “save this: the meeting is at 3”, “remember that …”\n- find: “what did I "
    "save about the meeting?”\n"
    "- list: “list my notes”, “show the recipes category”\n- change: “rename it to "
    "'Weekly meeting'”, “move it to recipes”\n"
    "- delete: “delete it”, “delete the second one”",
}

_TABLE: dict[str, dict[Language, str]] = {
    "saved": {
        "ko": "저장했습니다: “{label}” (카테고리: {category}). 라벨과 카테고리는 바꿀 수 있습니다.",
        "en": "Saved: “{label}” (category: {category}). You can change the label and the category.",
    },
    "already_saved": {
        "ko": "이미 저장되어 있습니다: “{label}” (카테고리: {category}).",
        "en": "This is already saved: “{label}” (category: {category}).",
    },
    "extended": {
        "ko": "거의 같은 항목이 있어 그것을 갱신했습니다: “{label}” (카테고리: {category}).",
        "en": "There was nearly the same entry, so I updated it: “{label}” (category: {category}).",
    },
    "updated": {
        "ko": "바꿨습니다: “{label}” (카테고리: {category}).",
        "en": "Changed: “{label}” (category: {category}).",
    },
    "deleted": {"ko": "삭제했습니다: “{label}”.", "en": "Deleted: “{label}”."},
    "done": {"ko": "처리했습니다.", "en": "That is done."},
    "what_to_save": {
        "ko": "무엇을 저장할까요? “이거 저장해줘: 내용”처럼 말씀해 주세요.",
        "en": "What shall I save? Say it like this: “save this: the text”.",
    },
    "found_one": {
        "ko": "저장해 두신 “{label}” (카테고리: {category})에 이렇게 적혀 있습니다:",
        "en": "Your entry “{label}” (category: {category}) says:",
    },
    "found_more": {"ko": "관련 항목이 더 있습니다:", "en": "There are related entries:"},
    "found_many": {
        "ko": "저장된 항목에서 찾았습니다. 번호로 골라 자세히 볼 수 있습니다:",
        "en": "I found these in your archive; name a number to read one in full:",
    },
    "entry": {
        "ko": "저장된 내용입니다: “{label}” (카테고리: {category})",
        "en": "Here is “{label}” (category: {category}):",
    },
    "truncated": {
        "ko": "(내용이 길어 앞부분만 보여 드립니다.)",
        "en": "(It is long; this is its beginning.)",
    },
    "nothing_found": {
        "ko": "아카이브에서 “{query}”에 대한 항목을 찾지 못했습니다.",
        "en": "I found nothing on “{query}” in your archive.",
    },
    "no_answer": {
        "ko": "아카이브에서 관련된 내용을 찾지 못했습니다. " + _CONFIGURE["ko"],
        "en": "I found nothing on this in your archive. " + _CONFIGURE["en"],
    },
    "no_model": _CONFIGURE,  # type: ignore[dict-item]
    "list": {"ko": "저장된 항목입니다:", "en": "These are your entries:"},
    "list_of": {
        "ko": "“{category}” 카테고리의 항목입니다:",
        "en": "These are the entries in “{category}”:",
    },
    "list_more": {
        "ko": "더 있습니다. 카테고리를 정하거나 검색해 보세요.",
        "en": "There are more; name a category or search.",
    },
    "categories": {"ko": "카테고리: {names}", "en": "Categories: {names}"},
    "empty": {
        "ko": "아직 저장된 것이 없습니다. “이거 저장해줘: 내용”처럼 말씀해 주세요.",
        "en": "Nothing is saved yet. Say for example “save this: the text”.",
    },
    "no_category": {
        "ko": "“{category}” 카테고리에 저장된 것이 없습니다.",
        "en": "There is nothing in a category “{category}”.",
    },
    "which_delete": {
        "ko": "어느 항목을 삭제할까요? “2번 삭제해줘”처럼 번호로 말씀해 주세요.",
        "en": "Which one shall I delete? Say it by number, like “delete 2”.",
    },
    "which_update": {
        "ko": "어느 항목을 바꿀까요? “2번 라벨을 '새 라벨'로 바꿔줘”처럼 번호로 말씀해 주세요.",
        "en": "Which one shall I change? Say it by number, like “rename number 2 to 'New label'”.",
    },
    "which_read": {
        "ko": "어느 항목을 볼까요? “2번 보여줘”처럼 번호로 말씀해 주세요.",
        "en": "Which one shall I show? Say it by number, like “show 2”.",
    },
    "which_first": {
        "ko": "먼저 “목록 보여줘”나 “… 찾아줘”로 항목을 찾은 뒤 말씀해 주세요.",
        "en": "Find it first, with “list my notes” or “find my note on …”.",
    },
    "one_by_one": {
        "ko": "한꺼번에 모두 삭제하지는 않습니다. 하나씩 골라 “2번 삭제해줘”처럼 말씀해 주세요.",
        "en": "I do not delete everything at once. Choose entries one by one, like “delete 2”.",
    },
    "spared": {
        "ko": "그대로 두었습니다. 아무것도 삭제하지 않았습니다.",
        "en": "I left everything as it is; nothing was deleted.",
    },
    "unavailable": {
        "ko": "이 대화에서는 그 일을 할 수 없습니다: {tool} 도구를 쓸 수 없습니다.",
        "en": "I can't do that in this conversation: the tool {tool} is not available.",
    },
    "failed": {"ko": "처리하지 못했습니다: {reason}", "en": "That did not work: {reason}"},
    "no_reason": {"ko": "도구가 이유를 알려 주지 않았습니다.", "en": "the tool gave no reason."},
    "greet": {
        "ko": "안녕하세요, 토마토입니다. " + _CONFIGURE["ko"] + "\n\n" + _EXAMPLES["ko"],
        "en": "Hello, this is Tomato. " + _CONFIGURE["en"] + "\n\n" + _EXAMPLES["en"],
    },
    "help": {
        "ko": "이렇게 쓸 수 있습니다:\n" + _EXAMPLES["ko"] + "\n\n" + _CONFIGURE["ko"],
        "en": "This is what I can do:\n" + _EXAMPLES["en"] + "\n\n" + _CONFIGURE["en"],
    },
    "thanks": {
        "ko": "네, 저장하거나 찾을 것이 있으면 말씀해 주세요.",
        "en": "You're welcome. Tell me when there is something to save or to find.",
    },
}
_SAME_START = 6


def say(phrase: str, language: Language, **values: str) -> str:
    """A sentence of the table with its values; a value is never filled in again."""
    text = _TABLE[phrase][language]
    parts = text.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        filled.append(values[name] + rest)
    return "".join(filled)


def is_own(text: str) -> bool:
    """Whether a text is one that this model says, and so nothing that somebody would keep."""
    starts = (words.partition("{")[0] for said in _TABLE.values() for words in said.values())
    return text.startswith(tuple(start for start in starts if len(start) >= _SAME_START))


def quote(lines: Sequence[str]) -> str:
    """Somebody's text as a Markdown quote, so that it ends where it should."""
    return "\n".join(f"> {line}".rstrip() for text in lines for line in text.splitlines() or [""])
