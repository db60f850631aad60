// The npm server, at its best: it makes the messages itself. Each line on standard input is a number of messages to be sent to all.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const bytes = Number(process.argv[2]);
const http = createServer();
const io = new Server(http, { transports: ["websocket"] });
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
for await (const line of createInterface({ input: process.stdin })) {
  const payload = "x".repeat(bytes);
  for (let left = Number(line); left > 0; left -= 1) {
    io.emit("m", payload);
    await new Promise(setImmediate);
  }
}
