// One card for each subscription: its switch, its trigger with live results, its fields, its JSON.

import { api } from "./api.js";
import { button, chip, fresh, h, inline, later, prose, same, short } from "./dom.js";
import { jsonEditor, mappingCompletion, placeOf, triggerCompletion, triggerEditor } from "./editor.js";
import { actionOf, changed, eventPaths, events, fullMapping, on, ownMapping, state, step, subscriptionOf } from "./state.js";

// Unfinished input of a subscription and its pane, which are restored when its card is drawn again.
const drafts = new WeakMap();

function draftOf(subscription) {
  if (!drafts.has(subscription)) drafts.set(subscription, { pane: "fields", json: null, fields: new Map() });
  return drafts.get(subscription);
}

export function mappingsView(signal) {
  const draw = (subscription, open) => {
    const scope = new AbortController();
    signal.addEventListener("abort", () => scope.abort(), { signal: scope.signal });
    const drop = () => {
      scope.abort();
      node.remove();
      state.subscriptions = state.subscriptions.filter((one) => one !== subscription);
      state.diagnostics = []; // they name subscriptions by number
      changed("subscriptions");
      changed("diagnostics");
    };
    const node = card(subscription, open, scope.signal, drop);
    return node;
  };
  const list = h("div", { class: "stack" }, state.subscriptions.map((one, index) => draw(one, index === 0 || state.subscriptions.length <= 3)));
  changed("diagnose");
  return [
    h("h1", {}, "Mappings"),
    h("p", { class: "lead" }, "Each subscription selects events with its trigger and maps them to the fields of its action. ", judged(signal)),
    list, adder((subscription) => list.append(draw(subscription, true)))];
}

function judged(signal) {
  const node = h("span", {});
  const tell = () => {
    const { events: given, problem } = events();
    node.textContent = problem ? "Add an event to evaluate this trigger." : given.length === 1 ? "Evaluated with the event of the next step." : `Triggers are evaluated with the ${given.length} events of the next step, values with the first.`;
  };
  tell();
  on("events", tell, signal);
  return node;
}

function adder(put) {
  const actions = state.definition.actions.filter((one) => !one.hidden);
  if (!actions.length) return h("p", { class: "quiet" }, "This destination has no actions.");
  const select = h("select", { id: "new-action", "aria-label": "Action of the new subscription" }, actions.map((one) => h("option", { value: one.slug }, one.title)));
  const add = () => {
    const action = actions.find(({ slug }) => slug === select.value);
    const taken = new Set(state.subscriptions.map((one) => one.name));
    let name = action.title;
    for (let number = 2; taken.has(name); number += 1) name = `${action.title} ${number}`;
    const subscription = { name, partnerAction: action.slug, subscribe: action.trigger ?? 'type = "track"', mapping: {}, enabled: true };
    state.subscriptions.push(subscription);
    put(subscription);
    changed("subscriptions");
  };
  return h("div", { class: "row adder" }, select, button("Add a subscription", add, { id: "add-subscription" }));
}

