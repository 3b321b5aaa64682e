// Destination filters: one card for each, with its switch, its condition and its actions.

import { button, fresh, h, plural, same, toast } from "./dom.js";
import { foundChip, told, under } from "./fields.js";
import { record, removable } from "./history.js";
import { changed, eventPaths, on, state, step } from "./state.js";
import { triggerPart } from "./triggers.js";

const MOST = 50;
const TYPES = { SAMPLE: "Keep a share of the events", DROP: "Drop the event", DROP_PROPERTIES: "Remove fields", ALLOW_PROPERTIES: "Keep only these fields" };
const EDITS = ["DROP_PROPERTIES", "ALLOW_PROPERTIES"];
const touched = () => changed("subscriptions");

export function filtersPart(signal) {
  const list = h("div", { class: "stack" });
  const help = h("p", { class: "help", role: "status" });
  const tell = () => { help.textContent = state.filters.length ? "They drop events, keep a sample of them or remove fields, before any subscription." : "None: every event reaches the subscriptions."; };
  const draw = (filter, open) => {
    const forget = () => {
      state.filters = state.filters.filter((one) => one !== filter);
      state.diagnostics = []; // they name filters by number
      tell();
      adding.focus();
      touched();
      changed("diagnostics");
    };
    const node = removable(signal, (own, drop) => card(filter, open, own, drop), forget);
    list.append(node);
    return node;
  };
  const add = () => {
    if (state.filters.length >= MOST) return toast(`A connection has at most ${MOST} filters.`, "bad");
    record();
    const filter = { if: 'type = "track"', actions: [{ type: "DROP" }] };
    state.filters.push(filter);
    tell();
    draw(filter, true).querySelector(".title").focus();
    touched();
    return undefined;
  };
  const adding = button("Add a filter", add, { id: "add-filter" });
  tell();
  state.filters.forEach((one) => draw(one, false));
  return h("section", { class: "group", "aria-label": "Filters" },
    h("div", { class: "row spread" }, h("div", {}, h("h2", {}, "Filters"), help), adding), list);
}

// The filter that had this index in the last run, among those that there are now; -1 if it is gone.
export function filterNow(index) {
  const then = state.ranFilters[index];
  const found = state.filters.findIndex((one) => same(one, then));
  if (found >= 0) return found;
  const titled = then?.title ? state.filters.findIndex(({ title }) => title === then.title) : index;
  return titled < state.filters.length ? titled : -1;
}

// The filter that an outcome names, by its title or its number; -1 if the page has none.
export function filterNamed(name) {
  const titled = state.filters.findIndex(({ title }) => title === name);
  const number = Number(/^number (\d+)$/.exec(name)?.[1] ?? 0) - 1;
  return titled < 0 && state.filters[number]?.title === undefined && state.filters[number] ? number : titled;
}

const pathOf = (filter, ...steps) => ["/filters", state.filters.indexOf(filter), ...steps.map((one) => step(String(one)))].join("/");

// What a filter does, in a few words.
function effectOf({ actions }) {
  const effects = actions.map(({ type, percent, path, fields = {} }) => {
    if (type === "SAMPLE") return `keeps ${percent >= 0 && percent <= 1 ? `${+(percent * 100).toPrecision(6)}%` : "a share"} of the events${path ? ` by ${path}` : ""}`;
    if (type === "DROP") return "drops the event";
    const names = Object.entries(fields).flatMap(([object, some]) => some.map((name) => (object ? `${object}.${name}` : name)));
    return `${type === "DROP_PROPERTIES" ? "removes" : "keeps only"} ${names.length > 4 ? plural(names.length, "field") : names.join(", ") || "nothing"}`;
  });
  return effects.join("; ") || "does nothing";
}

