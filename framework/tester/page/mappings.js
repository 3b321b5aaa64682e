// One card for each subscription: its switch, its trigger with live truth, its fields, its JSON.

import { api } from "./api.js";
import { button, chip, fresh, h, inline, later, prose, same, short } from "./dom.js";
import { jsonEditor, mappingCompletion, placeOf, triggerCompletion, triggerEditor } from "./editor.js";
import { actionOf, changed, eventPaths, events, fullMapping, on, ownMapping, state, subscriptionOf } from "./state.js";

export function mappingsView(signal) {
  const list = h("div", { class: "stack" });
  let scope;
  const draw = () => {
    scope?.abort();
    scope = new AbortController();
    signal.addEventListener("abort", () => scope.abort());
    list.replaceChildren(...state.subscriptions.map((subscription, index) => card(subscription, index, scope.signal, draw)));
    changed("diagnose");
  };
  draw();
  return [
    h("h1", {}, "Mappings"),
    h("p", { class: "lead" }, "Each subscription takes the events that its trigger matches and maps them onto the fields of its action. ", judged(signal)),
    list, adder(draw)];
}

function judged(signal) {
  const node = h("span", {});
  const tell = () => {
    const { events: given, problem } = events();
    node.textContent = problem ? "There is no event to judge by yet; see Event." : given.length === 1 ? "Judged by the event of the next step." : `Judged by the ${given.length} events of the next step, values by the first.`;
  };
  tell();
  on("events", tell, signal);
  return node;
}

function adder(draw) {
  const select = h("select", { id: "new-action", "aria-label": "Action of the new subscription" }, state.definition.actions.filter((one) => !one.hidden).map((one) => h("option", { value: one.slug }, one.title)));
  const add = () => {
    const action = state.definition.actions.find(({ slug }) => slug === select.value);
    const taken = new Set(state.subscriptions.map((one) => one.name));
    let name = action.title;
    for (let number = 2; taken.has(name); number += 1) name = `${action.title} ${number}`;
    state.subscriptions.push({ name, partnerAction: action.slug, subscribe: action.trigger ?? 'type = "track"', mapping: {}, enabled: true });
    changed("subscriptions");
    draw();
  };
  return h("div", { class: "row adder" }, select, button("Add a subscription", add, { id: "add-subscription" }));
}

