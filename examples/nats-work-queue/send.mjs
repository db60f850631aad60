// Sends jobs and prints what comes of them: `node send.mjs [COUNT] [URL]`.
import { connect } from "nats";

const [count = "10", servers = "nats://127.0.0.1:4222"] = process.argv.slice(2);
const nc = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100 });

// Until somebody answers: a worker that dies with a job is no loss.
const ask = async (text) => {
  for (;;) {
    try {
      return (await nc.request("jobs.count", text, { timeout: 1000 })).json();
    } catch (error) {
      console.error(`again, after ${error.message}`);
    }
  }
};

const work = async (job) => console.log(JSON.stringify({ job, ...(await ask("word ".repeat(job + 1))) }));
await Promise.all([...Array(Number(count)).keys()].map(work));
await nc.close();
