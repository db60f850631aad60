// The stock client, on strings: a test says what it does, and is told what it hears. One line of JSON each.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { tagged, untagged } from "./tagged.mjs";

const [sockets, acks] = [{}, []];

const say = (name, hears) => console.log(JSON.stringify({ name, ...hears }));

const steps = {
  open({ name, url, options }) {
    const socket = io(url, { forceNew: true, reconnectionDelay: 20, randomizationFactor: 0, ...options });
    sockets[name] = socket;
    socket.on("connect", () => say(name, { connect: socket.id, recovered: socket.recovered }));
    socket.on("connect_error", (error) => say(name, { refused: error.message, data: error.data ?? null }));
    socket.on("disconnect", (reason) => say(name, { disconnect: reason }));
    socket.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? acks.push(args.pop()) - 1 : undefined;
      say(name, { event, args: tagged(args), ack });
    });
  },
  emit({ name, args, ack, volatile }) {
    const socket = volatile ? sockets[name].volatile : sockets[name];
    if (ack) socket.emit(...untagged(args), (...answer) => say(name, { answer: tagged(answer) }));
    else socket.emit(...untagged(args));
  },
  ack: ({ number, args }) => acks[number](...untagged(args)),
  transport: ({ name }) => say(name, { transport: sockets[name].io.engine.transport.name }),
  upgraded: ({ name }) => sockets[name].io.engine.once("upgrade", () => say(name, { upgraded: true })),
  // Breaks the connection, and does not come back by itself.
  cut({ name }) {
    const { engine } = sockets[name].io;
    sockets[name].io.reconnection(false);
    if (engine.transport.name === "websocket") engine.transport.ws.terminate();
    else engine.close();
  },
  // Hears nothing of what comes, as if the network were gone: the server takes it for connected.
  deafen({ name }) {
    sockets[name].io.reconnection(false);
    const { engine } = sockets[name].io;
    engine.transport.ws._socket.pause();
    engine.transport.ws.onmessage = engine.transport.ws.onclose = engine.transport.ws.onerror = () => {};
    engine.transport.ws = { close() {}, send() {} };
    engine._onClose("transport close");
  },
  back: ({ name }) => sockets[name].connect(),
  close: ({ name }) => sockets[name].disconnect(),
};

setTimeout(() => process.exit(1), 300_000).unref();
for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  steps[step.do](step);
}
process.exit(0);
