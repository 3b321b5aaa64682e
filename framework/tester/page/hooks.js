// What an action does at the partner when its mapping is saved, its sync mode, and its rules across fields.

import { api } from "./api.js";
import { choicesControl, chosenIn } from "./choices.js";
import { button, chip, confirmed, fresh, h, inline, problemList, prose, short, toast } from "./dom.js";
import { exchangeViews } from "./exchanges.js";
import { control } from "./inputs.js";
import { askMode, connection, state, targetName } from "./state.js";

const SYNC_MODE = "__segment_internal_sync_mode";
const MATCHING_KEY = "__segment_internal_matching_key";
const isConstant = (value) => value === null || typeof value !== "object";

// The values that a mapping gives without an event.
export const constants = (mapping) => Object.fromEntries(Object.entries(mapping).filter(([key, value]) => isConstant(value) && !key.startsWith("__")));

// The choices of the field at a place of an action.
export const choicesOf = (action, place, subscription) => (asked) => api.choices({ connection: connection(), mode: askMode(), action: action.slug, place, payload: constants({ ...action.mapping, ...subscription.mapping }), ...asked });

export function syncModePart(subscription, action, set) {
  const { syncMode, matchingKeys } = action;
  if (!syncMode) return null;
  const choose = (key, label, help, options) => {
    const id = fresh("sync");
    const select = h("select", { id, "aria-describedby": `${id}-help`, onchange: ({ target }) => set(key, target.value || undefined) }, options.map(([value, text]) => h("option", { value }, text)));
    select.value = subscription.mapping[key] ?? "";
    return h("div", { class: "field-row" }, h("div", { class: "name" }, h("label", { for: id }, label), h("code", {}, key === SYNC_MODE ? "syncMode" : "matchingKey")), h("div", { class: "input" }, select), h("p", { class: "help", id: `${id}-help` }, help));
  };
  const fields = new Map(action.fields.map((field) => [field.key, field.label]));
  return h("div", { class: "fields" },
    choose(SYNC_MODE, syncMode.label, syncMode.description || "Which rows of a warehouse are sent.", [["", `– (${syncMode.default})`], ...syncMode.choices.map((one) => [one, one])]),
    matchingKeys.length ? choose(MATCHING_KEY, "Matching key", "The field that identifies a record at the partner.", [["", "–"], ...matchingKeys.map((one) => [one, fields.get(one) ?? one])]) : null);
}

// The rules across fields; `show` marks those that a payload does not meet.
export function rulesPart({ rules }) {
  if (!rules.length) return null;
  const rows = rules.map((text) => ({ text, mark: h("span", {}) }));
  const node = h("ul", { class: "rules", "aria-label": "Rules across fields" }, rows.map(({ text, mark }) => h("li", {}, h("span", {}, prose(text)), " ", mark)));
  const show = (resolved) => {
    const told = resolved?.problems.map(({ message }) => message) ?? [];
    const judged = Boolean(resolved?.payload) || told.length > 0;
    rows.forEach(({ text, mark }) => {
      const broken = told.some((message) => message.includes(text));
      mark.replaceChildren(...(judged && (broken || resolved.payload) ? [chip(broken ? "not met" : "met", broken ? "bad" : "good")] : []));
    });
  };
  return { node, show };
}

export function hooksPart(subscription, action, touched, signal) {
  if (!action.hooks.length) return null;
  return h("div", { class: "stack" }, action.hooks.map((hook) => hookPart(hook, subscription, action, touched, signal)));
}

