// One row for each field of a mapping, and expressions as lines of text.

import { choicesControl, chosenIn } from "./choices.js";
import { button, chip, fresh, h, inline, plural, prose, same, short } from "./dom.js";
import { choicesOf } from "./hooks.js";
import { eventPaths, on, state, step } from "./state.js";

// Unfinished input of a subscription and its pane, which are restored when its card is drawn again.
const drafts = new WeakMap();

export function draftOf(subscription) {
  if (!drafts.has(subscription)) drafts.set(subscription, { pane: "fields", json: null, fields: new Map() });
  return drafts.get(subscription);
}

export const told = ({ message, hint }) => [prose(message), hint ? [" ", prose(hint)] : null];

export const placeIn = (subscription, ...steps) => ["/subscriptions", state.subscriptions.indexOf(subscription), ...steps.map(step)].join("/");

// The findings at a place of the connection, and inside of it.
export const under = (start) => state.diagnostics.filter(({ pointer }) => pointer === start || pointer.startsWith(`${start}/`));

export const at = (...place) => under(placeIn(...place));

// How many findings there are at a place, also of a card that is closed.
export function foundChip(place, signal) {
  const node = h("span", {});
  const tell = () => {
    const found = under(place()).filter(({ severity }) => severity !== "hint");
    const isBad = found.some(({ severity }) => severity === "error");
    node.replaceChildren(...(found.length ? [chip(plural(found.length, isBad ? "problem" : "warning"), isBad ? "bad" : "warn")] : []));
  };
  tell();
  on("diagnostics", tell, signal);
  return node;
}

// The mapping in a text, or the problem of the text and its position.
export function readMapping(text) {
  try {
    const full = JSON.parse(text);
    if (full !== null && typeof full === "object" && !Array.isArray(full)) return { full };
    return { problem: "A mapping is an object with a key for each field.", place: { from: 0, to: text.length } };
  } catch (error) {
    const found = /position (\d+)/.exec(error.message);
    const from = found ? Number(found[1]) : text.length;
    return { problem: `Invalid JSON: ${error.message}`, place: { from, to: from + 1 } };
  }
}