function card(filter, open, signal, drop) {
  const truth = h("span", { class: "truth" });
  const effect = h("span", {});
  const about = h("ul", { class: "problems" });
  const name = () => filter.title || `number ${state.filters.indexOf(filter) + 1}`;
  const write = (key, value) => {
    if (value === "" || value === undefined) delete filter[key];
    else filter[key] = value;
    touched();
  };
  const tell = () => {
    effect.textContent = effectOf(filter);
    title.placeholder = `Filter ${name()}`;
    switched.setAttribute("aria-label", `Enable filter ${name()}`);
    remove.setAttribute("aria-label", `Remove filter ${name()}`);
  };
  const switched = h("input", { type: "checkbox", role: "switch", checked: filter.enabled !== false, onchange: ({ target }) => {
    node.classList.toggle("off", !target.checked);
    write("enabled", target.checked ? undefined : false);
  } });
  const title = h("textarea", { class: "title", rows: "1", value: filter.title ?? "", "aria-label": "Filter title", onkeydown: (event) => { if (event.key === "Enter") event.preventDefault(); }, oninput: ({ target }) => write("title", target.value.replace(/[\r\n]+/g, " ")) });
  const remove = button("Remove", drop, { kind: "link" });
  const note = h("input", { id: fresh("note"), type: "text", value: filter.description ?? "", autocomplete: "off", oninput: ({ target }) => write("description", target.value) });
  const condition = triggerPart({
    title: "Condition", help: ["A trigger, or ", h("code", {}, "all"), ". It sees the event as it arrived."], label: `Condition of filter ${name()}`, text: () => filter.if ?? "", truth, signal, place: () => pathOf(filter, "if"),
    write: (text) => { filter.if = text; touched(); },
    known: (text) => (text === "all" ? ["every event", "good"] : text === "" ? ["no condition", "bad"] : null),
  });
  const body = h("div", { class: "body" }, about, condition, actionsPart(filter, signal),
    h("div", { class: "entry" }, h("label", { for: note.id }, "Description"), note));
  const node = h("section", { class: `card subscription filter${filter.enabled === false ? " off" : ""}`, "aria-label": `Filter ${name()}` },
    h("header", {}, switched, title, truth, foundChip(() => pathOf(filter), signal), remove), h("details", { open }, h("summary", {}, effect), body));
  on("diagnostics", () => {
    tell();
    const own = under(pathOf(filter)).filter(({ pointer }) => !/^\/filters\/\d+\/(if$|actions\/)/.test(pointer));
    about.replaceChildren(...own.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))));
  }, signal);
  on("subscriptions", tell, signal);
  tell();
  return node;
}

function actionsPart(filter, signal) {
  const rows = h("div", { class: "filter-actions" });
  let scope = new AbortController();
  // Actions are drawn again when there is one more or less: findings name them by number.
  const draw = () => {
    scope.abort();
    scope = new AbortController();
    rows.replaceChildren(...filter.actions.map((one, index) => actionRow(filter, index, scope.signal, () => { record(); filter.actions.splice(index, 1); draw(); adding.focus(); touched(); })));
  };
  signal.addEventListener("abort", () => scope.abort());
  const adding = button("Add an action", () => { filter.actions.push({ type: "DROP_PROPERTIES", fields: {} }); draw(); rows.lastElementChild.querySelector("select").focus(); touched(); }, { kind: "link" });
  draw();
  return h("div", { class: "part" }, h("div", { class: "row spread" }, h("h3", {}, "Actions"), adding), rows);
}

function actionRow(filter, index, signal, drop) {
  const action = filter.actions[index];
  const place = (...steps) => pathOf(filter, "actions", index, ...steps);
  const problem = h("p", { class: "problem", id: fresh("problem") });
  const inputs = h("div", { class: "stack" });
  const type = h("code", {});
  let fields = [];
  const fill = () => {
    type.textContent = action.type;
    fields = action.type === "SAMPLE" ? sampleInputs(action) : EDITS.includes(action.type) ? fieldInputs(action, mark) : [];
    inputs.replaceChildren(...fields.map(({ node }) => node));
    inputs.hidden = !fields.length;
    mark();
  };
  const mark = () => {
    const found = under(place());
    problem.replaceChildren(...found.map((one) => h("span", { class: one.severity }, told(one))));
    for (const { marked } of fields) {
      marked().forEach(([input, ...steps]) => {
        const is = found.some(({ pointer }) => pointer === place(...steps) || pointer.startsWith(`${place(...steps)}/`));
        input.setAttribute("aria-invalid", String(is));
        input.setAttribute("aria-describedby", problem.id);
      });
    }
  };
  const choose = ({ target }) => {
    const { fields: held } = action;
    for (const key of Object.keys(action)) delete action[key];
    Object.assign(action, { type: target.value }, target.value === "SAMPLE" ? { percent: 0.1 } : EDITS.includes(target.value) ? { fields: held ?? {} } : {});
    fill();
    touched();
  };
  const known = Object.hasOwn(TYPES, action.type) ? TYPES : { ...TYPES, [action.type]: action.type };
  const select = h("select", { "aria-label": `Action ${index + 1}`, onchange: choose }, Object.entries(known).map(([value, text]) => h("option", { value, selected: value === action.type }, text)));
  fill();
  on("diagnostics", mark, signal);
  return h("div", { class: "filter-action" }, h("div", { class: "row" }, select, type, button("Remove", drop, { kind: "link", "aria-label": `Remove action ${index + 1}` })), inputs, problem);
}

