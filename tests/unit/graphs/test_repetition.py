"""Which calls run, which get their first result again, which end tool use."""

from langchain_core.messages.tool import ToolCall

from graphs.limits import Progress, Result
from graphs.repetition import REPEATED, Verdict, after, judge, signature_of

WRITERS = {"save"}


def verdicts(*batches: str) -> list[list[Verdict]]:
    """The verdicts for batches of calls such as "A B", a call in capitals being a write."""
    progress = Progress(number=1, soft=1, hard=2)
    seen = []
    for batch in batches:
        calls = [
            ToolCall(
                name="save" if name.isupper() else "look",
                args={"q": name},
                id=f"{progress.tool_calls}.{index}",
                type="tool_call",
            )
            for index, name in enumerate(batch.split())
        ]
        plan = judge(calls, progress)
        fresh = [Result(text=f"of {call['args']['q']}", ok=True) for call in plan.to_run]
        assert len(plan.results(fresh)) == len(calls)
        progress = after(progress, plan, fresh, lambda name: name in WRITERS)
        seen.append(list(plan.verdicts))
    return seen


def test_new_calls_run() -> None:
    assert verdicts("a", "b", "c d") == [["run"], ["run"], ["run", "run"]]


def test_a_second_time_repeats_and_a_third_stops() -> None:
    assert verdicts("a", "a", "a") == [["run"], ["repeat"], ["stop"]]
    assert verdicts("a b", "c", "a", "d", "a") == [
        ["run", "run"],
        ["run"],
        ["repeat"],
        ["run"],
        ["stop"],
    ]


def test_alternating_stops() -> None:
    assert verdicts("a", "b", "a", "b") == [["run"], ["run"], ["repeat"], ["stop"]]


def test_within_one_message() -> None:
    assert verdicts("a a b a c") == [["run", "repeat", "run", "stop", "stop"]]


def test_reading_again_after_a_write_is_no_repetition() -> None:
    assert verdicts("a", "X", "a", "Y", "a") == [["run"]] * 5


def test_the_same_write_is_not_done_twice() -> None:
    assert verdicts("X", "a", "X") == [["run"], ["run"], ["repeat"]]
    assert verdicts("a", "X", "a", "X") == [["run"], ["run"], ["run"], ["stop"]]


def test_a_repeat_carries_its_first_result_with_a_word() -> None:
    call = ToolCall(name="look", args={"q": "가"}, id="1", type="tool_call")
    one = signature_of("look", {"q": "가"})
    known = Result(text="찾음", ok=True)
    progress = Progress(number=1, soft=1, hard=2, trail=(one,), results={one: known})
    (result,) = judge([call], progress).results([])
    assert result.text == f"{REPEATED}찾음"


def test_refused_calls_have_their_reason() -> None:
    call = ToolCall(name="look", args={}, id="1", type="tool_call")
    progress = Progress(number=1, soft=1, hard=2, refused={"1": "not JSON"})
    plan = judge([call], progress)
    assert plan.to_run == []
    assert plan.results([]) == [Result(text="not JSON", ok=False)]


def test_the_order_of_arguments_does_not_matter() -> None:
    assert signature_of("t", {"a": 1, "b": {"c": 2, "d": 3}}) == signature_of(
        "t", {"b": {"d": 3, "c": 2}, "a": 1}
    )
