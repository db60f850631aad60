'use strict';

// Figures come once a second over WebSocket. All that is shown is hostile: it becomes text nodes and attributes, never markup.

const MINUTE = 61;
const $ = (id) => document.getElementById(id);

const state = {
  token: sessionStorage.getItem('token') || '',
  socket: null,
  retry: 500,
  /** What came last. */
  figures: null,
  /** Points of the last minute, by queue's id. */
  past: new Map(),
  cards: new Map(),
  selected: null,
  messages: { of: null, sent: -1, busy: false },
};

/* The connection */

function connect() {
  if (state.socket || document.hidden) return;
  const url = new URL('ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (state.token) url.searchParams.set('access_token', state.token);
  const socket = new WebSocket(url);
  state.socket = socket;
  socket.onmessage = (event) => {
    state.retry = 500;
    status('live', 'live');
    $('token').hidden = true;
    $('columns').hidden = $('totals').hidden = false;
    take(JSON.parse(event.data));
  };
  socket.onclose = () => {
    if (state.socket !== socket) return;
    state.socket = null;
    if (document.hidden) return;
    status('lost', 'reconnecting');
    whyClosed();
  };
}

/** WebSocket does not say why it was refused; a request does. */
async function whyClosed() {
  const answer = await fetch('metrics', { method: 'HEAD', headers: headers() }).catch(() => null);
  if (answer && [401, 403].includes(answer.status)) return askForToken();
  setTimeout(connect, state.retry);
  state.retry = Math.min(state.retry * 2, 5000);
}

function headers() {
  return state.token ? { Authorization: `Bearer ${state.token}` } : {};
}

function askForToken() {
  status('lost', 'locked');
  $('columns').hidden = $('totals').hidden = true;
  $('token-wrong').hidden = !state.token;
  $('token').hidden = false;
  $('token-value').value = '';
  $('token-value').focus();
}

$('token').addEventListener('submit', (event) => {
  event.preventDefault();
  state.token = $('token-value').value;
  sessionStorage.setItem('token', state.token);
  connect();
});

// A page that nobody sees costs nothing.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) return connect();
  state.socket?.close();
  state.socket = null;
});

function status(name, text) {
  const pill = $('status');
  pill.dataset.state = name;
  if (pill.textContent !== text) pill.textContent = text;
}

/* Figures */

function take(figures) {
  const seconds = state.figures ? (figures.ms - state.figures.ms) / 1000 : 0;
  const before = state.figures;
  state.figures = figures;
  figures.queues.sort((a, b) => a.name.localeCompare(b.name));
  for (const queue of figures.queues) remember(queue, figures.ms);
  const known = new Set(figures.queues.map((queue) => queue.id));
  for (const id of state.past.keys()) if (!known.has(id)) state.past.delete(id);
  // The clock of a gateway that was started again begins anew, and so do its counts.
  showTotals(figures, seconds > 0 ? before : null, seconds);
  showQueues();
  showDetail();
}

function remember(queue, ms) {
  let past = state.past.get(queue.id);
  if (!past || past.at(-1).ms >= ms) state.past.set(queue.id, (past = []));
  const last = past.at(-1);
  const rate = (now, then) => Math.max(0, ((now - then) * 1000) / (ms - last.ms));
  const counts = new Map(queue.members.map((member) => [`${member.row} ${member.pid}`, member.count]));
  queue.rate = last
    ? { sent: rate(queue.sent, last.counted.sent), received: rate(queue.received, last.counted.received) }
    : { sent: 0, received: 0 };
  for (const member of queue.members) {
    const then = last?.counts.get(`${member.row} ${member.pid}`);
    member.rate = then === undefined ? 0 : rate(member.count, then);
  }
  past.push({
    ms,
    counts,
    counted: { sent: queue.sent, received: queue.received },
    sent: queue.rate.sent,
    received: queue.rate.received,
    lags: new Map(queue.groups.map((group) => [group.name, group.lag])),
  });
  if (past.length > MINUTE) past.shift();
}

