"""What a stock client does, from its side: `client.py URL TOKEN [CA]`. Says `ok <what>` of each thing that works."""

import asyncio
import ssl
import sys

import nats
from nats.errors import MaxPayloadError, NoRespondersError

URL, TOKEN, *CA = sys.argv[1:]
TLS = {"tls": ssl.create_default_context(cafile=CA[0])} if CA else {}
TIME = 30


async def ignored(error):
    """Errors are looked at where they are expected."""


async def connect(**more):
    return await nats.connect(URL, **{"token": TOKEN, "error_cb": ignored, **TLS, **more})


async def take(subscription, count):
    return [await subscription.next_msg(TIME) for _ in range(count)]


async def publish_and_subscribe(nc):
    subscription = await nc.subscribe("q.number.>")
    await nc.flush()
    for n in range(100):
        await nc.publish(f"q.number.{n}", b"%d" % n)
    await nc.publish("live.number", b"not this one")
    got = await take(subscription, 100)
    assert [int(message.data) for message in got] == list(range(100))
    assert got[7].subject == "q.number.7"


async def wildcards(nc):
    any_one, rest = await nc.subscribe("*.wild.*"), await nc.subscribe("live.wild.>")
    await nc.flush()
    for subject in ["q.wild.a", "q.wild.a.b", "live.wild.b", "live.wild.b.c"]:
        await nc.publish(subject)
    subjects = lambda messages: sorted(message.subject for message in messages)
    assert subjects(await take(any_one, 2)) == ["live.wild.b", "q.wild.a"]
    assert subjects(await take(rest, 2)) == ["live.wild.b", "live.wild.b.c"]


async def queue_groups(nc):
    got, done, other = [], asyncio.Event(), await connect()

    async def work(message):
        got.append(int(message.data))
        if len(got) == 200:
            done.set()

    for member in [nc, other]:
        await member.subscribe("q.job", queue="workers-py", cb=work)
        await member.subscribe("live.job", queue="workers-py", cb=work)
        await member.flush()
    for n in range(100):
        await nc.publish("q.job", b"%d" % n)
        await nc.publish("live.job", b"%d" % (100 + n))
    await asyncio.wait_for(done.wait(), TIME)
    await nc.flush()
    assert sorted(got) == list(range(200))
    await other.close()


async def request_and_reply(nc):
    async def answer(message):
        await message.respond(b"re: " + message.data)

    await nc.subscribe("live.ask", cb=answer)
    await nc.subscribe("q.ask", queue="answers-py", cb=answer)
    for subject in ["live.ask", "q.ask"]:
        assert (await nc.request(subject, b"how", timeout=TIME)).data == b"re: how"


async def headers(nc):
    for subject in ["q.headers", "live.headers"]:
        subscription = await nc.subscribe(subject)
        await nc.flush()
        await nc.publish(subject, b"x", headers={"Trace": "1", "Other": "2"})
        [message] = await take(subscription, 1)
        assert (message.data, message.headers) == (b"x", {"Trace": "1", "Other": "2"})


async def no_responders(nc):
    try:
        await nc.request("live.nobody", b"", timeout=TIME)
        raise AssertionError("somebody answered")
    except NoRespondersError:
        pass


async def from_a_position(nc):
    first, second = await take(await nc.subscribe("$SLIPRING.FROM.earliest.q.number.>"), 2)
    assert (first.data, second.data) == (b"0", b"1")
    place = first.headers["Slipring-Position"]
    [again] = await take(await nc.subscribe(f"$SLIPRING.FROM.{place}.q.number.>"), 1)
    assert again.data == b"1"


async def errors_that_are_told(_):
    told = asyncio.Queue()

    async def tell(error):
        await told.put(str(error))

    nc = await connect(error_cb=tell)
    await nc.subscribe("q.something.else", queue="workers-py")
    text = await asyncio.wait_for(told.get(), TIME)
    assert 'permissions violation for subscription to "q.something.else"' in text, text
    assert nc.is_connected
    await nc.close()


async def maximum_payload(nc):
    try:
        await nc.publish("q.big", bytes(nc.max_payload + 1))
        raise AssertionError("it went out")
    except MaxPayloadError:
        pass
    subscription = await nc.subscribe("q.big")
    await nc.flush()
    await nc.publish("q.big", b"\7" * nc.max_payload)
    [message] = await take(subscription, 1)
    assert message.data == b"\7" * nc.max_payload


async def bad_auth(_):
    for token in ["wrong", None]:
        try:
            await connect(token=token, allow_reconnect=False)
            raise AssertionError("let in")
        except nats.errors.Error as error:
            assert "authorization violation" in str(error).lower(), error


async def drain(_):
    nc, got = await connect(), []

    async def keep(message):
        got.append(message.data)

    await nc.subscribe("q.drain", cb=keep)
    await nc.flush()
    for n in range(50):
        await nc.publish("q.drain", b"%d" % n)
    await nc.flush()
    while len(got) < 50:
        await asyncio.sleep(0.005)
    await nc.drain()
    assert nc.is_closed


async def reconnect(_):
    back = asyncio.Event()

    async def is_back():
        back.set()

    nc = await connect(reconnect_time_wait=0.05, max_reconnect_attempts=-1, reconnected_cb=is_back)
    subscription = await nc.subscribe("q.back")
    await nc.flush()
    print("restart", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.wait_for(back.wait(), TIME)
    await nc.publish("q.back", b"again")
    assert (await take(subscription, 1))[0].data == b"again"
    await nc.close()


async def main():
    nc = await connect()
    scenes = [publish_and_subscribe, wildcards, queue_groups, request_and_reply, headers, no_responders]
    scenes += [from_a_position, errors_that_are_told, maximum_payload, bad_auth, drain, reconnect]
    for scene in scenes:
        # The last one: there is another gateway after it.
        if scene is reconnect:
            await nc.close()
        await scene(nc)
        print("ok", scene.__name__.replace("_", " "), flush=True)


asyncio.run(main())
