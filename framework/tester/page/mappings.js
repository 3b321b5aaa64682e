// The filters, and one card for each subscription: its switch, its trigger with live results, its fields, its JSON.

import { api } from "./api.js";
import { button, chip, fresh, h, later, same } from "./dom.js";
import { jsonEditor, mappingCompletion, placeOf } from "./editor.js";
import { at, draftOf, fieldRow, foundChip, placeIn, readMapping, standardOf, told } from "./fields.js";
import { filtersPart } from "./filters.js";
import { record, removable } from "./history.js";
import { hooksPart, rulesPart, syncModePart } from "./hooks.js";
import { actionOf, changed, eventPaths, events, fullMapping, on, ownMapping, state, subscriptionOf } from "./state.js";
import { triggerPart } from "./triggers.js";

export function mappingsView(signal) {
  const draw = (subscription, open) => {
    const forget = () => {
      state.subscriptions = state.subscriptions.filter((one) => one !== subscription);
      state.diagnostics = []; // they name subscriptions by number
      document.getElementById("add-subscription").focus();
      changed("subscriptions");
      changed("diagnostics");
    };
    return removable(signal, (own, drop) => card(subscription, open, own, drop), forget);
  };
  const list = h("div", { class: "stack" }, state.subscriptions.map((one, index) => draw(one, index === 0 || state.subscriptions.length <= 3)));
  changed("diagnose");
  return [
    h("h1", {}, "Mappings"),
    h("p", { class: "lead" }, "Each subscription selects events with its trigger and maps them to the fields of its action. ", judged(signal)),
    connectionSwitch(), filtersPart(signal), h("h2", { class: "group-title" }, "Subscriptions"), list, adder((subscription) => list.append(draw(subscription, true)))];
}

function connectionSwitch() {
  const told = h("span", { class: "quiet" });
  const tell = () => { told.textContent = state.enabled ? "" : "Runs and the relay refuse it."; };
  const input = h("input", { type: "checkbox", role: "switch", id: "connection-enabled", checked: state.enabled, onchange: ({ target }) => { state.enabled = target.checked; tell(); changed("subscriptions"); changed("saved"); } });
  tell();
  return h("div", { class: "card row connection" }, input, h("label", { for: "connection-enabled" }, h("strong", {}, "Connection enabled")), told);
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
    const subscription = { name, partnerAction: action.slug, subscribe: action.trigger ?? 'type = "track"', mapping: {}, enabled: true, mappingVersion: action.mappingVersion ?? undefined };
    record();
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
  const name = h("textarea", { class: "title", rows: "1", value: subscription.name, onkeydown: (event) => { if (event.key === "Enter") event.preventDefault(); }, "aria-label": "Subscription name", oninput: ({ target }) => { subscription.name = target.value.replace(/[\r\n]+/g, " "); changed("subscriptions"); } });
  const remove = button("Remove", drop, { kind: "link", "aria-label": `Remove subscription ${subscription.name}` });
  const about = h("ul", { class: "problems" });
  const trigger = triggerPart({
    title: "Trigger", label: `Trigger of ${subscription.name}`, text: () => subscription.subscribe ?? "", truth, signal,
    place: () => placeIn(subscription, "subscribe"), write: (text) => { subscription.subscribe = text; changed("subscriptions"); },
  });
  const body = h("div", { class: "body" }, about, trigger, mappingPart(subscription, action, signal));
  const fold = h("details", { open }, h("summary", {}, h("span", {}, `${action.title} `), h("code", {}, action.slug)), body);
  const node = h("section", { class: `card subscription${subscription.enabled === false ? " off" : ""}`, id, "aria-label": `Subscription ${subscription.name}` },
    h("header", {}, switched, name, truth, foundChip(() => placeIn(subscription), signal), remove), fold);
  on("diagnostics", () => {
    const own = at(subscription).filter(({ pointer }) => !/^\/subscriptions\/\d+\/(subscribe|mapping)/.test(pointer));
    about.replaceChildren(...own.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
  }, signal);
  return node;
}

function unknown(subscription, drop) {
  return h("section", { class: "card subscription" }, h("header", {}, h("strong", {}, subscription.name), chip("unknown action", "bad"), button("Remove", drop, { kind: "link" })), h("p", { class: "quiet" }, `The action ${subscription.partnerAction} does not exist.`));
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
    if (signal.aborted) return;
    rows.forEach((row) => row.show(resolved));
    rules?.show(resolved);
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

  const rules = rulesPart(action);
  const visible = action.fields.filter((field) => !field.hidden);
  const plain = visible.filter((field) => field.displayMode !== "collapsed");
  const more = visible.filter((field) => field.displayMode === "collapsed");
  const draw = (fields) => fields.map((field) => {
    const row = fieldRow(field, subscription, action, set, signal);
    rows.set(field.key, row);
    return row.node;
  });
  panes.fields.append(h("div", { class: "fields" }, draw(plain)), ...(more.length ? [h("details", { class: "more" }, h("summary", {}, `More fields (${more.length})`), h("div", { class: "fields" }, draw(more)))] : []), ...(rules ? [rules.node] : []));

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
  const outputs = () => {
    editor?.set(JSON.stringify(fullMapping(subscription), null, 2));
    touched();
  };
  return h("div", { class: "part" }, h("div", { class: "row spread" }, h("h3", {}, "Mapping"), switcher(panes, { json: openJson }, draft)), syncModePart(subscription, action, set), panes.fields, panes.json, hooksPart(subscription, action, outputs, signal));
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