function showTotals(figures, before, seconds) {
  const sum = (value) => figures.queues.reduce((total, queue) => total + value(queue), 0);
  const lag = sum((queue) => queue.groups.reduce((most, group) => Math.max(most, group.lag), 0));
  const through = before ? Math.max(0, figures.published + figures.delivered - before.published - before.delivered) / seconds : 0;
  $('host').textContent = `${location.host} · ${figures.version}`;
  perSecond('total-sent', sum((queue) => queue.rate.sent));
  perSecond('total-received', sum((queue) => queue.rate.received));
  $('total-lag').textContent = short(lag);
  $('total-dead').textContent = short(sum((queue) => queue.deadLettered));
  $('total-connections').textContent = short(figures.connections);
  perSecond('total-gateway', through);
}

function perSecond(id, value) {
  $(id).replaceChildren(short(value), el('small', {}, ' /s'));
}

/* The queues */

function showQueues() {
  const { queues, more } = state.figures;
  const wanted = $('search').value.toLowerCase();
  const shown = queues.filter((queue) => queue.name.toLowerCase().includes(wanted));
  const ids = new Set(shown.map((queue) => queue.id));
  for (const [id, card] of state.cards) {
    if (ids.has(id)) continue;
    card.item.remove();
    state.cards.delete(id);
  }
  shown.forEach((queue, at) => {
    const card = state.cards.get(queue.id) || newCard(queue);
    // Moved only if it has to be, lest it lose the focus.
    const list = $('queues');
    if (list.children[at] !== card.item) list.insertBefore(card.item, list.children[at] || null);
    fillCard(card, queue);
  });
  $('none').hidden = queues.length > 0;
  $('more').hidden = more === 0;
  $('more').textContent = `and ${more} more`;
}

function newCard(queue) {
  const part = (className, tag = 'span') => el(tag, { className });
  const card = {
    state: part('pill'), sent: el('b'), received: el('b'), spark: svg('spark'), fill: part('', 'i'), bar: part('fill'), foot: part('foot'),
  };
  card.bar.append(card.fill);
  card.button = el('button', { type: 'button', className: 'card queue' },
    el('span', { className: 'top' }, el('span', { className: 'name', title: queue.name }, queue.name), card.state),
    el('span', { className: 'rates' },
      el('span', {}, card.sent, 'sent/s'), el('span', {}, card.received, 'delivered/s'), card.spark),
    card.bar, card.foot);
  card.button.addEventListener('click', () => select(queue.id));
  card.item = el('li', {}, card.button);
  state.cards.set(queue.id, card);
  return card;
}

function fillCard(card, queue) {
  const part = queue.capacity ? queue.used / queue.capacity : 0;
  const lag = queue.groups.reduce((most, group) => (group.lag > most.lag ? group : most), { lag: 0 });
  card.button.setAttribute('aria-pressed', String(queue.id === state.selected));
  pillOf(card.state, queue);
  card.sent.textContent = short(queue.rate.sent);
  card.received.textContent = short(queue.rate.received);
  draw(card.spark, 120, 38, [['sent', state.past.get(queue.id).map((point) => point.sent)]]);
  card.bar.className = `fill${part > 0.85 ? ' full' : part > 0.5 ? ' half' : ''}`;
  card.fill.style.width = `${Math.min(100, part * 100)}%`;
  card.foot.replaceChildren(
    el('span', {}, `${percent(part)} of ${bytes(queue.capacity)}`),
    el('span', {}, `${lagText(lag)} not acked`),
    el('span', {}, plural(queue.groups.length, 'group')),
    el('span', {}, plural(queue.memberCount, 'member')),
    queue.deadLettered ? el('span', { className: 'bad' }, plural(queue.deadLettered, 'dead letter')) : '');
}

function pillOf(pill, queue) {
  pill.dataset.state = queue.closed ? 'closed' : 'open';
  pill.textContent = pill.dataset.state;
}

function select(id) {
  const last = state.selected;
  state.selected = id;
  showQueues();
  showDetail();
  if (id) $('detail-name').focus({ preventScroll: innerWidth > 900 });
  else state.cards.get(last)?.button.focus();
}

$('back').addEventListener('click', () => select(null));
$('search').addEventListener('input', () => state.figures && showQueues());
document.addEventListener('keydown', (event) => event.key === 'Escape' && state.selected && select(null));

/* One queue */

