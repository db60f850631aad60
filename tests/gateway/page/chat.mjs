// The chat of `examples/chat` in two browsers, each with its own way to the gateway, which can be cut. Is told the gateway's address and the chat's file.

import { readFileSync } from 'node:fs';
import { createServer as serveHttp } from 'node:http';
import { connect, createServer as serve } from 'node:net';
import { join } from 'node:path';
import { ask, check, open, run } from './browser.mjs';

const [address, file, shots] = process.argv.slice(2);
const [host, port] = address.split(':');
const faults = [];
const client = 'node_modules/socket.io-client/dist/socket.io.min.js';

/** A server at a free port; where that is. */
const listen = (server) => new Promise((tell) => server.listen(0, '127.0.0.1', () => tell(`127.0.0.1:${server.address().port}`)));

const files = await listen(serveHttp((request, response) => {
  const { pathname } = new URL(request.url, 'http://files');
  const found = { '/': [file, 'text/html'], [`/${client}`]: [client, 'text/javascript'] }[pathname];
  if (!found) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': found[1] }).end(readFileSync(found[0]));
}));

/** One who takes part: a browser that sees the gateway through a pipe of its own. */
class Guest {
  constructor(name) {
    Object.assign(this, { name, cut: false, sockets: new Set() });
  }

  async enter() {
    this.pipe = await listen(serve((near) => {
      const far = this.cut ? near : connect(port, host);
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => {}).on('close', () => { near.destroy(); far.destroy(); this.sockets.delete(socket); });
      }
      if (this.cut) return near.destroy();
      near.pipe(far).pipe(near);
    }));
    this.page = await (await open()).newPage();
    this.page.on('pageerror', (error) => faults.push(`${this.name}: ${error}`));
    await this.page.goto(`http://${files}/?gateway=http://${this.pipe}`);
    await this.page.fill('#name', this.name);
    await this.is('connected');
  }

  /** Its connections break, and no new ones come about until it is mended. */
  breakOff(cut) {
    this.cut = cut;
    if (cut) for (const socket of this.sockets) socket.destroy();
  }

  async is(status) {
    await this.page.locator('#status', { hasText: status }).waitFor();
  }

  async write(...texts) {
    for (const text of texts) {
      await this.page.fill('#text', text);
      await this.page.keyboard.press('Enter');
    }
  }

  /** What it is shown, once so many messages are there and none waits to be sent. */
  async sees(count) {
    const items = this.page.locator('#messages li');
    await items.nth(count - 1).waitFor();
    await this.page.waitForFunction('!document.querySelector("#messages .waits")');
    return items.allTextContents();
  }
}

const [anna, bert] = ['anna', 'bert'].map((name) => new Guest(name));
let written = [];

/** What was written since is seen by both: each once, in the same order, which is that of the queue, and after what was there before. */
async function both(...texts) {
  const before = written;
  written = await anna.sees(before.length + texts.length);
  const other = await bert.sees(written.length);
  check(written.join() === other.join(), `anna sees ${written}, bert ${other}`);
  check(before.join() === written.slice(0, before.length).join(), `${before} comes first in ${written}`);
  const since = written.slice(before.length);
  check(texts.toSorted().join() === since.toSorted().join(), `${since} is ${texts}`);
  await ask(`is ${JSON.stringify(written)}`);
}

async function theyTalk() {
  await Promise.all([anna.enter(), bert.enter()]);
  await anna.write('one', 'two');
  await bert.write('three');
  await both('anna: one', 'anna: two', 'bert: three');
}

async function oneIsCutOff() {
  bert.breakOff(true);
  await bert.is('away');
  await bert.write('four', 'five');
  await anna.write('six', 'seven', 'eight');
  await anna.sees(written.length + 3);
  bert.breakOff(false);
  await bert.is('back again, nothing missed');
  await both('bert: four', 'bert: five', 'anna: six', 'anna: seven', 'anna: eight');
  if (shots) await bert.page.screenshot({ path: join(shots, 'chat.png') });
}

async function theGatewayIsKilled() {
  for (const round of [1, 2]) {
    await ask('kill');
    await Promise.all([anna.is('away'), bert.is('away')]);
    await anna.write(`nine ${round}`);
    await bert.write(`ten ${round}`, `eleven ${round}`);
    await ask('start');
    await Promise.all([anna.is('back again'), bert.is('back again')]);
    await both(`anna: nine ${round}`, `bert: ten ${round}`, `bert: eleven ${round}`);
  }
}

await run([theyTalk, oneIsCutOff, theGatewayIsKilled], faults);
