"""The hub of events and its mailboxes."""

import asyncio
import json
import threading

from dreamscripts.studio.events.hub import Hub, Mailbox, message


def run(test):
    """Run a coroutine function as a test, and end one that hangs."""
    asyncio.run(asyncio.wait_for(test(), 20))


def parsed(text):
    """Return [(name, data)] of server-sent events."""
    events = [block.split("\n") for block in text.decode().split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in events]


def test_a_message_is_an_event():
    assert message("job", {"name": "a\nb"}) == b'event: job\ndata: {"name":"a\\nb"}\n\n'


def test_every_open_page_gets_an_event():
    async def test():
        hub = Hub()
        with hub.mailbox() as first, hub.mailbox() as second:
            hub.publish("job", {"id": "1"}, "1")
            assert hub.readers == 2
            for mailbox in (first, second):
                assert parsed(await mailbox.take(5)) == [("job", {"id": "1"})]
        assert hub.readers == 0

    run(test)


def test_without_an_open_page_nothing_is_read():
    def read():
        raise AssertionError("read")

    Hub().publish("state", read)


def test_an_event_from_another_thread_arrives_at_once():
    async def test():
        hub = Hub()
        with hub.mailbox() as mailbox:
            threading.Timer(0.05, hub.publish, ("job", {"id": "1"}, "1")).start()
            assert parsed(await mailbox.take(10)) == [("job", {"id": "1"})]

    run(test)


def test_silence_ends_after_its_time():
    async def test():
        with Hub().mailbox() as mailbox:
            assert await mailbox.take(0.01) == b""

    run(test)


def test_of_a_subject_a_slow_page_gets_the_newest_in_the_order_of_arrival():
    async def test():
        hub = Hub()
        with hub.mailbox() as mailbox:
            for number in range(1000):
                hub.publish("progress", {"job": "1", "iteration": number}, "1")
                hub.publish("progress", {"job": "2", "iteration": number}, "2")
            hub.publish("job", {"id": "1", "state": "done"}, "1")
            assert parsed(await mailbox.take(5)) == [
                ("progress", {"job": "1", "iteration": 999}),
                ("progress", {"job": "2", "iteration": 999}),
                ("job", {"id": "1", "state": "done"}),
            ]

    run(test)


def test_a_page_that_is_far_behind_is_late_and_costs_no_memory():
    async def test():
        mailbox = Mailbox(most=10)
        for number in range(1000):
            mailbox.put(number, b"x" * 1000)
        assert mailbox.is_late
        assert len(await mailbox.take(5)) <= 10_000
        mailbox.forget()
        assert not mailbox.is_late

    run(test)


def test_many_threads_lose_nothing():
    async def test():
        hub = Hub()
        with hub.mailbox() as mailbox:

            def publish(thread):
                for number in range(50):
                    hub.publish("job", {}, f"{thread} {number}")

            threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            got = 0
            while got < 8 * 50:
                got += len(parsed(await mailbox.take(10)))
            assert got == 8 * 50

    run(test)


def test_a_closed_hub_wakes_its_readers():
    async def test():
        hub = Hub()
        with hub.mailbox() as mailbox:
            hub.close()
            await mailbox.take(60)
            assert mailbox.is_closed

    run(test)


def test_an_event_after_the_end_of_the_server_is_no_error():
    hub = Hub()

    async def forget():
        return hub.mailbox().__enter__()

    asyncio.run(forget())
    hub.publish("job", {}, "1")
    hub.close()
