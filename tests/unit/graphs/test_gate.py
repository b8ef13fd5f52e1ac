"""The gate: so many inside at once, in the order of coming, nobody kept out for long."""

import asyncio

from graphs.gate import Gate


async def test_so_many_are_inside_at_once_in_the_order_of_coming() -> None:
    gate = Gate(2, patience=60)
    entered: list[int] = []
    leave = [asyncio.Event() for _ in range(5)]

    async def pass_through(number: int) -> None:
        async with gate.passed():
            entered.append(number)
            await leave[number].wait()

    passing = [asyncio.create_task(pass_through(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    assert entered == [0, 1]
    passing[2].cancel()  # who gives up takes no place with them
    leave[1].set()
    await asyncio.sleep(0.01)
    assert entered == [0, 1, 3]
    for one in leave:
        one.set()
    await asyncio.gather(*passing, return_exceptions=True)
    assert entered == [0, 1, 3, 4]


async def test_who_has_waited_long_goes_in_anyway() -> None:
    gate = Gate(1, patience=0.02)
    async with gate.passed():
        async with asyncio.timeout(5), gate.passed():
            pass
        async with asyncio.timeout(5), gate.passed():
            pass
    async with asyncio.timeout(0.01), gate.passed():
        pass
