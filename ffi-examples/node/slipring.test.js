// What slipring.js promises: node --test, in this folder.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, SlipringError } from './slipring.js';

const bounded = { timeout: 60_000 };
let directory, name, queue, producer, consumer;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipring-node-'));
  name = join(directory, 'queue');
  queue = Queue.create(name, { capacity: 1 << 20 });
  producer = queue.producer();
  consumer = queue.consumer('default');
});

afterEach(() => {
  for (const handle of [consumer, producer, queue]) handle.close();
  rmSync(directory, { recursive: true });
});

test('strings and buffers arrive as they were', bounded, async () => {
  const all = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at));
  for (const payload of ['', 'straße', 'a\0b', all, all.subarray(3, 9), new Uint8Array([1, 2])]) {
    await producer.send(payload, { event: 'straße' });
    const message = consumer.tryReceive();
    assert.deepEqual(message.payload, Buffer.from(payload));
    assert.equal(message.event, 'straße');
    message.ack();
    assert.deepEqual(message.payload, Buffer.from(payload), 'it is a copy');
  }
  await producer.send('x');
  assert.equal(consumer.tryReceive().event, null);
});

test('a message is settled once', bounded, async () => {
  await producer.send('x');
  const message = consumer.tryReceive();
  message.retry();
  assert.throws(() => message.ack(), SlipringError);
  const again = consumer.tryReceive();
  assert.equal(again.deliveries, 2);
  again.reject('why');
  assert.equal(consumer.tryReceive(), null);
});

test('a receive that waits holds up neither timers nor acks', bounded, async () => {
  await producer.send('first');
  const first = await consumer.receive();
  const waiting = consumer.receive();
  await assert.rejects(consumer.receive(), /another receive/);
  await sleep(20);
  first.ack();
  await producer.send('second');
  const second = await waiting;
  assert.equal(second.payload.toString(), 'second');
  second.ack();
  assert.equal(consumer.lag(), 0);
});

test('a flood of messages leaves timers their turn', bounded, async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let sent = 0; turns === 0 && sent < 1_000_000; sent++) {
    producer.trySend('x');
    (await consumer.receive()).ack();
  }
  clearInterval(timer);
  assert.notEqual(turns, 0);
});

test('options reach the library', bounded, () => {
  const picky = queue.consumer('picky', { max_deliveries: 1, dead_letter: name + '.dead', filter: 'order.*' });
  producer.trySend('other', { event: 'bill.paid' });
  producer.trySend('bad', { event: 'order.paid' });
  const message = picky.tryReceive();
  assert.equal(message.event, 'order.paid');
  message.reject('no such order');
  assert.equal(picky.tryReceive(), null);
  picky.close();
  const dead = Queue.open(name + '.dead');
  const letters = dead.consumer();
  assert.notEqual(letters.tryReceive(), null);
  letters.close();
  dead.close();
});

test('no room and no message are no errors', bounded, async () => {
  assert.equal(await consumer.receive({ timeout: 0 }), null);
  assert.equal(await consumer.receive({ timeout: 10 }), null);
  while (producer.trySend(Buffer.alloc(100_000)));
  assert.equal(await producer.send(Buffer.alloc(100_000), { timeout: 5 }), false);
  const waiting = producer.send(Buffer.alloc(100_000));
  for (let message; (message = consumer.tryReceive()); ) message.ack();
  assert.equal(await waiting, true);
});

test('iteration ends with the queue, and with the consumer', bounded, async () => {
  for (let number = 0; number < 200; number++) await producer.send(String(number));
  queue.shutdown();
  const found = [];
  for await (const message of consumer) {
    found.push(Number(message.payload));
    message.ack();
  }
  assert.deepEqual(found, Array.from({ length: 200 }, (_, number) => number));
  await assert.rejects(consumer.receive(), (error) => error.closed);
  await assert.rejects(producer.send('late'), (error) => error.closed);

  const other = Queue.create(name + '2', { capacity: 1 << 20 });
  const idle = other.consumer('default');
  setImmediate(() => idle.close());
  for await (const message of idle) assert.fail(message);
  other.close();
});

test('a message from another process wakes a receive', bounded, async () => {
  const waiting = consumer.receive();
  const script = `import { Queue } from './slipring.js'; await Queue.open(process.argv[1]).producer().send('from afar')`;
  const cwd = new URL('.', import.meta.url);
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, name], { cwd, stdio: 'inherit' });
  const message = await waiting;
  assert.equal(message.payload.toString(), 'from afar');
  message.ack();
  const code = await new Promise((resolve) => (child.exitCode === null ? child.on('exit', resolve) : resolve(child.exitCode)));
  assert.equal(code, 0, 'it ended by itself');
});

test('a library that is not there', bounded, () => {
  const env = { ...process.env, SLIPRING_LIBRARY: '/none/libslipring.so.0' };
  const said = spawnSync(process.execPath, ['--input-type=module', '-e', "import './slipring.js'"], { env, cwd: new URL('.', import.meta.url), encoding: 'utf8' });
  assert.equal(said.status, 1);
  assert.match(said.stderr, /Error: \/none\/libslipring.so.0: .*; `make install`/);
});

test('errors say what is wrong', bounded, () => {
  assert.throws(() => Queue.open(name + '-not-there'), (error) => error.status === -7 && error.message.startsWith('slipring_open: '));
  assert.throws(() => Queue.create(name + '2', { capasity: 1 }), TypeError);
  assert.throws(() => Queue.open(name + '\0'), RangeError);
  assert.throws(() => producer.trySend('x', { event: 'a\0b' }), RangeError);
  for (const handle of [consumer, producer, queue]) handle.close();
  assert.throws(() => consumer.tryReceive(), SlipringError);
  assert.throws(() => producer.trySend(''), SlipringError);
  assert.throws(() => queue.shutdown(), SlipringError);
});
