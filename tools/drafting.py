"""Drafts of archive entries: a label and a category, made by a model and checked here.

A model that fails, refuses or answers badly costs quality, never the draft: the label is then cut
out of the content and the category is a plain one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, Field

from memory.archive_rules import CATEGORY_LIMIT, check_content
from memory.errors import Invalid
from memory.protocols import Archive
from memory.records import Near
from memory.text import LABEL_LIMIT, cut_label, language
from prompts import load
from tools.choices import Choices
from tools.labels import (
    category_problem,
    extract_label,
    label_problem,
    language_problem,
    same_name,
    tidy,
)
from tools.noise import find_noise, reason
from tools.structured import ask

MODEL_SECONDS = 12.0
"""How long a model may take for one answer; a save with a retry stays under half a minute."""

CONTENT_CHARACTERS = 8_000
"""How much of a content a model is shown: its beginning tells what it is about."""

SAME_OVERLAP = 0.8
"""The least overlap at which two contents go into one category."""

CATEGORY_NAMES = 50
REASON_CHARACTERS = 200


class LabelDraft(BaseModel):
    """A label for a text, or why it can have none."""

    summarizable: bool = Field(description="Whether the text has a meaning that a label can name.")
    label: str = Field(default="", description="The label: one line, in the text's own language.")
    reason: str = Field(default="", description="If not summarizable: why, in one short sentence.")


class CategoryDraft(BaseModel):
    """A category for a text."""

    category: str = Field(description="One of the given names if it fits, else a short new one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of 1..30 grapheme clusters, or None and the ``reason`` why there is none."""

    text: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an entry could look like; nothing is stored. Without a label nothing else is there."""

    label: str | None
    reason: str = ""
    category: str | None = None
    existing: bool = False
    duplicates: Sequence[Near] = ()


class Drafter:
    """Makes drafts for any person's archive."""

    def __init__(
        self, model: BaseChatModel, archive: Archive, *, seconds: float = MODEL_SECONDS
    ) -> None:
        self._model = model
        self._archive = archive
        self._seconds = seconds
        self._choices = Choices()
        self._label_prompt = load("label").render(limit=str(LABEL_LIMIT))
        self._category_prompt = load("category").render(limit=str(CATEGORY_LIMIT))

    async def label(self, content: str) -> Label:
        """A label for ``content``, asked for once more with what was wrong with the first."""
        if noise := find_noise(content):
            return Label(text=None, reason=reason(noise, content))
        first = await self._ask_label(content)
        if first is None:
            return Label(text=extract_label(content))
        if not first.summarizable:
            return Label(text=None, reason=_reason(first, content))
        if (problem := _problem(first, content)) is None:
            return Label(text=tidy(first.label))
        second = await self._ask_label(content, problem=problem)
        return Label(text=_settled(second or first, content))

    async def categorize(
        self, owner: str, content: str, *, nearest: Sequence[Near] | None = None
    ) -> tuple[str, bool]:
        """The category for ``content``, and whether the person has it already.

        The same content goes where it went before: to that of the ``nearest`` entry, if known, or
        to the one that was chosen for it lately.
        """
        if nearest is None:
            nearest = await self._archive.near(owner, content, limit=1)
        if nearest and (nearest[0].exact or nearest[0].overlap >= SAME_OVERLAP):
            return nearest[0].entry.category, True
        names = [category.name for category in await self._archive.categories(owner)]
        shown = content[:CONTENT_CHARACTERS]
        name = self._choices.of(owner, shown) or await self._choose(owner, shown, names)
        known = same_name(name, names)
        return known or name, known is not None

    async def draft(self, owner: str, content: str, category: str | None = None) -> Draft:
        """Label, category and duplicates; with a ``category`` given, that one.

        Raises Invalid or TooLarge for what no archive would take.
        """
        if noise := find_noise(content):
            return Draft(label=None, reason=reason(noise, content))
        check_content(content)
        nearest = await self._archive.near(owner, content)
        label, (name, existing) = await asyncio.gather(
            self.label(content), self.place(owner, content, category, nearest=nearest)
        )
        if label.text is None:
            return Draft(label=None, reason=label.reason)
        return Draft(label=label.text, category=name, existing=existing, duplicates=nearest)

    async def place(
        self,
        owner: str,
        content: str,
        category: str | None,
        *,
        nearest: Sequence[Near] | None = None,
    ) -> tuple[str, bool]:
        """The person's category of the name ``category`` or that name; without one, categorize.

        Raises Invalid ``category`` if the name given can't be one.
        """
        if category is None:
            return await self.categorize(owner, content, nearest=nearest)
        if problem := category_problem(tidy(category)):
            raise Invalid.field("category", problem)
        names = [known.name for known in await self._archive.categories(owner)]
        known = same_name(tidy(category), names)
        return known or tidy(category), known is not None

    async def _choose(self, owner: str, content: str, names: list[str]) -> str:
        """A model's category if it can be one, else the plainest that there is."""
        answer = await ask(
            self._model,
            CategoryDraft,
            system=self._category_prompt,
            data={"content": content, "categories": names[:CATEGORY_NAMES]},
            seconds=self._seconds,
        )
        name = tidy(answer.category) if answer else ""
        if category_problem(name) is None:
            return self._choices.keep(owner, content, name)
        return "메모" if language(content) == "ko" else "Notes"

    async def _ask_label(self, content: str, **problem: str) -> LabelDraft | None:
        return await ask(
            self._model,
            LabelDraft,
            system=self._label_prompt,
            data={"content": content[:CONTENT_CHARACTERS], **problem},
            seconds=self._seconds,
        )


def _problem(draft: LabelDraft, content: str) -> str | None:
    label = tidy(draft.label)
    return label_problem(label) or language_problem(label, content)


def _settled(draft: LabelDraft, content: str) -> str:
    """The label of a last answer, cut to fit; the content's own beginning if it can't be one."""
    label = cut_label(tidy(draft.label), LABEL_LIMIT)
    if not draft.summarizable or label_problem(label) or language_problem(label, content):
        return extract_label(content)
    return label


def _reason(draft: LabelDraft, content: str) -> str:
    korean = language(content[:CONTENT_CHARACTERS]) == "ko"
    plain = "요약할 내용이 없습니다." if korean else "There is nothing to summarize."
    return " ".join(draft.reason.split())[:REASON_CHARACTERS] or plain
