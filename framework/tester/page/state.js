// What the page knows, who is told when it changes, and how it goes into an address.

import { later, same } from "./dom.js";

export const state = {
  status: null,
  step: "catalogue",
  definition: null,
  settings: {},
  kept: [],
  subscriptions: [],
  text: "",
  mode: "sandbox",
  diagnostics: [],
  run: null,
  stale: false,
  selected: 0,
  leg: null,
  schemas: {},
};

const bus = new EventTarget();

export const on = (topic, act, signal) => bus.addEventListener(topic, () => act(), { signal });

export function changed(topic) {
  if (["settings", "subscriptions", "events", "mode"].includes(topic)) state.stale = true;
  bus.dispatchEvent(new Event(topic));
  keepAddress();
}

const secret = (key) => state.definition?.settings.find((field) => field.key === key)?.secret;

// The connection as the API takes it; a mapping holds only what differs from the defaults.
export function connection() {
  const settings = Object.fromEntries(Object.entries(state.settings).filter(([, value]) => value !== "" && value !== undefined));
  return {
    destination: state.definition.slug,
    settings,
    subscriptions: state.subscriptions.map(subscriptionOf),
  };
}

export function subscriptionOf({ name, partnerAction, subscribe, mapping, enabled }) {
  return { name, partnerAction, subscribe, mapping, enabled };
}

export const actionOf = (subscription) => state.definition.actions.find((action) => action.slug === subscription.partnerAction);

export function ownMapping(action, full) {
  return Object.fromEntries(Object.entries(full ?? {}).filter(([key, value]) => !(key in action.mapping && same(value, action.mapping[key]))));
}

export const fullMapping = (subscription) => ({ ...actionOf(subscription)?.mapping, ...subscription.mapping });

// Events from a text: an object, a list, or objects one after the other, on lines of their own or not.
export function parseEvents(text) {
  const events = [];
  try {
    const whole = JSON.parse(text);
    events.push(...(Array.isArray(whole) ? whole : [whole]));
  } catch {
    for (const [piece, line] of pieces(text)) {
      try {
        events.push(JSON.parse(piece));
      } catch (error) {
        return { events: [], problem: `From line ${line}: ${error.message}.` };
      }
    }
  }
  const odd = events.findIndex((event) => event === null || typeof event !== "object" || Array.isArray(event));
  if (odd >= 0) return { events: [], problem: `Event ${odd + 1} is not an object.` };
  if (events.length > 5_000) return { events: [], problem: `At most 5,000 events at a time, not ${events.length.toLocaleString("en")}.` };
  return { events, problem: events.length ? null : "There is no event yet." };
}

function* pieces(text) {
  let depth = 0;
  let start = -1;
  let line = 1;
  let from = 1;
  for (let at = 0, quoted = false; at < text.length; at += 1) {
    const char = text[at];
    if (char === "\n") line += 1;
    if (start < 0 && !/[\s,]/.test(char)) [start, from] = [at, line];
    if (quoted) {
      if (char === "\\") at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if ("{[".includes(char)) depth += 1;
    else if ("}]".includes(char)) depth -= 1;
    if (start >= 0 && depth <= 0 && (("}]".includes(char) && !quoted) || char === "\n")) {
      yield [text.slice(start, at + 1), from];
      [start, depth] = [-1, 0];
    }
  }
  if (start >= 0) yield [text.slice(start), from];
}

let parsed = { text: null, answer: null };
export function events() {
  if (parsed.text !== state.text) parsed = { text: state.text, answer: parseEvents(state.text) };
  return parsed.answer;
}

// Every path that the first events have, for completion: `$.properties.plan`.
export function eventPaths() {
  const found = new Map();
  const walk = (value, path, depth) => {
    if (depth > 6 || found.size > 500) return;
    if (path !== "$" && !found.has(path)) found.set(path, value);
    if (Array.isArray(value)) value.slice(0, 1).forEach((one) => walk(one, `${path}[0]`, depth + 1));
    else if (value && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) {
        walk(inner, /^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}['${key}']`, depth + 1);
      }
    }
  };
  events().events.slice(0, 20).forEach((event) => walk(event, "$", 0));
  return found;
}

const MOST = 24_000;

// The state as it stands in the address: no token, no secret, and no events that are too long.
export function shareable() {
  const open = Object.entries(state.settings).filter(([key]) => !secret(key));
  const hidden = Object.entries(state.settings).filter(([key, value]) => secret(key) && String(value).length > 3);
  const told = {
    destination: state.definition?.slug,
    settings: Object.fromEntries(open),
    subscriptions: state.subscriptions.map(subscriptionOf),
    text: state.text.length > MOST ? "" : state.text,
    mode: state.mode,
  };
  return hidden.reduce((text, [, value]) => text.replaceAll(JSON.stringify(String(value)).slice(1, -1), "••••"), JSON.stringify(told));
}

async function piped(bytes, stream) {
  const answer = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await answer.arrayBuffer());
}

export async function packed() {
  const bytes = await piped(new TextEncoder().encode(shareable()), new CompressionStream("deflate-raw"));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export async function unpacked(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = await piped(Uint8Array.from(raw, (char) => char.charCodeAt(0)), new DecompressionStream("deflate-raw"));
  return JSON.parse(new TextDecoder().decode(bytes));
}

export async function address() {
  const parameters = new URLSearchParams({ step: state.step });
  if (state.definition) parameters.set("case", await packed());
  return `#${parameters}`;
}

export const keepAddress = later(300, async () => {
  history.replaceState(null, "", await address());
});
