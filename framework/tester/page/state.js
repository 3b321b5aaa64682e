// The state of the page, its listeners, and its form in an address.

import { api } from "./api.js";
import { later, same } from "./dom.js";

export const state = {
  status: null,
  step: "catalogue",
  definition: null,
  settings: {},
  kept: [],
  touched: new Set(),
  consent: [],
  filters: [],
  enabled: true,
  base: null,
  subscriptions: [],
  text: "",
  mode: "sandbox",
  diagnostics: [],
  revision: 0,
  run: null,
  ran: [],
  ranFilters: [],
  refused: null,
  stale: false,
  selected: 0,
  wanted: -1,
  schemas: {},
};

const bus = new EventTarget();

export const on = (topic, act, signal) => bus.addEventListener(topic, () => act(), { signal });

export function changed(topic) {
  if (["settings", "subscriptions", "events", "mode"].includes(topic)) state.stale = true;
  if (["settings", "subscriptions", "diagnose"].includes(topic)) state.revision += 1;
  bus.dispatchEvent(new Event(topic));
  keepAddress();
}

const secret = (key) => state.definition?.settings.find((field) => field.key === key)?.secret;

// The connection in the API's form; a mapping holds only differences from the defaults.
export function connection() {
  const settings = Object.fromEntries(Object.entries(state.settings).filter(([, value]) => value !== "" && value !== undefined));
  return {
    destination: state.definition.slug,
    settings,
    ...(state.enabled ? {} : { enabled: false }),
    ...(state.consent.length ? { consent: { categories: state.consent } } : {}),
    ...(state.filters.length ? { filters: state.filters } : {}),
    subscriptions: state.subscriptions.map(subscriptionOf),
  };
}

// The target of questions to the partner: a dry run asks the sandbox, if there is one.
export const askMode = () => (state.mode === "dry" && state.definition.hasSandbox ? "sandbox" : state.mode);

export const targetName = (mode = askMode()) => (mode === "live" ? state.definition.name : mode === "dry" ? "no one (dry run)" : "the sandbox");

export function subscriptionOf({ name, partnerAction, subscribe, mapping, enabled, mappingVersion }) {
  return { name, partnerAction, subscribe, mapping, enabled, mappingVersion };
}

// A key as a step of a JSON pointer.
export const step = (key) => key.replaceAll("~", "~0").replaceAll("/", "~1");

export const actionOf = (subscription) => state.definition.actions.find((action) => action.slug === subscription.partnerAction);

export function ownMapping(action, full) {
  return Object.fromEntries(Object.entries(full ?? {}).filter(([key, value]) => !(Object.hasOwn(action.mapping, key) && same(value, action.mapping[key]))));
}

export const fullMapping = (subscription) => ({ ...actionOf(subscription)?.mapping, ...subscription.mapping });

const MOST_EVENTS = 5_000;

// Events from a text: an object, a list, or objects one after another, on separate lines or not. The page shows
// this at once; the server's reading decides, see `readEvents`.
function parseEvents(text) {
  let given = [];
  try {
    const whole = JSON.parse(text);
    given = Array.isArray(whole) ? whole : [whole];
  } catch {
    for (const [piece, line] of pieces(text)) {
      try {
        given.push(JSON.parse(piece));
      } catch (error) {
        return { events: [], problem: `From line ${line}: ${error.message}.` };
      }
    }
  }
  const odd = given.findIndex((event) => event === null || typeof event !== "object" || Array.isArray(event));
  if (odd >= 0) return { events: [], problem: `Event ${odd + 1} is not an object.` };
  if (given.length > MOST_EVENTS) return { events: [], tooMany: true, problem: `At most 5,000 events at a time, got ${given.length.toLocaleString("en")}.` };
  return { events: given, problem: given.length ? null : "Add an event first." };
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

let parsed = { text: null, answer: null, isRead: false };
export function events() {
  if (parsed.text !== state.text) parsed = { text: state.text, answer: parseEvents(state.text), isRead: false };
  return parsed.answer;
}

// Events as `actions run` reads them: a line that is no event costs that line, which the note names.
export async function readEvents() {
  const { text } = state;
  const own = events();
  if (parsed.isRead || !text.trim() || own.tooMany) return own;
  let answer;
  try {
    answer = answered(await api.readEvents({ text }));
  } catch (error) {
    if (error.status !== 400) return own;
    answer = { events: [], problem: error.message };
  }
  if (parsed.text === text) parsed = { text, answer, isRead: true };
  return answer;
}

function answered({ events: given, rejected }) {
  const notes = rejected.slice(0, 3).map(({ line, reason }) => `Line ${line}: ${reason}`);
  if (rejected.length > 3) notes.push(`And ${(rejected.length - 3).toLocaleString("en")} more.`);
  const note = notes.join(" ");
  return { events: given, problem: given.length ? null : note || "Add an event first.", note };
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
        if (/^$|[.[\]'"]/.test(key)) continue; // not expressible as a path
        walk(inner, /^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}['${key}']`, depth + 1);
      }
    }
  };
  events().events.slice(0, 20).forEach((event) => walk(event, "$", 0));
  return found;
}

const MOST = 24_000;

export const isLong = () => state.text.length > MOST;

// The state in the address: no token, no secret, and no events that are too long.
export function shareable() {
  const texts = hidden();
  const open = Object.entries(state.settings).filter(([key]) => !secret(key));
  return JSON.stringify({
    destination: state.definition?.slug,
    settings: Object.fromEntries(open.map(([key, value]) => [key, covered(value, texts)])),
    consent: state.consent.map((one) => covered(one, texts)),
    filters: covered(state.filters, texts),
    subscriptions: state.subscriptions.map(subscriptionOf).map((one) => ({
      ...one, name: covered(one.name, texts), subscribe: covered(one.subscribe, texts),
      mapping: Object.fromEntries(Object.entries(one.mapping).map(([key, value]) => [key, covered(value, texts)])),
    })),
    text: isLong() ? "" : covered(state.text, texts),
    ...(state.enabled ? {} : { enabled: false }),
    ...(state.base ? { base: state.base } : {}),
    mode: state.mode,
  });
}

// The strings of secret settings, plain and JSON-escaped, also twice; longer ones first.
function hidden() {
  const texts = Object.entries(state.settings).filter(([key]) => secret(key)).flatMap(([, value]) => leaves(value)).filter((text) => text.length > 3);
  const written = (text) => JSON.stringify(text).slice(1, -1);
  const forms = new Set(texts.flatMap((text) => [text, written(text), written(written(text))]));
  return [...forms].sort((one, other) => other.length - one.length);
}

function leaves(value) {
  if (value && typeof value === "object") return Object.values(value).flatMap(leaves);
  return ["string", "number"].includes(typeof value) ? [String(value)] : [];
}

// Only user input is redacted, never the page's own names.
function covered(value, texts) {
  if (typeof value === "string") return texts.reduce((text, one) => text.replaceAll(one, "••••"), value);
  if (typeof value === "number") return texts.some((one) => String(value).includes(one)) ? "••••" : value;
  if (Array.isArray(value)) return value.map((one) => covered(one, texts));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, one]) => [key.startsWith("@") ? key : covered(key, texts), covered(one, texts)]));
  return value;
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

let leaving = false;

// The address no longer belongs to this page: another one was opened.
export const leave = () => { leaving = true; };

export const keepAddress = later(300, async () => {
  const fragment = await address();
  if (!leaving) history.replaceState(null, "", fragment);
});
