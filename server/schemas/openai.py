"""The shapes of OpenAI's chat interface, as far as its clients need them here."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from server.schemas.fields import MAX_MESSAGE, Out, no_nul

MODEL = "tomato"
MOST_MESSAGES = 2_000

Words = Annotated[str, StringConstraints(max_length=20 * MAX_MESSAGE), AfterValidator(no_nul)]


class Given(BaseModel):
    """What such clients send; what is not listed is ignored, as their models do."""

    model_config = ConfigDict(extra="ignore")


class TextPart(Given):
    """A piece of a message."""

    type: Literal["text"] = Field(description="Text alone.")
    text: Words = Field(description="The text.", examples=["안녕?"])


class SaidIn(Given):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="Who said it."
    )
    content: Words | list[TextPart] | None = Field(
        None, description="What was said.", examples=["안녕?"]
    )

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Given):
    """How a stream ends."""

    include_usage: bool | None = Field(None, description="One more chunk, with the usage.")


class CompletionIn(Given):
    """A conversation to go on with; its last message is the question."""

    model: str = Field(description="`tomato`.", max_length=200, examples=[MODEL])
    messages: list[SaidIn] = Field(
        description="Oldest first; the last one is the user's.",
        min_length=1,
        max_length=MOST_MESSAGES,
    )
    stream: bool | None = Field(None, description="Whether the answer comes in chunks.")
    stream_options: StreamOptions | None = Field(None, description="How the stream ends.")
    n: Literal[1] | None = Field(None, description="One answer.")


class ModelOut(Out):
    """The agent, as a model."""

    id: str = Field(MODEL, description="Its name.", examples=[MODEL])
    object: Literal["model"] = Field("model", description="What this is.")
    created: int = Field(1_700_000_000, description="Seconds since 1970.")
    owned_by: str = Field("tomato", description="Whose it is.")


class ModelsOut(Out):
    """The models: the agent alone."""

    object: Literal["list"] = Field("list", description="What this is.")
    data: list[ModelOut] = Field(description="The models.")


class CompletionMessageOut(Out):
    """The answer."""

    role: Literal["assistant"] = Field("assistant", description="Who said it.")
    content: str = Field(description="What was said.", examples=["안녕하세요."])


class ChoiceOut(Out):
    """The one answer and how it ended."""

    index: int = Field(0, description="Always 0.")
    message: CompletionMessageOut = Field(description="The answer.")
    finish_reason: Literal["stop"] = Field("stop", description="How it ended.")


class CompletionUsageOut(Out):
    """What the model counted."""

    prompt_tokens: int = Field(0, description="Tokens the model read.")
    completion_tokens: int = Field(0, description="Tokens the model wrote.")
    total_tokens: int = Field(0, description="Both.")


class CompletionOut(Out):
    """A whole answer."""

    id: str = Field(description="The run's id.", examples=["run_4f0c6a1b9d2e4c8377a0b1c2"])
    object: Literal["chat.completion"] = Field("chat.completion", description="What this is.")
    created: int = Field(description="Seconds since 1970.", examples=[1_764_000_000])
    model: str = Field(MODEL, description="The agent.")
    choices: list[ChoiceOut] = Field(description="One answer.")
    usage: CompletionUsageOut = Field(description="What the model counted.")
