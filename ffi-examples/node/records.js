// Sends the records of a file, or writes what it receives as records.
//
//     node records.js send QUEUE FILE
//     node records.js work QUEUE GROUP FILE [N]
//
// A record is an event name and a payload, each after its length (u32, little-endian); no name means no event. `work` ends when the queue is
// closed and drained. With N it stops for ever at its Nth message, to show that another worker gets it when this one is killed.
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { Queue } from './slipring.js';

function* parts(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    at += 4 + length;
    if (at > bytes.length) throw new RangeError('the file ends within a record');
    yield bytes.subarray(at - length, at);
  }
}

function part(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return [length, bytes];
}

async function send(name, path) {
  const queue = Queue.open(name);
  const producer = queue.producer();
  let event = null;
  for (const bytes of parts(readFileSync(path))) {
    if (event === null) {
      event = bytes.toString();
    } else {
      await producer.send(bytes, { event });
      event = null;
    }
  }
  // For good: consumers get what is left, and then the end.
  queue.shutdown();
  producer.close();
  queue.close();
}

async function work(name, group, path, stopAt = 0) {
  const queue = Queue.open(name);
  const consumer = queue.consumer(group);
  const file = openSync(path, 'a');
  let count = 0;
  for await (const message of consumer) {
    if (++count === stopAt) {
      console.log('holding');
      await new Promise((never) => setInterval(() => {}, 2 ** 30));
    }
    const event = Buffer.from(message.event ?? '');
    writeFileSync(file, Buffer.concat([...part(event), ...part(message.payload)]));
    // After it was written: a worker that dies before leaves the message to another.
    message.ack();
  }
  closeSync(file);
  consumer.close();
  queue.close();
}

const [verb, ...args] = process.argv.slice(2);
try {
  if (verb === 'send' && args.length === 2) {
    await send(...args);
  } else if (verb === 'work' && args.length === 3) {
    await work(...args);
  } else if (verb === 'work' && args.length === 4 && /^\d+$/.test(args[3])) {
    await work(...args.slice(0, 3), Number(args[3]));
  } else {
    console.error('usage: node records.js send QUEUE FILE | work QUEUE GROUP FILE [N]');
    process.exitCode = 2;
  }
} catch (error) {
  console.error(`records.js: ${error.message}`);
  process.exitCode = 1;
}
