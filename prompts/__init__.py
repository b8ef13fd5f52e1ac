"""Prompts as Markdown files with declared variables; imports nothing of Tomato.

A file starts with its front matter:

    ---
    variables: [digest, reason]
    quoted: [digest]
    ---

``{{reason}}`` stands for a value that Tomato words itself. A ``quoted`` value is somebody's text:
each of its lines is put behind a Markdown quote mark, so that it can't end where it should not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

_NAME = re.compile(r"[a-z][a-z_]*\Z")
_PLACEHOLDER = re.compile(r"\{\{([a-z][a-z_]*)\}\}")
_FRONT = re.compile(r"---\n(?P<front>.*?)^---\n(?P<body>.*)\Z", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"(?P<field>[a-z]+): \[(?P<names>[a-z_, ]*)\]\Z")


class PromptError(ValueError):
    """A prompt's file, or the values handed to it, don't agree with what it declares."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A checked prompt: its text with placeholders, its variables, those that are quoted."""

    name: str
    body: str
    variables: frozenset[str]
    quoted: frozenset[str]

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Read a prompt file's text; PromptError unless declared and used variables agree."""
        parts = _FRONT.match(text.replace("\r\n", "\n"))
        if parts is None:
            raise PromptError(f"{name}: a prompt starts with front matter between --- lines")
        fields = _fields(name, parts["front"])
        prompt = cls(
            name=name,
            body=parts["body"].strip() + "\n",
            variables=fields["variables"],
            quoted=fields.get("quoted", frozenset()),
        )
        _check(prompt)
        return prompt

    def render(self, **values: str) -> str:
        """The prompt with its values filled in, in one pass: a value is never expanded again.

        PromptError if a value is missing or nobody declared it.
        """
        if values.keys() != self.variables:
            odd = ", ".join(sorted(values.keys() ^ self.variables))
            raise PromptError(f"{self.name}: values and variables differ in: {odd}")
        return _PLACEHOLDER.sub(lambda found: self._filled(found[1], values), self.body)

    def _filled(self, name: str, values: Mapping[str, str]) -> str:
        return quote(values[name]) if name in self.quoted else values[name]


def load(name: str) -> Prompt:
    """The prompt of ``prompts/<name>.md``, read and checked; PromptError if there is none."""
    source = files(__name__) / f"{name}.md"
    if not _NAME.match(name) or not source.is_file():
        raise PromptError(f"There is no prompt of the name {name!r}.")
    return Prompt.parse(name, source.read_text(encoding="utf-8"))


def quote(text: str) -> str:
    """``text`` as a Markdown quote; ``> -`` alone when there is nothing to quote."""
    lines = text.strip().splitlines() or ["-"]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _fields(name: str, front: str) -> dict[str, frozenset[str]]:
    fields: dict[str, frozenset[str]] = {}
    for line in front.splitlines():
        found = _FIELD.match(line)
        if found is None or found["field"] not in ("variables", "quoted"):
            raise PromptError(f"{name}: front matter can't be read: {line!r}")
        fields[found["field"]] = frozenset(found["names"].replace(",", " ").split())
    if "variables" not in fields:
        raise PromptError(f"{name}: front matter declares no variables")
    return fields


def _check(prompt: Prompt) -> None:
    used = set(_PLACEHOLDER.findall(prompt.body))
    if used != prompt.variables:
        odd = ", ".join(sorted(used ^ prompt.variables))
        raise PromptError(f"{prompt.name}: declared and used variables differ in: {odd}")
    if not prompt.quoted <= prompt.variables:
        raise PromptError(f"{prompt.name}: only a declared variable can be quoted")
    if "{{" in _PLACEHOLDER.sub("", prompt.body):
        raise PromptError(f"{prompt.name}: a placeholder is not closed or has an odd name")
