// Slipring from Node.js, over libslipring.so by koffi.
//
//     const queue = Queue.openOrCreate('orders', { capacity: 1 << 20 });
//     const producer = queue.producer();
//     await producer.send('hello', { event: 'greeting' });
//     for await (const message of queue.consumer('default')) {
//       console.log(message.event, message.payload.toString());
//       message.ack(); // or retry(), or reject('why')
//     }
//
// Times are in milliseconds; none means for ever. The library is found as $SLIPRING_LIBRARY says, or as the system finds libslipring.so.0.
//
// Every call of the library is made by the thread that runs the JavaScript, and none of them waits: a consumer that has nothing is woken by
// its descriptor in Node's own event loop. So there is no pool of threads to run dry, a message can be acked while the next is awaited, and the
// library's rule, that one thread at a time uses a consumer, holds by itself.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';

const OK = 0, FULL = -1, EMPTY = -2, CLOSED = -4;

/** Options: `start` of a consumer; `flags` of a consumer, and of a queue. */
export const EARLIEST = 0, LATEST = 1, POSITION = 2;
export const LOSSY = 1;
export const TOPIC = 1, FENCED = 2;

koffi.opaque('slipring_queue');
koffi.opaque('slipring_producer');
koffi.opaque('slipring_consumer');
koffi.struct('slipring_queue_options', {
  struct_size: 'uint32_t', block_size: 'uint32_t', capacity: 'uint64_t', retain: 'uint64_t',
  mode: 'uint32_t', max_groups: 'uint32_t', max_members: 'uint32_t', flags: 'uint32_t',
});
koffi.struct('slipring_consumer_options', {
  struct_size: 'uint32_t', start: 'uint32_t', position: 'uint64_t', prefetch: 'uint32_t',
  max_deliveries: 'uint32_t', dead_letter: 'const char *', filter: 'const char *', flags: 'uint32_t', spare: 'uint32_t',
});
koffi.struct('slipring_message', {
  data: 'void *', len: 'size_t', event: 'void *', event_len: 'size_t',
  position: 'uint64_t', cookie: 'uint64_t', deliveries: 'uint32_t', spare: 'uint32_t',
});

function load(name) {
  try {
    return koffi.load(name);
  } catch (error) {
    throw new Error(`${name}: ${error.message}; \`make install\` in Slipring's repository installs it, SLIPRING_LIBRARY names it elsewhere`);
  }
}