const PATH = /^\$(?:$|[.[])/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

// An expression as one line: `$.path`, a string, `{{template}}`, or JSON if that line would be ambiguous.
export function lineOf(value, field) {
  if (value === undefined || value === null) return "";
  const { "@path": path, "@template": template, ...others } = typeof value === "object" && !Array.isArray(value) ? value : {};
  const line = typeof value === "string" ? value : Object.keys(others).length ? null : path ?? template;
  return typeof line === "string" && !/[\r\n]/.test(line) && same(readLine(line, field), value) ? line : JSON.stringify(value);
}

// The value of a line; throws SyntaxError if it begins like JSON and is invalid.
export function expressionOf(line, field) {
  const text = line.trim();
  if (PATH.test(text)) return { "@path": text };
  if (text.includes("{{") && !/^[{["]/.test(text.replace(/^\{\{/, ""))) return { "@template": line };
  const isNumber = ["number", "integer"].includes(field.type) && NUMBER.test(text);
  if (/^[{["]/.test(text) || ["true", "false", "null"].includes(text) || isNumber) return JSON.parse(text);
  return line === "" ? null : line;
}

function readLine(line, field) {
  try {
    return expressionOf(line, field);
  } catch {
    return undefined;
  }
}

export const standardOf = (action, key) => (Object.hasOwn(action.mapping, key) ? action.mapping[key] : undefined);

export function fieldRow(field, subscription, action, set, signal) {
  const id = fresh("field");
  const draft = draftOf(subscription).fields;
  const found = h("div", { class: "found" });
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const origin = h("span", {});
  const own = () => Object.hasOwn(subscription.mapping, field.key);
  const current = () => (own() ? subscription.mapping[field.key] : standardOf(action, field.key));
  const undo = button("Default", () => { set(field.key, undefined); refill(); }, { kind: "link", "aria-label": `Default mapping for ${field.label}` });
  const label = () => {
    origin.replaceChildren(own() ? chip("custom", "accent") : Object.hasOwn(action.mapping, field.key) ? chip("default") : chip("not mapped", "faint"));
    undo.hidden = !own() && !draft.has(field.key);
  };
  const write = (value) => { set(field.key, value); label(); };
  const type = (line) => {
    const value = readLine(line, field);
    if (value === undefined) draft.set(field.key, line);
    else write(value);
    label();
    mark();
  };
  const kind = () => (draft.has(field.key) ? "text" : kindOf(field, current()));
  const text = () => draft.get(field.key) ?? lineOf(current(), field);
  const make = () => {
    const attributes = { id, "aria-describedby": `${id}-help ${id}-problem` };
    return { kind: kind(), ...INPUTS[kind()](field, { current, text, write, type }, attributes) };
  };
  const mark = () => {
    const findings = at(subscription, "mapping", field.key);
    const broken = draft.has(field.key) ? [h("span", { class: "error" }, readMapping(draft.get(field.key)).problem)] : [];
    problem.replaceChildren(...broken, ...findings.map((one) => h("span", { class: one.severity }, told(one))));
    entry.input.setAttribute("aria-invalid", String(broken.length > 0 || findings.some(({ severity }) => severity === "error")));
  };
  const places = action.dynamic.filter((place) => place === field.key || place.startsWith(`${field.key}.`) || place.startsWith(`${field.key}[]`));
  const lists = places.map((place) => choicesControl({ place, label: place === field.key ? "" : place, signal, ask: choicesOf(action, place, subscription), take: (chosen, within) => pick(place, chosen, within) }));
  let entry = make();
  const whole = h("code", { class: "whole", hidden: true });
  const holder = h("div", { class: "input" }, entry.node, origin, undo, lists.map(({ opener }) => opener));
  const refill = () => {
    if (entry.kind !== kind()) {
      const { node } = entry;
      entry = make();
      node.replaceWith(entry.node);
    }
    entry.fill();
    label();
    mark();
    uncut();
  };
  // A chosen value is a constant: a list gets it as an item, an object at its place.
  const pick = (place, chosen, within) => {
    const rest = place.slice(field.key.length);
    const isDirective = current() !== null && typeof current() === "object" && !Array.isArray(current()) && Object.keys(current()).some((key) => key.startsWith("@"));
    const held = isDirective ? undefined : current();
    draft.delete(field.key);
    write(rest === "" && field.multiple ? [...(Array.isArray(held) ? held : []), chosen] : chosenIn(held, rest, chosen, within));
    refill();
  };
  // What is too long for its input is also shown whole.
  const uncut = () => {
    const { input } = entry;
    whole.hidden = input.tagName !== "INPUT" || input.scrollWidth <= input.clientWidth;
    whole.textContent = whole.hidden ? "" : input.value;
  };
  const watch = new ResizeObserver(uncut);
  watch.observe(holder);
  holder.addEventListener("input", uncut);
  signal.addEventListener("abort", () => watch.disconnect());
  entry.fill();
  label();
  const required = field.required === true ? chip("required") : field.required ? h("span", { class: "chip", title: short(field.required, 400) }, "required if") : null;
  return {
    node: h("div", { class: "field-row" },
      h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), required),
      holder, whole, lists.map(({ panel }) => panel), found, h("p", { class: "help", id: `${id}-help` }, field.description), problem),
    refill,
    mark,
    show(resolved) {
      const one = resolved?.mapping.find((given) => given.field === field.key);
      const wrong = resolved?.problems.filter((given) => given.field === field.key || given.field.startsWith(`${field.key}.`)) ?? [];
      found.replaceChildren(...(resolved ? [
        h("span", { class: "arrow", "aria-hidden": "true" }, "→ "), h("span", { class: "unseen" }, "result: "),
        one && "value" in one ? inline(one.value, 90) : h("em", {}, "nothing"),
        ...wrong.map((given) => h("span", { class: "wrong" }, prose(given.message)))] : []));
    },
  };
}

function kindOf(field, value) {
  if (field.multiple) return "text";
  if (field.type === "boolean" && (value === undefined || value === null || typeof value === "boolean")) return "boolean";
  return field.choices.length && (value === undefined || field.choices.some((choice) => choice.value === value)) ? "choice" : "text";
}

const standsFor = (field) => (field.default === null || field.default === undefined ? "–" : `– (${short(field.default)})`);

// The editor of a field by type of its value: the input, its node, and the function that fills it.
const INPUTS = {
  boolean: (field, { current, write }, attributes) => choosing(attributes, [["", standsFor(field)], ["true", "true"], ["false", "false"]], current, write),
  choice: (field, { current, write }, attributes) => choosing(attributes, [["", standsFor(field)], ...field.choices.map((choice) => [JSON.stringify(choice.value), choice.label])], current, write),
  text: (field, { text, type }, attributes) => {
    const list = fresh("paths");
    const options = h("datalist", { id: list });
    const offer = () => options.replaceChildren(...[...eventPaths()].map(([path, value]) => h("option", { value: path }, short(value, 40))));
    const hint = field.placeholder || (field.default !== null && field.default !== undefined ? `default ${short(field.default)}` : "$.path, text or {{template}}");
    const input = h("input", { ...attributes, type: "text", list, class: "mono", spellcheck: "false", autocomplete: "off", placeholder: hint, onfocus: offer, oninput: ({ target }) => type(target.value) });
    return { input, node: h("span", { class: "combo" }, input, options), fill: () => { if (document.activeElement !== input) input.value = text(); } };
  },
};

function choosing(attributes, options, current, write) {
  const input = h("select", { ...attributes, onchange: ({ target }) => write(target.value === "" ? null : JSON.parse(target.value)) }, options.map(([value, label]) => h("option", { value }, label)));
  const fill = () => { input.value = current() === undefined || current() === null ? "" : JSON.stringify(current()); };
  return { input, node: input, fill };
}
