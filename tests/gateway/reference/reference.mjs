// Answers questions about the reference implementation: one JSON value a line on standard input, one a line on standard output.
// The servers run on a clock that only moves when a transcript says so.

import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { tagged, untagged } from "./tagged.mjs";

const real = { setTimeout, setImmediate };
const sleep = (ms) => new Promise((resolve) => real.setTimeout(resolve, ms));

const clock = {
  now: 0,
  pending: new Set(),
  set(repeats) {
    return (callback, ms = 0, ...args) => {
      const timer = {
        at: clock.now + ms,
        fire() {
          if (repeats) timer.refresh();
          else clock.pending.delete(timer);
          callback(...args);
        },
        refresh() {
          timer.at = clock.now + ms;
          clock.pending.add(timer);
          return timer;
        },
        ref: () => timer,
        unref: () => timer,
        hasRef: () => true,
      };
      clock.pending.add(timer);
      return timer;
    };
  },
  clear: (timer) => clock.pending.delete(timer),
  async wait(ms, settle) {
    const end = clock.now + ms;
    for (;;) {
      const due = [...clock.pending].filter((timer) => timer.at <= end);
      if (due.length === 0) break;
      const first = due.reduce((a, b) => (b.at < a.at ? b : a));
      clock.now = first.at;
      first.fire();
      await settle();
    }
    clock.now = end;
  },
};

const fake = {
  setTimeout: clock.set(false),
  setInterval: clock.set(true),
  clearTimeout: clock.clear,
  clearInterval: clock.clear,
};
Object.assign(globalThis, fake);
Object.assign(createRequire(import.meta.url)("node:timers"), fake);

const { attach } = await import("engine.io");
const engineParser = await import("engine.io-parser");
const { Server } = await import("socket.io");
const { Decoder, Encoder } = await import("socket.io-parser");
const { WebSocket } = await import("ws");

const hex = (bytes) => "#" + Buffer.from(bytes).toString("hex");
const shown = (data = "") => (typeof data === "string" ? data : hex(data));
const masked = (text) => text.replaceAll("\x1e", "|").replace(/"sid":"[^"]*"/, '"sid":"SID"');

// What lies between two steps: all that was under way has arrived. `done` says whether what is expected to come of the step has come of it.
async function settled(done, patience) {
  for (let ms = 0; ms < patience && !done(); ms += 5) await sleep(5);
  await sleep(8);
}

// All that the client has sent by a WebSocket has been read, and answered.
function delivered(ws) {
  return new Promise((resolve) => {
    ws.once("pong", resolve);
    ws.once("close", resolve);
    if (ws.readyState === WebSocket.OPEN) ws.ping();
    else resolve();
  });
}

async function listening() {
  clock.pending.clear();
  const http = createServer();
  http.connections = new Set();
  http.on("connection", (connection) => http.connections.add(connection));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return http;
}

async function play(http, steps, seen, does) {
  const answers = [];
  for (const [step, count, same] of steps) {
    seen.length = 0;
    const [verb, name = "", ...words] = step.split(" ");
    const rest = step.slice(verb.length + 1);
    await does[verb](name, words.join(" "), rest);
    await settled(() => seen.length >= count, same ? 10_000 : 400);
    answers.push([...seen].map((line) => line.trim()).sort());
  }
  for (const connection of http.connections) connection.destroy();
  await new Promise((resolve) => http.close(resolve));
  return answers;
}

