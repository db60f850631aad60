// The page in a real browser. Is told its address.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, check, open, run } from './browser.mjs';

const [address, token, shots] = process.argv.slice(2);
const faults = [];
const page = await (await open()).newPage();
page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on('pageerror', (error) => faults.push(`error: ${error}`));
page.on('request', (request) => {
  const { host, protocol } = new URL(request.url());
  if (host !== address && protocol !== 'data:') faults.push(`request: ${request.url()}`);
});

/** The number at the beginning of a text: 1.5K is 1500. */
function number(text) {
  const [, digits, unit] = /([\d.,]+)\s*([KM]?)/.exec(text);
  return parseFloat(digits.replaceAll(',', '')) * { '': 1, K: 1e3, M: 1e6 }[unit];
}

const card = (name) => page.locator('.queue').filter({ has: page.locator('.name', { hasText: new RegExp(`^${name}$`) }) });
const fact = (name) => page.locator('#facts div').filter({ hasText: name }).locator('dd').textContent();

/** Waits from here: in the page nothing may be evaluated later than at once. */
async function inPage(text) {
  for (const start = Date.now(); !(await page.evaluate(text)); await sleep(50)) {
    check(Date.now() - start < 60_000, text);
  }
}

async function shot(name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

async function enter() {
  await page.goto(`http://${address}/`);
  await page.locator('#token').waitFor();
  check(!(await page.locator('#columns').isVisible()), 'nothing is shown without the token');
  await page.fill('#token-value', 'wrong');
  await page.keyboard.press('Enter');
  await page.locator('#token-wrong').waitFor();
  await page.fill('#token-value', token);
  await page.keyboard.press('Enter');
  await card('q').waitFor();
  check((await page.locator('#status').textContent()) === 'live', 'it is live');
  // In this tab the token is known.
  await page.reload();
  await card('q').waitFor();
}

async function figuresMove() {
  await ask('load');
  await card('q').click();
  await inPage(`parseFloat(document.getElementById('detail-sent').textContent) > 0`);
  const sent = number(await fact('Sent'));
  await inPage(`parseFloat(document.querySelector('#facts div:nth-child(3) dd').textContent.replaceAll(',', '')) > ${sent}`);
  await inPage(`[...document.querySelectorAll('#groups td:first-child')].some((cell) => cell.textContent === 'workers')`);
  check((await page.locator('#members tr').count()) === 2, 'the producer and the consumer are there');
  const line = () => page.locator('#chart path.sent').getAttribute('d');
  const before = await line();
  await inPage(`document.querySelector('#chart path.sent').getAttribute('d') !== ${JSON.stringify(before)}`);
  check(/[^0]/.test(await page.locator('#total-sent').textContent()), 'the total moves as well');
  await shot('load');
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot('dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await ask('rest');
}

async function hostilePayloads() {
  await ask('hostile');
  await page.locator('#messages .preview', { hasText: '<img src=x' }).first().waitFor();
  await page.locator('#follow').uncheck();
  const items = page.locator('#messages li');
  for (let at = 0; at < await items.count(); at += 1) await items.nth(at).locator('summary').click();
  for (const form of ['Hex', 'JSON', 'Text']) {
    await page.locator('#form label', { hasText: form }).click();
    await page.locator('#messages pre').first().waitFor();
    const text = await page.locator('#messages').textContent();
    if (form === 'Hex') check(text.includes('3c 69 6d 67 20 73 72 63'), 'hex shows the bytes');
    if (form === 'JSON') check(text.includes('"key": "value"'), 'JSON is laid out');
    if (form === 'Text') check(text.includes('<script>window.hit=1</script>'), 'text is text');
    check(!/[\u202e\u0007]/.test(text), 'no control characters');
  }
  const strange = await page.locator('#messages :is(img, script, iframe, a, style)').count();
  check(strange === 0, 'payloads make no elements');
  check(await page.evaluate('window.hit === undefined'), 'payloads run no script');
  await shot('messages');
}

async function queuesComeAndGo() {
  await ask('create later');
  await card('later').waitFor();
  await card('later').click();
  await inPage(`document.getElementById('detail-name').textContent === 'later'`);
  await page.locator('#no-messages').waitFor();
  await ask('remove later');
  await card('later').waitFor({ state: 'detached' });
  check(!(await page.locator('#detail').isVisible()), 'nor is it shown at the side');
}

async function narrow() {
  await page.setViewportSize({ width: 360, height: 800 });
  const fits = () => page.evaluate('document.documentElement.scrollWidth <= innerWidth');
  check(await fits(), 'the list is as wide as a phone');
  await card('q').focus();
  await page.keyboard.press('Enter');
  await page.locator('#detail').waitFor();
  check(await fits(), 'and so is a queue');
  await shot('phone');
  await page.keyboard.press('Escape');
  await page.locator('#detail').waitFor({ state: 'hidden' });
}

async function gatewayGoesAndComes() {
  await ask('restart');
  await inPage(`document.getElementById('status').textContent !== 'live'`);
  await ask('started');
  await inPage(`document.getElementById('status').textContent === 'live'`);
}

await run([enter, figuresMove, hostilePayloads, queuesComeAndGo, narrow, gatewayGoesAndComes], faults);
