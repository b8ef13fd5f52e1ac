"""The system prompt: shared while it is in use, and kept by nobody after that."""

import gc
import weakref

from graphs.system_prompt import SystemPrompt


async def test_answers_under_way_with_the_same_text_share_it() -> None:
    prompt = SystemPrompt(None, digest_tokens=100)
    one = await prompt.compose("나", None)
    assert await prompt.compose("남", None) is one
    other = await prompt.compose("나", {"text": "토마토 이야기", "covers_up_to": "t1"})
    assert "토마토 이야기" in str(other.content)
    assert other.content != one.content


async def test_a_prompt_is_gone_with_the_last_answer_that_used_it() -> None:
    prompt = SystemPrompt(None, digest_tokens=100)
    gone = weakref.ref(await prompt.compose("나", {"text": "비밀", "covers_up_to": "t1"}))
    gc.collect()
    assert gone() is None
