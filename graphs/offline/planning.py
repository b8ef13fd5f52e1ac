"""The next thing to do in a turn: call a tool or say something. Pure.

Only the person's newest message decides what is wanted; what tools gave decides what is said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.offline import replies
from graphs.offline.conversation import Conversation, Ref, Step, Turn
from graphs.offline.intent import Intent, Kind
from graphs.offline.intents import read_intent
from graphs.offline.relevance import clear_match, coverage, is_relevant, key_words, same_label
from graphs.offline.wording import is_own, say

QUERY_CHARACTERS = 1_000
LIMIT, MOST = 10, 30
NOTE_ROOM, ANSWER_ROOM = 1_500, 500
_LOOK_BACK = 3


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call."""

    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """What to say, or tools to call; never both and never neither."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def next_move(conversation: Conversation, tools: frozenset[str]) -> Move:
    """The next step towards an answer with these ``tools``, a few steps at the most."""
    return _Planner(conversation, read_intent(conversation.question), tools).move()


class _Planner:
    def __init__(self, conversation: Conversation, intent: Intent, tools: frozenset[str]) -> None:
        self._talk = conversation
        self._intent = intent
        self._tools = tools
        self._language = intent.language

    def move(self) -> Move:
        handlers: dict[Kind, Callable[[], Move]] = {
            "save": self._save,
            "find": self._find,
            "list": self._list,
            "read": self._read,
            "delete": self._delete,
            "update": self._update,
            "ask": self._ask,
        }
        kind = self._intent.kind
        if kind in handlers:
            return handlers[kind]()
        return self._say("spared" if kind == "spare" else kind)

    def _say(self, phrase: str, **values: str) -> Move:
        return Move(say(phrase, self._language, **values))

    def _call(self, name: str, **args: object) -> Move:
        return self._calls(name, [args])

    def _calls(self, name: str, all_args: Sequence[Mapping[str, object]]) -> Move:
        if name not in self._tools:
            return self._say("unavailable", tool=name)
        given = ({key: value for key, value in a.items() if value is not None} for a in all_args)
        return Move(calls=tuple(Call(name, args) for args in given))

    def _told(self, step: Step) -> str:
        tell = replies.outcome if step.ok else replies.failure
        return tell(step, self._language)

    def _save(self) -> Move:
        if done := self._talk.done("archive_save"):
            return Move(self._told(done[-1]))
        content = self._intent.content or _said_before(self._talk.earlier, self._intent)
        if not content:
            return self._say("what_to_save")
        label, category = self._intent.label, self._intent.category
        return self._call("archive_save", content=content, label=label, category=category)

    def _find(self) -> Move:
        query, category = self._intent.query[:QUERY_CHARACTERS], self._intent.category
        searches = self._talk.done("archive_search")
        if not searches:
            return self._call("archive_search", query=query, category=category)
        last = searches[-1]
        if refs := _relevant(last):
            return self._found(last, refs)
        wider = " ".join(key_words(f"{category or ''} {query}"))
        if len(searches) == 1 and wider and (wider != query or category) and self._can("search"):
            return self._call("archive_search", query=wider)
        if not last.ok:
            return Move(self._told(last))
        return self._say("nothing_found", query=query)

    def _can(self, action: str) -> bool:
        return f"archive_{action}" in self._tools

    def _found(self, search: Step, refs: Mapping[int, Ref]) -> Move:
        """One entry quoted if only one can be meant, else a list to choose from."""
        ref = clear_match(search.refs, _query(search))
        if ref is None and len(refs) == 1:
            ref = next(iter(refs.values()))
        if ref is None:
            return Move(replies.found_many(refs, self._language))
        return self._quoted(ref, refs, _query(search))

    def _quoted(self, ref: Ref, refs: Mapping[int, Ref], asked: str) -> Move:
        reads = self._talk.done("archive_read")
        if not reads and self._can("read"):
            return self._call("archive_read", id=ref.id)
        others = {number: other for number, other in refs.items() if other.id != ref.id}
        content = _content(reads[-1]) if reads else ""
        content = content or ref.snippet
        return self._told_of(ref, content, asked, others)

    def _told_of(self, ref: Ref, content: str, asked: str, others: Mapping[int, Ref]) -> Move:
        room = NOTE_ROOM if self._intent.kind == "find" else ANSWER_ROOM
        return Move(replies.found(ref, content, asked, others, self._language, room=room))

    def _ask(self) -> Move:
        """What the archive has on anything else that was said, or that no model is there."""
        asked = " ".join(self._intent.query.split())[:QUERY_CHARACTERS]
        searches = self._talk.done("archive_search")
        if not searches:
            if not self._can("search") or not key_words(asked):
                return self._say("no_model")
            return self._call("archive_search", query=asked)
        refs = _relevant(searches[-1])
        if not refs:
            return self._say("no_answer") if searches[-1].ok else Move(self._told(searches[-1]))
        wanted = key_words(asked)
        best = max(refs.values(), key=lambda ref: coverage(wanted, f"{ref.label}\n{ref.snippet}"))
        enough = "…" not in best.snippet and coverage(wanted, best.snippet) >= 1.0
        if enough and not self._talk.done("archive_read"):
            others = {number: ref for number, ref in refs.items() if ref.id != best.id}
            return self._told_of(best, best.snippet, asked, others)
        return self._quoted(best, refs, asked)

    def _list(self) -> Move:
        category, lists = self._intent.category, self._talk.done("archive_list")
        if not lists:
            limit = MOST if self._intent.every else LIMIT
            return self._call("archive_list", category=category, limit=limit)
        last = lists[-1]
        if category and not last.refs:
            return self._no_category(category, last)
        return Move(replies.listing(last, self._language) if last.ok else self._told(last))

    def _no_category(self, category: str, listed: Step) -> Move:
        """What was asked for as a category may be a word in entries."""
        searches = self._talk.done("archive_search")
        if not searches and self._can("search"):
            return self._call("archive_search", query=category)
        refs = _relevant(searches[-1]) if searches else {}
        if refs:
            return Move(replies.found_many(refs, self._language))
        if listed.ok:
            return Move(replies.listing(listed, self._language))
        return self._say("no_category", category=category)

    def _read(self) -> Move:
        if done := self._talk.done("archive_read"):
            last = done[-1]
            return Move(replies.entry(last, self._language) if last.ok else self._told(last))
        meant = self._meant()
        if isinstance(meant, Move):
            return meant
        return self._call("archive_read", id=meant[0].id)

    def _delete(self) -> Move:
        if done := self._talk.done("archive_delete"):
            return Move("\n".join(self._told(step) for step in done))
        if self._intent.target.every and not self._intent.target.words:
            return self._say("one_by_one")
        meant = self._meant()
        if isinstance(meant, Move):
            return meant
        return self._calls("archive_delete", [{"id": ref.id} for ref in meant])

    def _update(self) -> Move:
        if done := self._talk.done("archive_update"):
            return Move(self._told(done[-1]))
        meant = self._meant()
        if isinstance(meant, Move):
            return meant
        label, category, content = self._intent.label, self._intent.category, self._intent.content
        return self._call(
            "archive_update",
            id=meant[0].id,
            label=label,
            category=category,
            content=content or None,
        )

    def _meant(self) -> Sequence[Ref] | Move:
        """The entries that are meant, or the move that finds out which."""
        target = self._intent.target
        if target.words:
            return self._searched(target.words, exact=False)
        known = self._talk.numbered()
        if target.ordinals:
            places = [max(known, default=0) if n == -1 else n for n in target.ordinals]
            refs = [known[place] for place in places if place in known]
            if len(refs) < len(places):
                return self._which(known)
        else:
            spoken = None if target.every else self._talk.spoken_of()
            if spoken is None:
                return self._which(known)
            refs = [spoken]
        if all(ref.id for ref in refs):
            return refs
        return self._searched(refs[0].label, exact=True) if len(refs) == 1 else self._which({})

    def _searched(self, words: str, *, exact: bool) -> Sequence[Ref] | Move:
        """The one entry that ``words`` can mean, found by a search."""
        searches = self._talk.done("archive_search")
        if not searches:
            return self._call("archive_search", query=words[:QUERY_CHARACTERS])
        last = searches[-1]
        if not last.ok:
            return Move(self._told(last))
        same = same_label(last.refs, words)
        if len(same) == 1 and not self._intent.target.every:
            return same
        ref = None if exact else clear_match(last.refs, words)
        if ref is not None and self._is_sure():
            return [ref]
        refs = _relevant(last)
        return self._which(refs) if refs else self._say("nothing_found", query=words)

    def _is_sure(self) -> bool:
        target = self._intent.target
        return not target.every and (target.sure or self._intent.kind == "read")

    def _which(self, known: Mapping[int, Ref]) -> Move:
        question = say(f"which_{self._intent.kind}", self._language)
        rest = replies.numbered(known) if known else say("which_first", self._language)
        return Move(f"{question}\n{rest}")


def _said_before(earlier: Sequence[Turn], intent: Intent) -> str:
    """What "this" is: the newest message that somebody would keep."""
    for turn in reversed(earlier[-_LOOK_BACK:]):
        answer = turn.answer if turn.answer and not is_own(turn.answer) else ""
        if answer and intent.author != "person":
            return answer
        asked = read_intent(turn.question)
        person = turn.question if asked.kind == "ask" else asked.content
        if person.strip() and intent.author != "assistant":
            return person
    return ""


def _relevant(search: Step) -> dict[int, Ref]:
    """What a search found that has to do with its query, by its place in the result."""
    query = _query(search)
    return {
        number: ref
        for number, ref in enumerate(search.refs, 1)
        if is_relevant(query, ref.label, ref.category, ref.snippet)
    }


def _query(search: Step) -> str:
    return str(search.args.get("query", ""))


def _content(read: Step) -> str:
    entry = read.data.get("entry")
    return str(entry.get("content") or "") if isinstance(entry, dict) else ""
