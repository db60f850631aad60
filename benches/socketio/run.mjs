// Starts each server, connects the clients (plain sockets that do no more than count bytes), has messages sent to all, and reads what CPU time that took the
// server's process, user's and system's.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [binary, clients, bytes] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const ticks = Number(spawnSync("getconf", ["CLK_TCK"]).stdout);
setTimeout(() => { console.error("still not done after four minutes"); process.exit(1); }, 240_000).unref();

/** Seconds of CPU that a process has used. */
function cpu(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

/** A text frame, masked with zeros. */
function frame(text) {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** A client in a namespace; counts the letters of payloads. */
class Client {
  constructor(port, namespace) {
    this.letters = 0;
    this.socket = connect(port, "127.0.0.1");
    this.socket.write(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    const answer = namespace === "/" ? "40" : `40${namespace},`;
    this.joined = new Promise((resolve) => {
      let text = "";
      const greet = (data) => {
        text += data.toString("latin1");
        if (text.includes('"maxPayload"') && !this.asked) this.asked = this.socket.write(frame(answer)) || true;
        if (!text.includes(`${answer}{"sid"`)) return;
        this.socket.off("data", greet);
        this.socket.on("data", (data) => this.count(data));
        resolve();
      };
      this.socket.on("data", greet);
    });
  }

  count(data) {
    // Of each event, the letters of the payload, and a ping's one: whole messages are counted at the end.
    for (let at = data.indexOf(120); at >= 0; at = data.indexOf(120, at)) {
      const start = at;
      while (at < data.length && data[at] === 120) at += 1;
      this.letters += at - start;
    }
  }
}

async function until(is) {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function measure(name, pid, port, namespace, messages, send) {
  const all = Array.from({ length: clients }, () => new Client(port, namespace));
  await Promise.all(all.map((client) => client.joined));
  const run = async (count) => {
    for (const client of all) client.letters = 0;
    const [before, start] = [cpu(pid), process.hrtime.bigint()];
    await send(count);
    await until(() => all.every((client) => client.letters >= count * bytes));
    return [cpu(pid) - before, Number(process.hrtime.bigint() - start) / 1e9];
  };
  await run(Math.ceil(messages / 10));
  const [used, took] = await run(messages);
  for (const client of all) client.socket.destroy();
  const deliveries = messages * clients;
  const each = (used / deliveries) * 1e6;
  const rate = Math.round(deliveries / took / 1000);
  console.log(`${name.padEnd(20)} ${each.toFixed(3).padStart(8)} µs CPU a delivery ${String(rate).padStart(7)} thousand deliveries/s`);
  return each;
}

async function ours() {
  const dir = mkdtempSync(join(tmpdir(), "slipring-bench-"));
  const env = { ...process.env, SLIPRING_DIR: dir };
  spawnSync(binary, ["create", "bench", "--capacity", "256MiB", "--topic"], { env, stdio: "inherit" });
  const flags = ["--listen", "127.0.0.1:0", "--set", "connections_per_address=4096", "--set", "connections=4096"];
  const server = spawn(binary, ["serve", ...flags], { env, stdio: ["ignore", "ignore", "pipe"] });
  try {
    const [line] = await once(createInterface({ input: server.stderr }), "line");
    const port = Number(/:(\d+)$/.exec(line.trim())[1]);
    const send = async (count) => {
      const producer = spawn(binary, ["send", "bench", "-", "--lines", "--event", "m"], { env, stdio: ["pipe", "ignore", "inherit"] });
      producer.stdin.end(`${"x".repeat(bytes)}\n`.repeat(count));
      await once(producer, "exit");
    };
    return await measure("slipring serve", server.pid, port, "/bench", 20_000, send);
  } finally {
    server.kill();
    rmSync(dir, { recursive: true });
  }
}

async function theirs() {
  const server = spawn("node", ["server.mjs", String(bytes)], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [line] = await once(createInterface({ input: server.stdout }), "line");
    const send = async (count) => server.stdin.write(`${count}\n`);
    return await measure("socket.io 4.8.4 (npm)", server.pid, Number(line), "/", 500, send);
  } finally {
    server.kill();
  }
}

console.log(`${clients} clients, payloads of ${bytes} bytes, WebSocket`);
const [a, b] = [await ours(), await theirs()];
console.log(`${(b / a).toFixed(1)} times`);
process.exit(0);
