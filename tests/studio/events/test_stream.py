"""The stream of events that a page reads."""

import asyncio
from contextlib import aclosing

from dreamscripts.studio.events import hub as hubs
from dreamscripts.studio.events.hub import Hub
from dreamscripts.studio.events.stream import SIGN_OF_LIFE, stream


def run(test):
    """Run a coroutine function as a test, and end one that hangs."""
    asyncio.run(asyncio.wait_for(test(), 20))


def test_the_state_comes_first_and_then_what_changes():
    async def test():
        hub = Hub()
        async with aclosing(stream(hub, lambda: {"jobs": []})) as events:
            assert await anext(events) == b'event: state\ndata: {"jobs":[]}\n\n'
            hub.publish("job", {"id": "1"}, "1")
            assert await anext(events) == b'event: job\ndata: {"id":"1"}\n\n'
        assert hub.readers == 0

    run(test)


def test_a_change_while_the_state_is_read_is_not_lost():
    async def test():
        hub = Hub()

        def state():
            hub.publish("job", {"id": "1"}, "1")
            return {}

        async with aclosing(stream(hub, state)) as events:
            assert (await anext(events)).startswith(b"event: state")
            assert (await anext(events)).startswith(b"event: job")

    run(test)


def test_silence_is_a_sign_of_life():
    async def test():
        async with aclosing(stream(Hub(), dict, heartbeat=0.01)) as events:
            await anext(events)
            assert [await anext(events), await anext(events)] == [SIGN_OF_LIFE, SIGN_OF_LIFE]

    run(test)


def test_a_page_that_slept_gets_the_whole_state_again(monkeypatch):
    async def test():
        hub, states = Hub(), iter(range(10))
        async with aclosing(stream(hub, lambda: next(states))) as events:
            assert await anext(events) == b"event: state\ndata: 0\n\n"
            for number in range(hubs.MOST_UNREAD + 1):
                hub.publish("run", {}, str(number))
            assert await anext(events) == b"event: state\ndata: 1\n\n"
            hub.publish("job", {}, "1")
            assert await anext(events) == b"event: job\ndata: {}\n\n"

    run(test)


def test_it_ends_when_the_server_ends():
    async def test():
        hub = Hub()
        events = [event async for event in _until_closed(hub)]
        assert len(events) == 1

    async def _until_closed(hub):
        async for event in stream(hub, dict):
            yield event
            hub.close()

    run(test)