const library = load(process.env.SLIPRING_LIBRARY ?? 'libslipring.so.0');
const c = {};
for (const prototype of [
  'const char *slipring_last_error()',
  'void slipring_queue_options_init(_Out_ slipring_queue_options *)',
  'void slipring_consumer_options_init(_Out_ slipring_consumer_options *)',
  'int slipring_create(const char *, const slipring_queue_options *, _Out_ slipring_queue **)',
  'int slipring_open(const char *, _Out_ slipring_queue **)',
  'int slipring_open_or_create(const char *, const slipring_queue_options *, _Out_ slipring_queue **)',
  'void slipring_close(slipring_queue *)',
  'int slipring_shutdown(slipring_queue *)',
  'int slipring_unlink(const char *)',
  'int slipring_producer_open(slipring_queue *, _Out_ slipring_producer **)',
  'void slipring_producer_close(slipring_producer *)',
  'int slipring_send_event(slipring_producer *, const char *, const void *, size_t, int64_t)',
  'int slipring_consumer_open(slipring_queue *, const char *, const slipring_consumer_options *, _Out_ slipring_consumer **)',
  'void slipring_consumer_close(slipring_consumer *)',
  'int slipring_borrow(slipring_consumer *, int64_t, _Out_ slipring_message *)',
  'int slipring_ack(slipring_consumer *, const slipring_message *)',
  'int slipring_retry(slipring_consumer *, const slipring_message *)',
  'int slipring_reject(slipring_consumer *, const slipring_message *, const char *)',
  'int slipring_consumer_fd(slipring_consumer *)',
  'uint64_t slipring_lag(slipring_consumer *)',
]) {
  const name = prototype.match(/slipring_\w+(?=\()/)[0];
  c[name.replace('slipring_', '')] = library.func(prototype);
}
const memcpy = koffi.load(null).func('void *memcpy(void *, const void *, size_t)');

/** A call failed; `status` is the code of slipring.h. */
export class SlipringError extends Error {
  constructor(call, status) {
    super(`slipring_${call}: ${c.last_error()}`);
    this.name = 'SlipringError';
    this.status = status;
  }

  /** The queue was closed; for a consumer: and everything in it is done. */
  get closed() {
    return this.status === CLOSED;
  }
}

function check(call, status) {
  if (status < 0) throw new SlipringError(call, status);
  return status;
}

/** A string for C, which would take a NUL for its end. */
function text(string) {
  if (string?.includes('\0')) throw new RangeError('a NUL in a name');
  return string ?? null;
}

function filled(init, options) {
  const struct = {};
  init(struct);
  for (const [option, value] of Object.entries(options)) {
    if (!(option in struct)) throw new TypeError(`unknown option: ${option}`);
    struct[option] = typeof value === 'string' ? text(value) : value;
  }
  return struct;
}

/** Calls what makes a handle. */
function made(call, ...args) {
  const out = [null];
  check(call, c[call](...args, out));
  return out[0];
}

/** An open queue. Closing it leaves its producers and consumers at work. */
export class Queue {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Options: capacity, block_size, retain, mode, max_groups, max_members, flags. */
  static create(name, options = {}) {
    return new Queue(made('create', text(name), filled(c.queue_options_init, options)));
  }

  static openOrCreate(name, options = {}) {
    return new Queue(made('open_or_create', text(name), filled(c.queue_options_init, options)));
  }

  static open(name) {
    return new Queue(made('open', text(name)));
  }

  static unlink(name) {
    check('unlink', c.unlink(text(name)));
  }

  producer() {
    return new Producer(made('producer_open', this.#handle));
  }

  /** Options: start, position, prefetch, max_deliveries, dead_letter, filter, flags. */
  consumer(group = null, options = {}) {
    const given = filled(c.consumer_options_init, options);
    return new Consumer(made('consumer_open', this.#handle, text(group), given));
  }

  /** Closes the queue for good: producers stop, consumers drain. */
  shutdown() {
    check('shutdown', c.shutdown(this.#handle));
  }

  close() {
    c.close(this.#handle);
    this.#handle = null;
  }
}

/** The sending side. */
export class Producer {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** Sends if there is room now; says whether there was. */
  trySend(payload, { event } = {}) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const status = c.send_event(this.#handle, text(event), bytes, bytes.byteLength, 0);
    return status !== FULL && check('send_event', status) === OK;
  }

  /**
   * Sends a string or a Buffer (or another Uint8Array), which is to be left alone until then. False if there was no room in time. Await it
   * before the next, or they may overtake each other.
   */
  async send(payload, { event, timeout = Infinity } = {}) {
    const end = performance.now() + timeout;
    while (!this.trySend(payload, { event })) {
      if (performance.now() >= end) return false;
      // A full ring is a matter of consumers that are behind: looking again each millisecond is soon enough, and costs next to nothing.
      await sleep(1);
    }
    return true;
  }

  close() {
    c.producer_close(this.#handle);
    this.#handle = null;
  }
}

/** The receiving side. */
export class Consumer {
  #handle;
  #poll = null;
  #wake = null;
  #streak = 0;

  constructor(handle) {
    this.#handle = handle;
  }

  /** The next message if there is one now, else null. */
  tryReceive() {
    const found = {};
    const status = c.borrow(this.#handle, 0, found);
    if (status === EMPTY) return null;
    check('borrow', status);
    return new Message(found, (call, ...args) => check(call, c[call](this.#handle, found, ...args)));
  }

  /** The next message; null if there was none in time, or the consumer is closed. One call at a time. */
  async receive({ timeout = Infinity } = {}) {
    if (this.#wake) throw new Error('another receive is waiting');
    // Where there is always a message nobody would wait, and timers and sockets would get no turn.
    if (++this.#streak % 64 === 0) await setImmediate();
    const end = performance.now() + timeout;
    while (this.#handle) {
      const message = this.tryReceive();
      if (message || performance.now() >= end) return message;
      await this.#readable(end - performance.now());
    }
    return null;
  }

  /** Waits until there may be a message, or the time is over, or the consumer closed. */
  async #readable(time) {
    this.#poll ??= koffi.node.poll(check('consumer_fd', c.consumer_fd(this.#handle)), { readable: true }, () => this.#wake?.());
    let timer;
    await new Promise((resolve) => {
      this.#wake = resolve;
      this.#poll.start({ readable: true }, resolve);
      // What a timer can hold; the caller looks at the time, too.
      if (time !== Infinity) timer = setTimeout(resolve, Math.min(time, 2 ** 31 - 1));
    });
    this.#wake = null;
    clearTimeout(timer);
    // It would keep the program running.
    this.#poll?.stop();
  }

  /** Messages until the queue is closed and drained, or the consumer closed. */
  async *[Symbol.asyncIterator]() {
    try {
      for (let message; (message = await this.receive()); ) yield message;
    } catch (error) {
      if (!error.closed) throw error;
    }
  }

  /** Messages that the group has not acked. */
  lag() {
    return c.lag(this.#handle);
  }

  /** Leaves the group. Messages that were not settled are given back. */
  close() {
    this.#poll?.close();
    this.#poll = null;
    c.consumer_close(this.#handle);
    this.#handle = null;
    this.#wake?.();
  }
}

/** A message in hand, until it is acked, retried or rejected, or its consumer closed. What it holds is a copy, and yours to keep. */
export class Message {
  #settle;

  constructor(found, settle) {
    this.#settle = settle;
    this.payload = copied(found.data, found.len);
    this.event = found.event ? copied(found.event, found.event_len).toString() : null;
    this.position = found.position;
    /** How often it was delivered to this group, this time included. */
    this.deliveries = found.deliveries;
  }

  /** Done: no crash of anybody brings it back. */
  ack() {
    this.#settle('ack');
  }

  /** Gives it back, to be delivered again. */
  retry() {
    this.#settle('retry');
  }

  /** Puts it aside as a dead letter. */
  reject(reason) {
    this.#settle('reject', text(reason));
  }
}

function copied(from, length) {
  const buffer = Buffer.allocUnsafe(length);
  if (length > 0) memcpy(buffer, from, length);
  return buffer;
}