function showDetail() {
  const queue = state.figures.queues.find((queue) => queue.id === state.selected);
  if (!queue) state.selected = null;
  $('detail').hidden = !queue;
  $('columns').classList.toggle('open', Boolean(queue));
  if (!queue) return;
  const past = state.past.get(queue.id);
  $('detail-name').textContent = queue.name;
  pillOf($('detail-state'), queue);
  const series = ['sent', 'received'].map((name) => [name, past.map((point) => point[name])]);
  const top = draw($('chart'), 600, 150, series);
  const label = `${short(queue.rate.sent)} messages a second sent, ${short(queue.rate.received)} delivered`;
  $('chart').setAttribute('aria-label', label);
  $('chart-top').textContent = short(top);
  $('detail-sent').textContent = `${short(queue.rate.sent)}/s`;
  $('detail-received').textContent = `${short(queue.rate.received)}/s`;
  $('facts').replaceChildren(...[
    ['Fill', `${bytes(queue.used)} of ${bytes(queue.capacity)}`],
    ['Positions', `${exact(queue.earliest)} – ${exact(queue.latest)}`],
    ['Sent', exact(queue.sent)],
    ['Delivered', exact(queue.received)],
    ['Dead letters', exact(queue.deadLettered)],
    ['Given up', exact(queue.dropped)],
    ['Members repaired', exact(queue.repaired)],
  ].map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
  showGroups(queue, past);
  showMembers(queue);
  followMessages(queue);
}

function showGroups(queue, past) {
  $('groups').replaceChildren(...queue.groups.map((group) => {
    const spark = svg('spark');
    draw(spark, 90, 22, [['received', past.map((point) => point.lags.get(group.name) || 0)]]);
    const name = el('td', { title: group.filter && `events ${group.filter}` }, group.name || 'anonymous');
    if (group.filter) name.append(' ', el('span', { className: 'chip' }, group.filter));
    return el('tr', {}, name, cell(group.members), cell(lagText(group)), el('td', {}, spark), cell(bytes(group.lagBytes)),
      cell(exact(group.redelivered)), cell(exact(group.deadLettered + group.dropped), group.deadLetter && `into ${group.deadLetter}`));
  }));
  $('readers').textContent = queue.readers ? `${plural(queue.readers, 'reader')} beside them that holds nobody up` : '';
}

function showMembers(queue) {
  $('members').replaceChildren(...queue.members.map((member) => el('tr', { className: member.alive ? '' : 'bad' },
    el('td', {}, member.alive ? String(member.pid) : `${member.pid} (dead)`),
    cell(member.group === null ? 'producer' : 'consumer'), cell(member.group ?? ''), cell(exact(member.count)), cell(`${short(member.rate)}/s`))));
  const left = queue.memberCount - queue.members.length;
  if (left > 0) $('members').append(el('tr', {}, el('td', { colSpan: 5 }, `and ${left} more`)));
}

/* Messages */

async function followMessages(queue, anyway = false) {
  const seen = state.messages;
  const fresh = seen.of === queue.id && (seen.sent === queue.sent || !$('follow').checked);
  if (seen.busy || (fresh && !anyway)) return;
  seen.busy = true;
  try {
    const path = `q/${encodeURIComponent(queue.name)}/latest?n=30`;
    const answer = await fetch(path, { headers: headers(), cache: 'no-store' });
    if (!answer.ok) return;
    const { messages } = await answer.json();
    if (state.selected !== queue.id) return;
    Object.assign(seen, { of: queue.id, sent: queue.sent });
    showMessages(messages.reverse());
  } catch {
    // The next figures bring another try.
  } finally {
    seen.busy = false;
  }
}

function showMessages(messages) {
  const list = $('messages');
  const open = new Set([...list.querySelectorAll('details[open]')].map((item) => item.dataset.position));
  const form = document.querySelector('input[name=form]:checked').value;
  list.replaceChildren(...messages.map((message) => messageItem(message, form, open.has(String(message.position)))));
  $('no-messages').hidden = messages.length > 0;
  state.messages.shown = messages;
}

function messageItem(message, form, open) {
  const raw = rawOf(message);
  const details = el('details', { open },
    el('summary', {},
      el('span', { className: 'mono muted position' }, `#${message.position}`),
      message.event ? el('span', { className: 'chip' }, visible(message.event)) : '',
      el('span', { className: 'mono preview' }, preview(message, raw)),
      el('span', { className: 'muted' }, bytes(message.size))));
  details.dataset.position = message.position;
  const fill = () => {
    if (!details.open || details.children.length > 1) return;
    if (message.deadLetter) details.append(deadLetter(message.deadLetter));
    details.append(el('pre', { className: form === 'hex' ? 'hex' : '', tabIndex: 0 }, render(message, raw, form)));
    if (message.cut) details.append(el('p', { className: 'muted' }, `the first ${bytes(raw.length)} of it`));
  };
  details.addEventListener('toggle', fill);
  // Who reads a message does not want it pushed away.
  details.firstChild.addEventListener('click', () => ($('follow').checked &&= details.open));
  fill();
  return el('li', {}, details);
}

function deadLetter(dead) {
  const text = `given up by ${dead.group} after ${plural(dead.deliveries, 'delivery', 'deliveries')}: ${visible(dead.reason)}`;
  return el('p', { className: 'bad' }, text);
}

function rawOf(message) {
  if (message.encoding === 'base64') return Uint8Array.from(atob(message.payload), (letter) => letter.charCodeAt(0));
  return new TextEncoder().encode(message.payload);
}

function preview(message, raw) {
  if (message.size === 0) return '(empty)';
  if (message.encoding === 'utf-8') return visible(message.payload.slice(0, 200).replace(/\s+/g, ' '));
  return hexOf(raw.subarray(0, 32));
}

function render(message, raw, form) {
  if (form === 'hex' || message.encoding !== 'utf-8') return dump(raw);
  if (form === 'json') {
    try {
      return visible(JSON.stringify(JSON.parse(message.payload), null, 2));
    } catch {
      return `(no JSON)\n${visible(message.payload)}`;
    }
  }
  return visible(message.payload);
}

const hexOf = (raw) => [...raw].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

function dump(raw) {
  const lines = [];
  for (let at = 0; at < raw.length; at += 16) {
    const row = raw.subarray(at, at + 16);
    const letters = String.fromCharCode(...row).replace(/[^ -~]/g, '.');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hexOf(row).padEnd(47)}  ${letters}`);
  }
  return lines.join('\n');
}

/** Control characters, and those that turn the direction of a text, are shown as a sign for themselves. */
function visible(text) {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

$('form').addEventListener('change', () => showMessages(state.messages.shown || []));
$('follow').addEventListener('change', () => {
  const queue = state.figures?.queues.find((queue) => queue.id === state.selected);
  if (queue) followMessages(queue, true);
});

/* Small things */

function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

const cell = (text, title = '') => el('td', { title }, String(text));

const SVG = 'http://www.w3.org/2000/svg';

function svg(className) {
  const node = document.createElementNS(SVG, 'svg');
  node.setAttribute('class', className);
  node.setAttribute('aria-hidden', 'true');
  node.setAttribute('preserveAspectRatio', 'none');
  return node;
}

/** Lines over the last minute, the newest point at the right; returns the value at the top. */
function draw(node, width, height, series) {
  const top = Math.max(1, ...series.flatMap(([, values]) => values));
  const x = (values, at) => ((width * (MINUTE - values.length + at)) / (MINUTE - 1)).toFixed(1);
  const y = (value) => (height - 2 - ((height - 6) * value) / top).toFixed(1);
  const path = (name, d) => {
    const line = document.createElementNS(SVG, 'path');
    line.setAttribute('class', name);
    line.setAttribute('d', d);
    return line;
  };
  const lines = series.map(([name, values]) => [name, values.map((value, at) => `${at ? 'L' : 'M'}${x(values, at)} ${y(value)}`).join('')]);
  const [, first] = series[0];
  const area = path('area', `${lines[0][1]}L${width} ${height}L${x(first, 0)} ${height}Z`);
  node.setAttribute('viewBox', `0 0 ${width} ${height}`);
  node.replaceChildren(area, ...lines.map(([name, d]) => path(name, d)));
  return top;
}

const numbers = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const short = (value) => numbers.format(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
const exact = (value) => value.toLocaleString('en');
const percent = (part) => `${part > 0 && part < 0.01 ? '<1' : Math.round(part * 100)} %`;
const plural = (count, one, many = `${one}s`) => `${exact(count)} ${count === 1 ? one : many}`;
const lagText = (group) => (group.estimated ? `≈ ${short(group.lag)}` : exact(group.lag));

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

connect();