function card(subscription, index, signal, draw) {
  const action = actionOf(subscription);
  if (!action) return unknown(subscription, draw);
  const id = fresh("card");
  const open = state.subscriptions.length <= 3 || index === 0;
  const truth = h("span", { class: "truth" });
  const switched = h("input", { type: "checkbox", role: "switch", checked: subscription.enabled !== false, "aria-label": `Subscription ${subscription.name} takes part`, onchange: ({ target }) => {
    subscription.enabled = target.checked;
    node.classList.toggle("off", !target.checked);
    changed("subscriptions");
  } });
  const name = h("input", { class: "title", value: subscription.name, "aria-label": "Name of the subscription", oninput: ({ target }) => { subscription.name = target.value; changed("subscriptions"); } });
  const remove = button("Remove", () => { state.subscriptions.splice(index, 1); changed("subscriptions"); draw(); }, { kind: "link", "aria-label": `Remove subscription ${subscription.name}` });
  const about = h("ul", { class: "problems" });
  const body = h("div", { class: "body" }, about, triggerPart(subscription, index, truth, signal), mappingPart(subscription, index, action, signal));
  const fold = h("details", { open }, h("summary", {}, h("span", {}, `${action.title} `), h("code", {}, action.slug)), body);
  const node = h("section", { class: `card subscription${subscription.enabled === false ? " off" : ""}`, id, "aria-label": `Subscription ${subscription.name}`, "data-index": index },
    h("header", {}, switched, name, truth, remove), fold);
  on("diagnostics", () => {
    const own = at(index, "").filter(({ pointer }) => !/^\/subscriptions\/\d+\/(subscribe|mapping)/.test(pointer));
    about.replaceChildren(...own.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
  }, signal);
  return node;
}

function unknown(subscription, draw) {
  const drop = () => { state.subscriptions = state.subscriptions.filter((one) => one !== subscription); changed("subscriptions"); draw(); };
  return h("section", { class: "card subscription" }, h("header", {}, h("strong", {}, subscription.name), chip("unknown action", "bad"), button("Remove", drop, { kind: "link" })), h("p", { class: "quiet" }, `There is no action ${subscription.partnerAction}.`));
}

const told = ({ message, hint }) => [prose(message), hint ? [" ", prose(hint)] : null];

const at = (index, rest) => state.diagnostics.filter(({ pointer }) => pointer === `/subscriptions/${index}${rest}` || pointer.startsWith(`/subscriptions/${index}${rest}/`));

function triggerPart(subscription, index, truth, signal) {
  const tree = h("div", { class: "tree" });
  const problem = h("pre", { class: "caret", hidden: true, role: "alert" });
  const remarks = h("ul", { class: "remarks" });
  const editor = triggerEditor({
    label: `Trigger of ${subscription.name}`,
    doc: subscription.subscribe ?? "",
    complete: triggerCompletion(eventPaths),
    changed: (text) => { subscription.subscribe = text; changed("subscriptions"); judge(); },
  });
  const judge = later(120, async () => {
    const { events: given } = events();
    let answer;
    try {
      answer = await api.trigger(subscription.subscribe ?? "", given.slice(0, 100));
    } catch (error) {
      answer = { error: error.message, verdicts: [], remarks: [], canonical: null };
    }
    if (signal.aborted) return;
    problem.hidden = !answer.error;
    problem.textContent = answer.error ?? "";
    editor.mark(answer.error ? [{ ...caretOf(answer, editor.text), severity: "error", message: answer.error.split("\n")[0] }] : []);
    remarks.replaceChildren(...(answer.remarks ?? []).map((text) => h("li", {}, prose(text))));
    const [first] = answer.verdicts;
    const hits = answer.verdicts.filter(({ matched }) => matched).length;
    const word = answer.error ? ["does not parse", "bad"] : !first ? ["no event", "idle"] : answer.verdicts.length === 1 ? (first.matched ? ["matches", "good"] : ["does not match", "idle"]) : [`matches ${hits} of ${answer.verdicts.length}`, hits ? "good" : "idle"];
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

const SIGN = new Map([[true, ["✓", "good", "true"]], [false, ["✗", "bad", "false"]], [null, ["?", "warn", "cannot be judged"]]]);

export function truthTree(tree) {
  const [sign, mood, word] = SIGN.get(tree.truth);
  const label = tree.parts ? (tree.join === "and" ? "all of" : tree.join === "or" ? "any of" : "not") : null;
  return h("div", { class: `condition ${mood}` },
    h("div", { class: "line" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), h("span", { class: "unseen" }, `${word}: `),
      label ? h("span", { class: "join" }, label) : h("code", {}, tree.condition),
      (tree.saw ?? []).map((one) => h("span", { class: "saw" }, h("span", { class: "arrow", "aria-hidden": "true" }, "→ "), h("span", { class: "field" }, `${one.field} is `), "value" in one ? inline(one.value, 80) : h("em", {}, "missing")))),
    tree.parts ? h("div", { class: "parts" }, tree.parts.map(truthTree)) : null);
}

function mappingPart(subscription, index, action, signal) {
  const resolved = { mapping: [], payload: null, problems: [] };
  const panes = { fields: h("div", { class: "pane" }), json: h("div", { class: "pane", hidden: true }) };
  const rows = new Map();
  let editor = null;

  const refresh = later(200, async () => {
    const { events: given } = events();
    if (given.length) {
      try {
        Object.assign(resolved, await api.resolve(state.definition.slug, subscriptionOf(subscription), given[0]));
      } catch {
        Object.assign(resolved, { mapping: [], payload: null, problems: [] });
      }
    }
    if (!signal.aborted) rows.forEach((row) => row.show(resolved, given.length > 0));
  });
  const touched = () => { changed("subscriptions"); refresh(); };
  const set = (key, value) => {
    const standard = action.mapping[key];
    if (value === undefined || same(value, standard) || (value === null && standard === undefined)) delete subscription.mapping[key];
    else subscription.mapping[key] = value;
    editor?.set(JSON.stringify(fullMapping(subscription), null, 2));
    touched();
  };

  const visible = action.fields.filter((field) => !field.hidden);
  const plain = visible.filter((field) => field.displayMode !== "collapsed");
  const more = visible.filter((field) => field.displayMode === "collapsed");
  const draw = (fields) => fields.map((field) => {
    const row = fieldRow(field, subscription, action, index, set);
    rows.set(field.key, row);
    return row.node;
  });
  panes.fields.append(h("div", { class: "fields" }, draw(plain)), ...(more.length ? [h("details", { class: "more" }, h("summary", {}, `More fields (${more.length})`), h("div", { class: "fields" }, draw(more)))] : []));

  const readJson = (text) => {
    try {
      const full = JSON.parse(text);
      if (full === null || typeof full !== "object" || Array.isArray(full)) return;
      subscription.mapping = ownMapping(action, full);
      rows.forEach((row) => row.refill());
      touched();
    } catch (error) {
      editor.mark([{ ...syntaxPlace(error, text), severity: "error", message: error.message }]);
    }
  };
  const wrong = h("ul", { class: "problems" });
  const markJson = () => {
    const findings = at(index, "/mapping");
    wrong.replaceChildren(...findings.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
    editor?.mark(findings.map(({ pointer, severity, message }) => ({ ...placeOf(editor.view, pointer.slice(`/subscriptions/${index}/mapping`.length)), severity, message })));
  };
  const openJson = () => {
    if (editor) return;
    editor = jsonEditor({
      label: `Mapping of ${subscription.name} as JSON`, doc: JSON.stringify(fullMapping(subscription), null, 2), changed: readJson, className: "mapping",
      complete: mappingCompletion({ fields: () => action.fields, paths: eventPaths, schemas: () => state.schemas }),
    });
    panes.json.append(editor.host, wrong, h("p", { class: "help" }, "Fields that are left out take the default mapping; null sends nothing. Completion: Ctrl Space."));
    markJson();
  };
  on("diagnostics", () => { rows.forEach((row) => row.mark()); markJson(); }, signal);
  on("events", refresh, signal);
  refresh();
  rows.forEach((row) => row.mark());
  return h("div", { class: "part" }, h("div", { class: "row spread" }, h("h3", {}, "Mapping"), switcher(panes, { json: openJson })), panes.fields, panes.json);
}

function switcher(panes, opening) {
  const names = { fields: "Fields", json: "JSON" };
  const buttons = Object.entries(names).map(([key, text]) => button(text, () => {
    opening[key]?.();
    for (const [other, pane] of Object.entries(panes)) pane.hidden = other !== key;
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.pane === key)));
  }, { "aria-pressed": String(key === "fields"), "data-pane": key }));
  return h("div", { class: "segments", role: "group", "aria-label": "How to edit the mapping" }, buttons);
}

function syntaxPlace(error, text) {
  const found = /position (\d+)/.exec(error.message);
  const from = found ? Number(found[1]) : text.length;
  return { from, to: from + 1 };
}

// An expression as one line: `$.path`, a text, `{{template}}`, or JSON.
export function lineOf(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return /^(\s*[$[{"]|-?\d|true$|false$|null$)/.test(value) ? JSON.stringify(value) : value;
  if (same(Object.keys(value), ["@path"]) && typeof value["@path"] === "string" && value["@path"].startsWith("$")) return value["@path"];
  if (same(Object.keys(value), ["@template"]) && typeof value["@template"] === "string" && /^[^"{]*\{\{/.test(value["@template"])) return value["@template"];
  return JSON.stringify(value);
}

export function expressionOf(line, field) {
  const text = line.trim();
  if (!text) return null;
  if (/^\$[.[]|^\$$/.test(text)) return { "@path": text };
  if (text.includes("{{") && !/^[{["]/.test(text.replace(/^\{\{/, ""))) return { "@template": line };
  if (/^[{["]/.test(text) || ["true", "false", "null"].includes(text) || (["number", "integer"].includes(field.type) && /^-?\d+(\.\d+)?$/.test(text))) return JSON.parse(text);
  return line;
}

function fieldRow(field, subscription, action, index, set) {
  const id = fresh("field");
  const found = h("div", { class: "found" });
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const origin = h("span", {});
  const own = () => field.key in subscription.mapping;
  const current = () => (own() ? subscription.mapping[field.key] : action.mapping[field.key]);
  const undo = button("Default", () => { set(field.key, undefined); refill(); }, { kind: "link", "aria-label": `Default mapping for ${field.label}` });
  const write = (value) => { set(field.key, value); label(); };
  const { input, node: holder = input, fill } = fieldInput(field, current, write, { id, "aria-describedby": `${id}-help ${id}-problem` }, problem);
  const label = () => {
    const isDefault = !own();
    origin.replaceChildren(isDefault ? (field.key in action.mapping ? chip("default") : chip("not mapped", "faint")) : chip("own", "accent"));
    undo.hidden = isDefault;
  };
  const refill = () => { fill(); label(); };
  label();
  const required = field.required === true ? chip("required") : field.required ? h("span", { class: "chip", title: short(field.required, 400) }, "required if") : null;
  return {
    node: h("div", { class: "field-row" },
      h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), required),
      h("div", { class: "input" }, holder, origin, undo),
      found, h("p", { class: "help", id: `${id}-help` }, field.description), problem),
    refill,
    mark() {
      const findings = at(index, `/mapping/${field.key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
      problem.replaceChildren(...findings.map((one) => h("span", { class: one.severity }, told(one))));
      input.setAttribute("aria-invalid", String(findings.some(({ severity }) => severity === "error")));
    },
    show(resolved, hasEvent) {
      const one = resolved.mapping.find((entry) => entry.field === field.key);
      const wrong = resolved.problems.filter((entry) => entry.field === field.key || entry.field.startsWith(`${field.key}.`));
      found.replaceChildren(...(hasEvent ? [
        h("span", { class: "arrow", "aria-hidden": "true" }, "→ "), h("span", { class: "unseen" }, "gives "),
        one && "value" in one ? inline(one.value, 90) : h("em", {}, "nothing"),
        ...wrong.map((entry) => h("span", { class: "wrong" }, prose(entry.message)))] : []));
    },
  };
}

function fieldInput(field, current, write, attributes, problem) {
  const simple = (value) => value === undefined || value === null || typeof value === "boolean";
  if (field.type === "boolean" && !field.multiple && simple(current())) {
    const input = h("select", { ...attributes, onchange: ({ target }) => write(target.value === "" ? null : target.value === "true") }, h("option", { value: "" }, field.default === null || field.default === undefined ? "–" : `– (${field.default})`), h("option", { value: "true" }, "true"), h("option", { value: "false" }, "false"));
    const fill = () => { const value = current(); input.value = value === true ? "true" : value === false ? "false" : ""; };
    fill();
    return { input, fill };
  }
  if (field.choices.length && !field.multiple && (current() === undefined || field.choices.some(({ value }) => value === current()))) {
    const input = h("select", { ...attributes, onchange: ({ target }) => write(target.value === "" ? null : JSON.parse(target.value)) }, h("option", { value: "" }, field.default ? `– (${field.default})` : "–"), field.choices.map((choice) => h("option", { value: JSON.stringify(choice.value) }, choice.label)));
    const fill = () => { input.value = current() === undefined || current() === null ? "" : JSON.stringify(current()); };
    fill();
    return { input, fill };
  }
  const list = fresh("paths");
  const input = h("input", { ...attributes, type: "text", list, class: "mono", spellcheck: "false", autocomplete: "off", placeholder: field.placeholder || (field.default !== null && field.default !== undefined ? `default ${short(field.default)}` : "$.path, text or {{template}}"), onfocus: () => options.replaceChildren(...[...eventPaths()].map(([path, value]) => h("option", { value: path }, short(value, 40)))), oninput: ({ target }) => {
    try {
      write(expressionOf(target.value, field) ?? (target.value === "" ? null : target.value));
    } catch (error) {
      problem.replaceChildren(h("span", {}, `This is no JSON yet: ${error.message}`));
    }
  } });
  const options = h("datalist", { id: list });
  const fill = () => { if (document.activeElement !== input) input.value = lineOf(current()); };
  fill();
  return { input, node: h("span", { class: "combo" }, input, options), fill };
}