function sampleInputs(action) {
  const [share, path] = [fresh("share"), fresh("path")];
  const known = pathList(() => true);
  const number = h("input", { id: share, type: "number", min: "0", max: "1", step: "any", value: action.percent ?? "", oninput: ({ target }) => { if (target.value === "") delete action.percent; else action.percent = Number(target.value); touched(); } });
  const by = h("input", { id: path, type: "text", list: known.id, class: "mono", placeholder: "message ID", autocomplete: "off", spellcheck: "false", value: action.path ?? "", onfocus: known.fill, oninput: ({ target }) => { if (target.value === "") delete action.path; else action.path = target.value.trim(); touched(); } });
  const node = h("div", { class: "row pair-of-inputs" }, h("div", { class: "entry" }, h("label", { for: share }, "Share, from 0 to 1"), number), h("div", { class: "entry" }, h("label", { for: path }, "Decided by the value at"), by, known.node));
  return [{ node, marked: () => [[number, "percent"], [by, "path"]] }];
}

// Names by the path of their object; one row for each object.
function fieldInputs(action, mark) {
  const rows = Object.entries(action.fields ?? {}).map(([object, names]) => ({ object, text: lineOf(names) }));
  if (!rows.length) rows.push({ object: "properties", text: "" });
  const list = h("div", { class: "stack" });
  const objects = pathList((value) => value !== null && typeof value === "object");
  const inputs = new Map();
  const tell = () => {
    const fields = new Map();
    for (const { object, text } of rows) {
      const named = namesOf(text);
      if (named.length) fields.set(object, [...fields.get(object) ?? [], ...named]);
    }
    action.fields = Object.fromEntries(fields);
    touched();
  };
  const draw = () => {
    inputs.clear();
    list.replaceChildren(...rows.map((row) => {
      const [first, second] = [fresh("object"), fresh("names")];
      const object = h("input", { id: first, type: "text", class: "mono", list: objects.id, value: row.object, placeholder: "the event itself", autocomplete: "off", spellcheck: "false", onfocus: objects.fill, oninput: ({ target }) => { row.object = target.value.trim(); tell(); } });
      const text = h("input", { id: second, type: "text", class: "mono", value: row.text, placeholder: "email, phone", autocomplete: "off", spellcheck: "false", oninput: ({ target }) => { row.text = target.value; tell(); } });
      inputs.set(row, [object, text]);
      const gone = rows.length > 1 ? button("Remove", () => { rows.splice(rows.indexOf(row), 1); draw(); tell(); mark(); }, { kind: "link", "aria-label": `Remove the fields of ${row.object || "the event itself"}` }) : null;
      return h("div", { class: "row pair-of-inputs" }, h("div", { class: "entry" }, h("label", { for: first }, "Object"), object), h("div", { class: "entry" }, h("label", { for: second }, "Names, separated by commas"), text), gone);
    }));
  };
  draw();
  const more = button("Add an object", () => { rows.push({ object: "", text: "" }); draw(); inputs.get(rows.at(-1))[0].focus(); }, { kind: "link" });
  const marked = () => rows.flatMap((row) => inputs.get(row).map((input) => (Object.keys(action.fields ?? {}).length ? [input, "fields", row.object] : [input, "fields"])));
  return [{ node: h("div", { class: "stack" }, list, h("div", {}, more), objects.node), marked }];
}

// Paths of the first events for completion, in the notation of triggers.
function pathList(fits) {
  const node = h("datalist", { id: fresh("paths") });
  const fill = () => node.replaceChildren(...[...eventPaths()].map(([path, value]) => [path.slice(2), value]).filter(([path, value]) => !path.includes("[") && fits(value)).map(([path]) => h("option", { value: path })));
  return { node, id: node.id, fill };
}

// Names on one line; those with commas, quotes or blanks at an end are written as JSON.
export const lineOf = (names) => names.map((name) => (/^\s|\s$|[,"]|^$/.test(name) ? JSON.stringify(name) : name)).join(", ");

export function namesOf(line) {
  return (line.match(/\s*"(?:[^"\\]|\\.)*"\s*|[^,]+/g) ?? []).map((one) => one.trim()).filter(Boolean).map((one) => {
    if (!one.startsWith('"')) return one;
    try {
      return JSON.parse(one);
    } catch {
      return one;
    }
  });
}

// Opens the filter whose index `find` returns; -1 if there is none any more.
export const filterLink = (title, find, kind = "link") => button(title, () => {
  state.wanted = find();
  if (state.wanted < 0) toast("The filter has been removed since this run.", "bad");
  else changed("filter-wanted");
}, { kind, title: "Open the filter" });