function card(subscription, open, signal, drop) {
  const action = actionOf(subscription);
  if (!action) return unknown(subscription, drop);
  const id = fresh("card");
  const truth = h("span", { class: "truth" });
  const switched = h("input", { type: "checkbox", role: "switch", checked: subscription.enabled !== false, "aria-label": `Enable subscription ${subscription.name}`, onchange: ({ target }) => {
    subscription.enabled = target.checked;
    node.classList.toggle("off", !target.checked);
    changed("subscriptions");
  } });
  const name = h("input", { class: "title", value: subscription.name, "aria-label": "Subscription name", oninput: ({ target }) => { subscription.name = target.value; changed("subscriptions"); } });
  const remove = button("Remove", drop, { kind: "link", "aria-label": `Remove subscription ${subscription.name}` });
  const about = h("ul", { class: "problems" });
  const body = h("div", { class: "body" }, about, triggerPart(subscription, truth, signal), mappingPart(subscription, action, signal));
  const fold = h("details", { open }, h("summary", {}, h("span", {}, `${action.title} `), h("code", {}, action.slug)), body);
  const node = h("section", { class: `card subscription${subscription.enabled === false ? " off" : ""}`, id, "aria-label": `Subscription ${subscription.name}` },
    h("header", {}, switched, name, truth, remove), fold);
  on("diagnostics", () => {
    const own = at(subscription).filter(({ pointer }) => !/^\/subscriptions\/\d+\/(subscribe|mapping)/.test(pointer));
    about.replaceChildren(...own.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
  }, signal);
  return node;
}

function unknown(subscription, drop) {
  return h("section", { class: "card subscription" }, h("header", {}, h("strong", {}, subscription.name), chip("unknown action", "bad"), button("Remove", drop, { kind: "link" })), h("p", { class: "quiet" }, `The action ${subscription.partnerAction} does not exist.`));
}

const told = ({ message, hint }) => [prose(message), hint ? [" ", prose(hint)] : null];

const placeIn = (subscription, ...steps) => ["/subscriptions", state.subscriptions.indexOf(subscription), ...steps.map(step)].join("/");

function at(...place) {
  const start = placeIn(...place);
  return state.diagnostics.filter(({ pointer }) => pointer === start || pointer.startsWith(`${start}/`));
}

function triggerPart(subscription, truth, signal) {
  const tree = h("div", { class: "tree" });
  const problem = h("pre", { class: "caret", hidden: true, role: "alert" });
  const remarks = h("ul", { class: "remarks" });
  const editor = triggerEditor({
    label: `Trigger of ${subscription.name}`,
    doc: subscription.subscribe ?? "",
    complete: triggerCompletion(eventPaths),
    changed: (text) => { subscription.subscribe = text; changed("subscriptions"); judge(); },
    signal,
  });
  const judge = later(120, async () => {
    const { events: given } = events();
    const asked = subscription.subscribe ?? "";
    let answer;
    try {
      answer = await api.trigger(asked, given.slice(0, 100));
    } catch (error) {
      answer = { unknown: error.message, error: null, verdicts: [], remarks: [], canonical: null };
    }
    if (signal.aborted || asked !== (subscription.subscribe ?? "")) return;
    problem.hidden = !answer.error && !answer.unknown;
    problem.textContent = answer.error ?? answer.unknown ?? "";
    editor.mark(answer.error ? [{ ...caretOf(answer, editor.text), severity: "error", message: answer.error.split("\n")[0] }] : []);
    remarks.replaceChildren(...(answer.remarks ?? []).map((text) => h("li", {}, prose(text))));
    const [first] = answer.verdicts;
    const hits = answer.verdicts.filter(({ matched }) => matched).length;
    const word = answer.unknown ? ["not evaluated", "warn"] : answer.error ? ["does not parse", "bad"] : !first ? ["no event", "idle"] : answer.verdicts.length === 1 ? (first.matched ? ["matches", "good"] : ["does not match", "idle"]) : [`matches ${hits} of ${answer.verdicts.length}`, hits ? "good" : "idle"];
    truth.replaceChildren(chip(...word));
    tree.replaceChildren(...(first && !answer.error ? [truthTree(first.tree)] : []));
  });
  judge();
  on("events", judge, signal);
  return h("div", { class: "part" }, h("h3", {}, "Trigger"), editor.host, problem, remarks, tree);
}

function caretOf({ offset }, text) {
  if (offset === undefined || offset === null) return { from: 0, to: text.length };
  const from = Math.max(0, Math.min(offset, text.length - 1));
  return { from, to: from + 1 };
}

const SIGN = new Map([[true, ["✓", "good", "true"]], [false, ["✗", "bad", "false"]], [null, ["?", "warn", "neither true nor false"]]]);

export function truthTree(tree) {
  const [sign, mood, word] = SIGN.get(tree.truth);
  const label = tree.parts ? (tree.join === "and" ? "all of" : tree.join === "or" ? "any of" : "not") : null;
  return h("div", { class: `condition ${mood}` },
    h("div", { class: "line" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), h("span", { class: "unseen" }, `${word}: `),
      label ? h("span", { class: "join" }, label) : h("code", {}, tree.condition),
      (tree.saw ?? []).map((one) => h("span", { class: "saw" }, h("span", { class: "arrow", "aria-hidden": "true" }, "→ "), h("span", { class: "field" }, `${one.field} is `), "value" in one ? inline(one.value, 80) : h("em", {}, "missing")))),
    tree.parts ? h("div", { class: "parts" }, tree.parts.map(truthTree)) : null);
}

function mappingPart(subscription, action, signal) {
  const draft = draftOf(subscription);
  const panes = { fields: h("div", { class: "pane" }), json: h("div", { class: "pane", hidden: true }) };
  const rows = new Map();
  let editor = null;

  const refresh = later(200, async () => {
    const [first] = events().events;
    // An invalid mapping has no values: its findings state the reason.
    const resolved = first && await api.resolve(state.definition.slug, subscriptionOf(subscription), first).catch(() => null);
    if (!signal.aborted) rows.forEach((row) => row.show(resolved));
  });
  const touched = () => { changed("subscriptions"); refresh(); };
  const set = (key, value) => {
    const standard = standardOf(action, key);
    draft.fields.delete(key);
    if (value === undefined || same(value, standard) || (value === null && standard === undefined)) delete subscription.mapping[key];
    else subscription.mapping[key] = value;
    editor?.set(JSON.stringify(fullMapping(subscription), null, 2));
    if (draft.json !== null) {
      draft.json = null;
      markJson();
    }
    touched();
  };

  const visible = action.fields.filter((field) => !field.hidden);
  const plain = visible.filter((field) => field.displayMode !== "collapsed");
  const more = visible.filter((field) => field.displayMode === "collapsed");
  const draw = (fields) => fields.map((field) => {
    const row = fieldRow(field, subscription, action, set);
    rows.set(field.key, row);
    return row.node;
  });
  panes.fields.append(h("div", { class: "fields" }, draw(plain)), ...(more.length ? [h("details", { class: "more" }, h("summary", {}, `More fields (${more.length})`), h("div", { class: "fields" }, draw(more)))] : []));

  const readJson = (text) => {
    const { full, problem } = readMapping(text);
    const wasBroken = draft.json !== null;
    draft.json = full ? null : text;
    if (problem || wasBroken) markJson();
    if (problem) return;
    draft.fields.clear();
    subscription.mapping = ownMapping(action, full);
    rows.forEach((row) => row.refill());
    touched();
  };
  const wrong = h("ul", { class: "problems" });
  const markJson = () => {
    const broken = draft.json === null ? null : readMapping(draft.json);
    const findings = broken ? [{ severity: "error", message: broken.problem, place: broken.place }] : at(subscription, "mapping");
    wrong.replaceChildren(...findings.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
    const length = placeIn(subscription, "mapping").length;
    editor?.mark(findings.map(({ pointer, severity, message, place }) => ({ ...(place ?? placeOf(editor.view, pointer.slice(length))), severity, message })));
  };
  const openJson = () => {
    if (editor) return;
    editor = jsonEditor({
      label: `Mapping of ${subscription.name} as JSON`, doc: draft.json ?? JSON.stringify(fullMapping(subscription), null, 2), changed: readJson, className: "mapping", signal,
      complete: mappingCompletion({ fields: () => action.fields, paths: eventPaths, schemas: () => state.schemas }),
    });
    panes.json.append(editor.host, wrong, h("p", { class: "help" }, "Fields that are left out use the default mapping; null sends no value. Completion: Ctrl Space."));
    markJson();
  };
  on("diagnostics", () => { rows.forEach((row) => row.mark()); markJson(); }, signal);
  on("events", refresh, signal);
  refresh();
  rows.forEach((row) => row.mark());
  return h("div", { class: "part" }, h("div", { class: "row spread" }, h("h3", {}, "Mapping"), switcher(panes, { json: openJson }, draft)), panes.fields, panes.json);
}

function switcher(panes, opening, draft) {
  const names = { fields: "Fields", json: "JSON" };
  const turn = (key) => {
    draft.pane = key;
    opening[key]?.();
    for (const [other, pane] of Object.entries(panes)) pane.hidden = other !== key;
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.pane === key)));
  };
  const buttons = Object.entries(names).map(([key, text]) => button(text, () => turn(key), { "data-pane": key }));
  turn(draft.pane);
  return h("div", { class: "segments", role: "group", "aria-label": "Mapping editor" }, buttons);
}

// The mapping in a text, or the problem of the text and its position.
function readMapping(text) {
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

const standardOf = (action, key) => (Object.hasOwn(action.mapping, key) ? action.mapping[key] : undefined);

function fieldRow(field, subscription, action, set) {
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
  let entry = make();
  const holder = h("div", { class: "input" }, entry.node, origin, undo);
  const refill = () => {
    if (entry.kind !== kind()) {
      const { node } = entry;
      entry = make();
      node.replaceWith(entry.node);
    }
    entry.fill();
    label();
    mark();
  };
  entry.fill();
  label();
  const required = field.required === true ? chip("required") : field.required ? h("span", { class: "chip", title: short(field.required, 400) }, "required if") : null;
  return {
    node: h("div", { class: "field-row" },
      h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), required),
      holder, found, h("p", { class: "help", id: `${id}-help` }, field.description), problem),
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
