// What a stock client does, from its side: `client.mjs URL TOKEN [CA]`. Says `ok <what>` of each thing that works.
import assert from "node:assert";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { connect, Empty, ErrorCode, Events, headers } from "nats";

const [servers, token, caFile] = process.argv.slice(2);
const open = (more) => connect({ servers, token, tls: caFile && { caFile }, ...more });
const text = (message) => message.string();
const take = async (subscription, count) => {
  const taken = [];
  for await (const message of subscription) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
};
const fails = async (promise, code) => {
  const error = await promise.then(() => assert.fail("it worked"), (error) => error);
  assert.equal(error.code, code);
};

const scenes = {
  async "publish and subscribe"(nc) {
    const subscription = nc.subscribe("q.number.>");
    await nc.flush();
    for (let n = 0; n < 100; n++) nc.publish(`q.number.${n}`, `${n}`);
    nc.publish("live.number", "not this one");
    const got = await take(subscription, 100);
    assert.deepEqual(got.map(text), [...Array(100).keys()].map(String));
    assert.equal(got[7].subject, "q.number.7");
  },

  async "wildcards"(nc) {
    const any = nc.subscribe("*.wild.*"), rest = nc.subscribe("live.wild.>");
    await nc.flush();
    for (const subject of ["q.wild.a", "q.wild.a.b", "live.wild.b", "live.wild.b.c"]) nc.publish(subject);
    const subjects = (messages) => messages.map((message) => message.subject).sort();
    assert.deepEqual(subjects(await take(any, 2)), ["live.wild.b", "q.wild.a"]);
    assert.deepEqual(subjects(await take(rest, 2)), ["live.wild.b", "live.wild.b.c"]);
  },

  async "queue groups"(nc) {
    const got = [], other = await open();
    let done;
    const all = new Promise((resolve) => (done = resolve));
    for (const member of [nc, other]) {
      const callback = (_, message) => got.push(Number(text(message))) === 200 && done();
      member.subscribe("q.job", { queue: "workers-js", callback });
      member.subscribe("live.job", { queue: "workers-js", callback });
      await member.flush();
    }
    for (let n = 0; n < 100; n++) nc.publish("q.job", `${n}`), nc.publish("live.job", `${100 + n}`);
    await all;
    await nc.flush();
    assert.deepEqual(got.sort((a, b) => a - b), [...Array(200).keys()]);
    await other.close();
  },

  async "request and reply"(nc) {
    const callback = (_, message) => message.respond(`re: ${text(message)}`);
    nc.subscribe("live.ask", { callback });
    nc.subscribe("q.ask", { queue: "answers-js", callback });
    for (const subject of ["live.ask", "q.ask"]) {
      const answer = await nc.request(subject, "how", { timeout: 10000 });
      assert.equal(text(answer), "re: how");
    }
  },

  async "headers"(nc) {
    for (const subject of ["q.headers", "live.headers"]) {
      const subscription = nc.subscribe(subject);
      await nc.flush();
      const own = headers();
      own.append("Trace", "1");
      own.append("Trace", "2");
      nc.publish(subject, "x", { headers: own });
      const [message] = await take(subscription, 1);
      assert.deepEqual([text(message), message.headers.values("Trace")], ["x", ["1", "2"]]);
    }
  },

  async "no responders"(nc) {
    await fails(nc.request("live.nobody", Empty, { timeout: 10000 }), ErrorCode.NoResponders);
  },

  async "from a position"(nc) {
    const [first, second] = await take(nc.subscribe("$SLIPRING.FROM.earliest.q.number.>"), 2);
    assert.deepEqual([text(first), text(second)], ["0", "1"]);
    const place = first.headers.get("Slipring-Position");
    const [again] = await take(nc.subscribe(`$SLIPRING.FROM.${place}.q.number.>`), 1);
    assert.equal(text(again), "1");
  },

  async "errors that are told"(nc) {
    const subscription = nc.subscribe("q.something.else", { queue: "workers-js" });
    const told = await take(subscription, 1).then(() => null, (error) => error);
    assert.match(told.message, /Permissions Violation for Subscription to "q.something.else" using queue "workers-js"/);
    assert(!nc.isClosed());
  },

  async "maximum payload"(nc) {
    assert.throws(() => nc.publish("q.big", new Uint8Array(nc.info.max_payload + 1)), { code: ErrorCode.MaxPayloadExceeded });
    const subscription = nc.subscribe("q.big");
    await nc.flush();
    nc.publish("q.big", new Uint8Array(nc.info.max_payload).fill(7));
    const [message] = await take(subscription, 1);
    assert.equal(message.data.length, nc.info.max_payload);
    assert(message.data.every((byte) => byte === 7));
  },

  async "bad auth"() {
    for (const token of ["wrong", undefined]) await fails(open({ token, reconnect: false }), ErrorCode.AuthorizationViolation);
  },

  async "drain"() {
    const nc = await open(), got = [];
    nc.subscribe("q.drain", { callback: (_, message) => got.push(text(message)) });
    await nc.flush();
    for (let n = 0; n < 50; n++) nc.publish("q.drain", `${n}`);
    await nc.flush();
    while (got.length < 50) await new Promise((resolve) => setTimeout(resolve, 5));
    await nc.drain();
    assert(nc.isClosed());
  },

  async "reconnect"() {
    const nc = await open({ reconnectTimeWait: 50, maxReconnectAttempts: -1 });
    const subscription = nc.subscribe("q.back");
    await nc.flush();
    const status = nc.status();
    console.log("restart");
    await once(createInterface(process.stdin), "line");
    for await (const { type } of status) if (type === Events.Reconnect) break;
    nc.publish("q.back", "again");
    assert.equal(text((await take(subscription, 1))[0]), "again");
    await nc.close();
  },
};

const nc = await open();
for (const [name, scene] of Object.entries(scenes)) {
  // The last one: there is another gateway after it.
  if (name === "reconnect") await nc.close();
  await scene(nc);
  console.log(`ok ${name}`);
}
process.exit(0);