async function engine({ pingInterval, pingTimeout, steps }) {
  const http = await listening();
  const options = { pingInterval, pingTimeout, upgradeTimeout: 400, maxHttpBufferSize: 1000 };
  const server = attach(http, options);
  const { port } = http.address();
  const [seen, sockets, requests] = [[], {}, {}];
  let arrived = () => {};
  http.on("request", () => arrived());
  let session;
  server.on("connection", (socket) => {
    session = socket;
    socket.on("message", (data) => seen.push(`> ${shown(data)}`));
    socket.on("close", () => seen.push("over"));
  });
  const query = (transport, sid) => `/engine.io/?EIO=4&transport=${transport}${sid ? `&sid=${sid}` : ""}`;
  const ask = (name, method, sid, headers = {}, body) =>
    new Promise((resolve) => {
      arrived = resolve;
      const options = { port, host: "127.0.0.1", method, headers, agent: false, path: query("polling", sid) };
      const asked = request(options, async (response) => {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        seen.push(`${name} ${response.statusCode} ${masked(text)}`);
      });
      requests[name] = asked;
      asked.on("error", () => asked.dropped || seen.push(`${name} aborted`));
      asked.end(body);
    });
  const connect = (name, sid) =>
    new Promise((resolve) => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}${query("websocket", sid)}`);
      sockets[name] = ws;
      ws.on("message", (data, binary) => seen.push(`${name}< ${binary ? hex(data) : masked(String(data))}`));
      ws.on("open", resolve);
      ws.on("error", resolve);
      ws.on("close", () => seen.push(`${name} closed`));
    });
  const tell = async (name, data) => {
    sockets[name].send(data);
    await delivered(sockets[name]);
  };
  return play(http, steps, seen, {
    open: (name) => ask(name, "GET"),
    connect: (name) => connect(name),
    get: (name) => ask(name, "GET", session.id),
    post: (name, body) => {
      const octets = body.startsWith("octets ");
      const type = octets ? "application/octet-stream" : "text/plain;charset=UTF-8";
      const text = (octets ? body.slice(7) : body).replaceAll("|", "\x1e");
      return ask(name, "POST", session.id, { "Content-Type": type }, text);
    },
    ws: (name) => connect(name, session.id),
    tell,
    bytes: (name, text) => tell(name, Buffer.from(text)),
    drop: (name) => {
      const dropped = sockets[name] ?? requests[name];
      dropped.dropped = true;
      if (dropped.terminate) dropped.terminate();
      else dropped.destroy();
      return new Promise((resolve) => dropped.once("close", resolve));
    },
    send: (_, __, text) => session.send(text),
    "send-bytes": (_, __, text) => session.send(Buffer.from(text)),
    close: () => session.close(),
    wait: (ms) => clock.wait(Number(ms), () => sleep(8)),
  });
}

// The application of tests/gateway/socketio/transcripts.rs.
async function socket({ steps }) {
  const http = await listening();
  const io = new Server(http, { pingInterval: 1e8, connectTimeout: 1000 });
  const [seen, joined] = [[], {}];
  for (const name of ["/", "/custom"]) {
    io.of(name).use((socket, next) => {
      const refusal = Object.assign(new Error("no"), { data: { code: 7 } });
      next(socket.handshake.auth.token === "bad" ? refusal : undefined);
    });
    io.of(name).on("connection", (socket) => {
      joined[name] = socket;
      socket.emit("auth", socket.handshake.auth);
      socket.on("message", (...args) => socket.emit("message-back", ...args));
      socket.on("message-with-ack", (...args) => args.pop()(...args));
    });
  }
  const ws = new WebSocket(`ws://127.0.0.1:${http.address().port}/socket.io/?EIO=4&transport=websocket`);
  ws.on("message", (data, binary) => {
    const text = masked(String(data));
    if (binary) seen.push(`<${hex(data)}`);
    else if (text.startsWith("4")) seen.push(`< ${text.slice(1)}`);
  });
  ws.on("close", () => seen.push("closed"));
  await new Promise((resolve) => ws.once("message", resolve));
  const tell = async (data) => {
    ws.send(data);
    await delivered(ws);
  };
  return play(http, steps, seen, {
    tell: (_, __, packet) => tell(`4${packet}`),
    bytes: (text) => tell(Buffer.from(text)),
    kick: (name) => joined[name].disconnect(),
    ask: (name, event) => joined[name].emit(event, (...args) => seen.push(`acked ${JSON.stringify(args)}`)),
    wait: (ms) => clock.wait(Number(ms), () => sleep(8)),
  });
}

const answers = {
  engine,
  socket,
  // Payloads, decoded and encoded again.
  payloads: ({ payloads }) =>
    payloads.map((payload) => {
      const packets = engineParser.decodePayload(payload);
      let again;
      if (packets.at(-1).type !== "error") engineParser.encodePayload(packets, (text) => (again = text));
      return [packets.map(({ type, data }) => [type, shown(data)]), again];
    }),
  // Texts of packets: what each is, or null.
  packets: ({ packets }) =>
    packets.map((text) => {
      try {
        return new Decoder().decodeString(text);
      } catch {
        return null;
      }
    }),
  // Packets, written; and read again from what was written.
  written: ({ packets }) =>
    packets.map((packet) => {
      const frames = new Encoder().encode(untagged(packet));
      return frames.map(tagged);
    }),
  // Messages of one packet after another: what they are together.
  read: ({ frames }) => {
    const [decoder, packets] = [new Decoder(), []];
    decoder.on("decoded", (packet) => packets.push(tagged(packet)));
    for (const frame of frames) decoder.add(untagged(frame));
    return packets;
  },
};

real.setTimeout(() => {
  console.error("still not done after two minutes");
  process.exit(1);
}, 120_000).unref();

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(await answers[question.ask](question)));
}
process.exit(0);
