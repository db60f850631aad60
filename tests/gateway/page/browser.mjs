// A headless Chromium, and the test that it runs for: has things done by lines of text, and goes on when they are (a line on standard input).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
setTimeout(() => process.exit(1), 240_000).unref();
// Before anything else: it would wait for ever for a line that never comes.
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const opened = [];

/** A browser of its own, with nothing known from before. */
export async function open() {
  const profile = mkdtempSync(join(tmpdir(), 'slipring-page-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium', headless: true, args: flags, viewport: { width: 1360, height: 1000 },
  });
  browser.setDefaultTimeout(60_000);
  opened.push({ profile, browser });
  return browser;
}

/** Has the other side do something. */
export async function ask(what) {
  console.log(what);
  await answers.next();
}

export function check(is, what) {
  if (!is) throw new Error(`not so: ${what}`);
}

/** Goes through the parts of a test, says how it went, and ends. */
export async function run(parts, faults) {
  try {
    for (const part of parts) {
      await part().catch((error) => { throw new Error(`${part.name}: ${error.message}`); });
    }
    check(faults.length === 0, `no faults: ${faults}`);
    console.log('done');
  } catch (error) {
    console.log(`failed: ${error.message} (faults: ${faults})`);
  } finally {
    for (const { profile, browser } of opened) {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    }
    process.exit();
  }
}