function hookPart(hook, subscription, action, touched, signal) {
  const kept = () => subscription.mapping[hook.kind];
  const inputs = { ...kept()?.inputs };
  const outcome = h("div", { class: "answer", "aria-live": "polite" });
  const saved = h("div", {});
  const again = button("Run", () => run(), { "data-run-hook": hook.kind });
  const draw = () => {
    again.textContent = kept() ? "Run again" : "Run";
    saved.replaceChildren(...(kept() ? [savedView(kept(), hook, () => { delete subscription.mapping[hook.kind]; draw(); touched(); })] : []));
  };
  let running = false;
  const run = async () => {
    if (running) return;
    const mode = askMode();
    if (mode === "live" && !await confirmed(`Run “${hook.label}” at ${state.definition.name}?`, ["It may create something there."], "Run live")) return;
    running = true;
    outcome.replaceChildren(h("p", { class: "quiet" }, `Asking ${targetName()}…`));
    const index = state.subscriptions.indexOf(subscription);
    const answer = await api.saveMapping({ connection: connection(), mode, index, kind: hook.kind, inputs }).catch((error) => ({ error }));
    running = false;
    if (answer.error) {
      outcome.replaceChildren(h("div", { class: "verdict bad", role: "alert" }, h("strong", {}, "Not saved"), h("span", {}, prose(answer.error.message)), problemList(answer.error)));
      return;
    }
    subscription.mapping[hook.kind] = answer.saved;
    draw();
    touched();
    const place = answer.kept ? "Its outputs are kept beside the connection file." : "Its outputs are in this mapping.";
    outcome.replaceChildren(h("div", { class: "verdict good" }, h("strong", {}, answer.message), h("span", {}, place), h("span", { class: "quiet" }, `by ${targetName(mode)}`)),
      answer.exchanges.length ? h("details", { class: "more" }, h("summary", {}, "Requests"), exchangeViews(answer.exchanges)) : "");
    if (signal.aborted) toast(answer.message);
  };
  draw();
  const entries = inputsForm(hook, inputs, subscription, action, signal);
  return h("section", { class: "hook", "aria-label": hook.label, "data-hook": hook.kind },
    h("div", { class: "row" }, h("h3", {}, hook.label), h("code", {}, hook.kind), hook.required ? chip("required before delivery", "warn") : null),
    hook.description ? h("p", { class: "help" }, hook.description) : null,
    entries, saved, h("div", { class: "row" }, again), outcome);
}

function inputsForm(hook, inputs, subscription, action, signal) {
  return hook.inputs.filter((field) => !field.hidden).map((field) => {
    const id = fresh("input");
    const tell = (value) => { if (value === undefined) delete inputs[field.key]; else inputs[field.key] = value; };
    const { input, fill } = control(field, () => inputs[field.key] ?? field.default ?? undefined, tell, { id, "aria-describedby": `${id}-help` });
    fill();
    const places = hook.dynamic.filter((place) => place === field.key || place.startsWith(`${field.key}.`) || place.startsWith(`${field.key}[]`));
    const lists = places.map((place) => choicesControl({
      place, label: place === field.key ? "" : place, signal,
      ask: (asked) => choicesOf(action, place, subscription)({ hook: hook.kind, inputs, ...asked }),
      take: (value, within) => { tell(chosenIn(inputs[field.key], place.slice(field.key.length), value, within)); fill(); },
    }));
    return h("div", { class: "entry" },
      h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), field.required === true ? chip("required") : null),
      h("div", { class: "input" }, input, lists.map(({ opener }) => opener)), lists.map(({ panel }) => panel), h("p", { class: "help", id: `${id}-help` }, field.description));
  });
}

function savedView({ inputs = {}, outputs = {} }, hook, drop) {
  const labels = new Map(hook.outputs.map((field) => [field.key, field.label]));
  return h("div", { class: "saved" },
    h("div", { class: "row spread" }, h("h4", {}, "Saved outputs"), button("Remove", drop, { kind: "link", "aria-label": `Remove the outputs of ${hook.label}` })),
    h("dl", { class: "facts" }, Object.entries(outputs).map(([key, value]) => [h("dt", {}, labels.get(key) ?? key), h("dd", {}, inline(value, 200))])),
    Object.keys(inputs).length ? h("p", { class: "help" }, `For the inputs ${short(inputs, 200)}.`) : null);
}
