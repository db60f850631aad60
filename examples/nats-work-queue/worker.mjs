// Counts the words of jobs: `node worker.mjs [URL]`.
import { connect } from "nats";

const nc = await connect({ servers: process.argv[2] ?? "nats://127.0.0.1:4222", maxReconnectAttempts: -1, reconnectTimeWait: 100 });
const jobs = nc.subscribe("jobs.count", { queue: "default" });
await nc.flush();
console.log("ready");
for await (const job of jobs) {
  const words = job.string().split(/\s+/).filter(Boolean).length;
  job.respond(JSON.stringify({ words, worker: "node" }));
}
