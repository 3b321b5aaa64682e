// The trace of each event as stages, from its trigger to its outcome.

import { api } from "./api.js";
import { MOODS, button, chip, copy, download, h, inline, later, outcomeChip, plural, pretty, problemList, prose, same, short, toast } from "./dom.js";
import { named, written } from "./event.js";
import { exchangeViews } from "./exchanges.js";
import { filterLink, filterNow } from "./filters.js";
import { address, changed, connection, events, isLong, on, state } from "./state.js";
import { truthTree } from "./triggers.js";

const WHERE = { sandbox: "the sandbox", dry: "dry run, no requests sent", live: "the real partner" };
const calling = ({ type, event, name }) => [event, name, type].find((text) => typeof text === "string") ?? "no type";
const LONG = 90;
const SHORT = 20;
const cut = (text) => (text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text);
const lasted = (milliseconds) => (milliseconds < 2_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`);
const MOST_LISTED = 200;
const MOST_UNSEARCHED = 20;

export function resultView(signal, run) {
  const { run: done, refused } = state;
  if (refused) return [h("h1", {}, "Result"), refusedView(refused), button("Run again", run, { kind: "primary" })];
  if (!done) return [h("h1", {}, "Result"), h("p", { class: "lead" }, "No run yet."), button("Run the events", run, { kind: "primary" })];
  const detail = h("div", { class: "journey", id: "journey" });
  const show = (position) => {
    state.selected = position;
    detail.replaceChildren(...journeyView(done.journeys[position]));
  };
  const old = h("p", { class: "notice", hidden: !state.stale }, "The configuration has changed since this run. ", button("Run again", run, { kind: "link" }));
  for (const topic of ["settings", "subscriptions", "events", "mode"]) on(topic, () => { old.hidden = false; }, signal);
  const selected = Math.min(state.selected, done.journeys.length - 1);
  const only = done.journeys.length === 1;
  const list = only ? null : journeyList(done, selected, show);
  show(Math.max(selected, 0));
  return [
    h("div", { class: "row spread" }, h("h1", {}, "Result"), exporting(done)),
    h("p", { class: "lead" }, summary(done)), old, done.jobs ? jobsNotice(done, signal) : null,
    h("div", { class: only ? "" : "result-grid" }, list, detail)];
}

// Jobs that the partner finishes later are asked for when the user wants it.
function jobsNotice({ jobs }, signal) {
  const ask = async () => {
    try {
      const done = await api.askJobs(jobs.run);
      if (state.run?.jobs?.run !== jobs.run) return;
      state.run = done;
      if (!signal.aborted) changed("result");
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  return h("p", { class: "notice", id: "jobs" }, `The partner has not finished ${plural(jobs.open, "job")}. `, button("Ask for them", ask, { kind: "link", id: "ask-jobs" }));
}

const refusedView = (error) => h("section", { class: "verdict bad", role: "alert" }, h("strong", {}, error.status ? "Not run" : "No response"), h("span", {}, prose(error.message)), problemList(error));

function summary(done) {
  const counts = Object.entries(done.counts).filter(([, number]) => number).map(([kind, number]) => chip(`${number.toLocaleString("en")} ${kind}`, MOODS[kind]));
  return [plural(done.journeys.length, "event"), " · ", counts.length ? counts.flatMap((one, index) => (index ? [" ", one] : [one])) : "no outcome", ` · ${WHERE[done.mode]} · ${lasted(done.milliseconds)}`];
}

function exporting(done) {
  const take = async () => {
    try {
      const { file, text, connection: beside } = await api.exportCase(connection(), events().events, state.mode, named(done.journeys[0].event));
      download(file, text);
      if (beside) download(beside.file, beside.text);
      toast(`Saved ${file}${beside ? ` and ${beside.file}, which it tests` : ""}; run it with \`actions test ${file}\`.`);
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  const link = async () => {
    const fragment = await address();
    history.replaceState(null, "", fragment);
    await copy(new URL(fragment, location.href).href, isLong() ? "Link copied, without secrets and token, and without the events, which are too long." : "Link copied, without secrets and token.");
  };
  return h("div", { class: "row" }, button("Copy link", link, { id: "permalink" }), button("Export as test", take, { id: "export" }));
}

function journeyList(done, selected, show) {
  const kinds = ["all", "delivered", "failed", "skipped", "unconfirmed", "accepted"];
  const list = h("ol", { class: "events-list" });
  const told = marks(done.journeys);
  let kind = "all";
  let words = "";
  let most = MOST_LISTED;
  const says = (journey) => `${journey.position + 1} ${calling(journey.event)} ${about(journey)} ${JSON.stringify(journey.event)}`.toLowerCase().includes(words);
  const draw = () => {
    const chosen = done.journeys.filter((journey) => (kind === "all" || journey.outcome === kind) && (!words || says(journey)));
    list.replaceChildren(...chosen.slice(0, most).map((journey) => h("li", {}, h("button", { type: "button", "aria-current": String(journey.position === state.selected), onclick: () => { show(journey.position); draw(); list.querySelector('[aria-current="true"]')?.focus(); } },
      h("span", { class: "number" }, String(journey.position + 1)), h("span", { class: "what" }, cut(calling(journey.event)), h("span", { class: "quiet" }, [told.get(journey.position), about(journey)].filter(Boolean).map(cut).join(" · "))), outcomeChip(journey.outcome)))));
    if (chosen.length > most) list.append(h("li", {}, button(`Show more of ${(chosen.length - most).toLocaleString("en")} others`, more, { kind: "link" })));
    if (!chosen.length) list.append(h("li", { class: "quiet" }, "No event matches."));
  };
  const more = () => {
    const first = most;
    most += MOST_LISTED;
    draw();
    list.children[first]?.querySelector("button").focus();
  };
  const search = done.journeys.length > MOST_UNSEARCHED ? h("input", { type: "search", "aria-label": "Search events", placeholder: "Search", oninput: later(150, () => { words = search.value.trim().toLowerCase(); most = MOST_LISTED; draw(); }) }) : null;
  state.selected = selected;
  const filter = h("select", { "aria-label": "Filter events", onchange: ({ target }) => { kind = target.value; most = MOST_LISTED; draw(); } }, kinds.map((one) => {
    const number = one === "all" ? done.journeys.length : done.journeys.filter(({ outcome }) => outcome === one).length;
    return h("option", { value: one }, `${one} (${number.toLocaleString("en")})`);
  }));
  draw();
  return h("nav", { class: "card", "aria-label": "Events" }, filter, search, list);
}

const DELETION = "Deletion of a user";

// The subscription that decided the outcome of an event: one that matched before one that did not.
function decisive({ legs, outcome }) {
  const same = legs.filter(({ result }) => result.outcome === outcome);
  return same.find(({ trigger }) => trigger.matched) ?? same[0];
}

const LEFT_OUT = ["FILTERED", "SAMPLED"];

// The filter that has dropped an event: the last one that was asked.
const droppedBy = ({ filters, legs }) => (filters?.length && legs.some(({ result }) => LEFT_OUT.includes(result.code)) ? filters.at(-1) : null);

const titleOf = (step) => `Filter ${step.filter}`;

const about = (journey) => (droppedBy(journey) ? titleOf(droppedBy(journey)) : journey.deletion ? DELETION : journey.nearest?.subscription ?? decisive(journey)?.subscription ?? "");

const TELLING = [["messageId"], ["userId"], ["anonymousId"], ["context", "traits", "email"], ["traits", "email"], ["timestamp"]];
const within = (event, path) => path.reduce((value, key) => value?.[key], event);

// What tells an event apart from the others with its name: the first of the usual keys that differs.
function marks(journeys) {
  const groups = Map.groupBy(journeys, ({ event }) => calling(event));
  const found = new Map();
  for (const group of groups.values()) {
    const path = group.length > 1 ? TELLING.find((one) => new Set(group.map(({ event }) => JSON.stringify(within(event, one)))).size > 1) : undefined;
    for (const { position, event } of group) {
      const value = path && within(event, path);
      if (value !== undefined && value !== null) found.set(position, typeof value === "string" ? value : short(value, 60));
    }
  }
  return found;
}

function journeyView(journey) {
  const { deletion, filters } = journey;
  const dropping = droppedBy(journey);
  const event = h("details", { class: "more event" }, h("summary", {}, h("strong", {}, `Event ${journey.position + 1}`), ` ${named(journey.event)} `, journey.messageId ? h("code", {}, String(journey.messageId)) : ""), pretty(journey.event, "Event"));
  if (dropping) {
    return [event, filters.length > 1 ? filtersView(filters.slice(0, -1)) : null,
      h("div", { class: "leg", id: "leg" }, h("ol", { class: "timeline", "aria-label": `Trace of ${titleOf(dropping)}` }, filterStage(dropping, journey.event), outcomeStage({ ...journey.legs[0], problems: [] })))].filter(Boolean);
  }
  const legs = deletion ? [{ ...deletion, subscription: DELETION, problems: [] }] : [...journey.legs];
  const nearest = legs.findIndex((leg) => leg.subscription === journey.nearest?.subscription);
  const start = nearest >= 0 ? nearest : Math.max(0, legs.indexOf(decisive(journey)));
  const body = h("div", { class: "leg", id: "leg" });
  const pick = (index) => {
    tabs.forEach((tab, at) => tab.setAttribute("aria-pressed", String(at === index)));
    body.replaceChildren(...(legs[index] ? legView(legs[index]) : [h("p", { class: "quiet" }, "No subscription is enabled.")]));
  };
  const tabs = legs.map((leg, index) => h("button", { type: "button", "aria-pressed": "false", onclick: () => pick(index) }, h("span", {}, leg.subscription), outcomeChip(leg.result.outcome)));
  pick(start);
  return [
    event, filters ? filtersView(filters) : null,
    journey.nearest ? nearestView(journey) : null,
    h("div", { class: "legs", role: "group", "aria-label": "Subscriptions" }, tabs), body].filter(Boolean);
}

function filtersView(steps) {
  return h("section", { class: "notice", "aria-label": "Filters" },
    h("ul", { class: "steps" }, steps.map((step) => h("li", {}, filterLink(titleOf(step), () => filterNow(step.index)), h("code", {}, step.type), h("span", { class: step.effect ? "" : "unmet" }, prose(step.effect || "The condition is not met."))))));
}

// The filter that has dropped the event, with its condition.
function filterStage(step, event) {
  const tree = h("div", { class: "tree" });
  if (step.condition.trim() !== "all") {
    api.trigger(step.condition, [event]).then(({ verdicts }) => { if (verdicts[0]) tree.replaceChildren(truthTree(verdicts[0].tree)); }, () => {});
  }
  return stage("filter", "idle", titleOf(step), `${step.type}, before any subscription`, [
    step.condition.trim() === "all" ? h("p", {}, "The condition is ", h("code", {}, "all"), ", which every event meets.") : tree,
    h("div", {}, filterLink("Open the filter", () => filterNow(step.index), ""))]);
}

function nearestView({ nearest, position }) {
  const isThere = () => same(events().events[position], state.ran[position]);
  const apply = () => {
    if (!isThere()) return toast("The event has changed since this run; run it again first.", "bad");
    const given = events().events.map((event) => structuredClone(event));
    nearest.changes.forEach((change) => applyChange(given[position], change));
    state.text = written(given);
    changed("events");
    changed("run-wanted");
    return undefined;
  };
  return h("section", { class: "notice nearest", "aria-label": "Nearest subscription" },
    h("p", {}, "No subscription matches this event. Nearest: ", h("strong", {}, nearest.subscription), "."),
    nearest.changes?.length ? [h("p", {}, "It would match after ", nearest.changes.length === 1 ? "this change:" : "these changes:"),
      h("ul", {}, nearest.changes.map((change) => h("li", {}, h("code", {}, change.path), change.kind === "remove" ? " removed" : [" = ", inline(change.value)]))),
      isThere() ? button(`Apply the change${nearest.changes.length === 1 ? "" : "s"} and run again`, apply, { id: "apply-changes" }) : null]
      : h("p", {}, prose(nearest.reason), " No small change to the event would make it match."));
}

// Paths in the tester's notation: `$.properties.plan`, `$['a b']`, `$.list[0]`.
export function applyChange(event, { path, kind, value }) {
  const steps = [...path.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/g)].map(([, name, number, one, two]) => name ?? (number === undefined ? (one ?? two).replace(/\\(.)/g, "$1") : Number(number)));
  const last = steps.pop();
  let at = event;
  for (const step of steps) {
    if (at[step] === null || typeof at[step] !== "object") Object.defineProperty(at, step, { value: {}, writable: true, enumerable: true, configurable: true });
    at = at[step];
  }
  if (kind === "remove") delete at[last];
  else Object.defineProperty(at, last, { value, writable: true, enumerable: true, configurable: true });
}

function legView(leg) {
  const stages = leg.trigger ? [triggerStage(leg)] : [];
  if (leg.trigger?.matched && leg.mapping) stages.push(mappingStage(leg), payloadStage(leg));
  if (leg.batch) stages.push(batchStage(leg), requestStage(leg));
  stages.push(outcomeStage(leg));
  return [h("ol", { class: "timeline", "aria-label": `Trace of ${leg.subscription}` }, stages)];
}

function stage(kind, mood, title, told, body, open = true) {
  return h("li", { class: `stage ${mood}`, "data-stage": kind },
    h("details", { open: body ? open : false, class: body ? "" : "bare" }, h("summary", {}, h("h3", {}, title), h("span", { class: "told" }, told)), body ? h("div", { class: "stage-body" }, body) : null));
}

function triggerStage({ trigger }) {
  return stage("trigger", trigger.matched ? "good" : "idle", "Trigger", trigger.matched ? "matches" : "does not match",
    h("div", { class: "tree" }, truthTree(trigger.tree)));
}

function mappingStage({ mapping, problems }) {
  const broken = new Set(problems.filter(({ code }) => code === "mapping").map(({ field }) => field));
  const given = mapping.filter((one) => "value" in one || broken.has(one.field));
  const empty = mapping.filter((one) => !("value" in one) && !broken.has(one.field));
  const row = (one) => h("tr", { class: broken.has(one.field) ? "wrong" : "" },
    h("th", { scope: "row", class: one.field.length > SHORT ? "" : "whole-word" }, h("code", {}, one.field)),
    h("td", {}, "value" in one ? inline(one.value, 160) : h("em", {}, "nothing")),
    h("td", {}, sources(one), one.isDefault ? chip("default") : chip("custom", "accent")));
  const body = [
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Mapped fields" }, h("table", { class: "mapped" }, h("thead", {}, h("tr", {}, ["Field", "Value", "From"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, given.map(row)))),
    empty.length ? h("p", { class: "quiet" }, "No value for ", empty.map((one, index) => [index ? ", " : "", h("code", {}, one.field)]), ".") : null];
  return stage("mapping", broken.size ? "bad" : "good", "Mapping", broken.size ? plural(broken.size, "problem") : `${given.length} of ${plural(mapping.length, "field")} with a value`, body);
}

function sources({ mapping, sources: read }) {
  if (!read.length) return h("span", { class: "source" }, "constant ");
  const simple = mapping && typeof mapping === "object" && Object.keys(mapping).length === 1 && "@path" in mapping;
  return h("span", { class: "source" }, simple ? null : h("span", { class: "by" }, inline(mapping, 80), " reading "),
    read.map((one, index) => [index ? ", " : "", h("code", {}, one.path), simple || one.path === "$" ? null : ["value" in one ? [" = ", inline(one.value, 60)] : h("em", {}, " (missing)")]]), " ");
}

function payloadStage({ payload, problems }) {
  const wrong = problems.length ? h("ul", { class: "problems" }, problems.map(({ message }) => h("li", {}, h("span", {}, prose(message))))) : null;
  const told = problems.length ? plural(problems.length, "problem") : payload ? `${plural(Object.keys(payload).length, "field")} valid` : "not built";
  return stage("payload", problems.length ? "bad" : payload ? "good" : "idle", "Payload", told, [wrong, payload ? pretty(payload, "Payload") : null].some(Boolean) ? [wrong, payload ? pretty(payload, "Payload") : null] : null, Boolean(problems.length));
}

const CLOSED = { count: "because it was full", bytes: "because of its size in bytes", age: "because of its age", room: "because too many events waited", order: "to keep the order of events about one identifier", deletion: "because everything before a deletion is sent before it", end: "because there were no more events", flush: "because there were no more events" };

function batchStage({ batch, identifier }) {
  const key = Object.entries(batch.key).filter(([, value]) => value !== null);
  const list = h("dl", { class: "facts" },
    h("dt", {}, "Key"), h("dd", {}, key.length ? key.map(([name, value]) => h("span", { class: "pair" }, h("code", {}, name), " = ", inline(value, 80))) : "none"),
    identifier ? [h("dt", {}, "About"), h("dd", {}, h("code", { class: "long" }, identifier))] : null,
    h("dt", {}, "Other events"), h("dd", {}, batch.others ? mates(batch) : "none"),
    h("dt", {}, "Closed"), h("dd", {}, CLOSED[batch.reason] ?? batch.reason));
  return stage("batch", "good", "Batch", `${plural(batch.size, "payload")}, batch ${batch.index + 1}`, list);
}

const mates = ({ mates: positions, others }) => `event${others === 1 ? "" : "s"} ${positions.slice(0, 12).map((one) => one + 1).join(", ")}${others > 12 ? ` and ${(others - 12).toLocaleString("en")} more` : ""}`;

function requestStage({ exchanges, result }) {
  if (!exchanges.length) return stage("requests", "idle", "Requests", "none", null);
  const bad = exchanges.some(({ response, error }) => error || (response && response.statusCode >= 400));
  return stage("requests", bad ? (result.outcome === "delivered" ? "warn" : "bad") : "good", "Requests", plural(exchanges.length, "request"), exchangeViews(exchanges));
}

function outcomeStage({ result, problems }) {
  const several = result.problems?.length > 1;
  const said = problems.length ? `Nothing was sent: ${plural(problems.length, "problem")} with the payload, see above.` : several ? "" : result.message;
  const facts = [
    ["Status", result.status], ["Code", result.code], ["Reported by", result.reporter === "partner" ? "the partner" : result.reporter === "framework" ? "the framework" : null],
    ["Retryable", result.retryable === undefined ? null : result.retryable ? "yes" : "no"]].filter(([, value]) => value !== undefined && value !== null);
  const body = [
    said ? h("p", { class: "message" }, prose(said)) : null,
    several && !problems.length ? h("ul", { class: "problems" }, result.problems.map((text) => h("li", {}, h("span", {}, prose(text))))) : null,
    facts.length ? h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])) : null,
    result.body === undefined || result.body === null ? null : h("details", { class: "more" }, h("summary", {}, "Response of the partner"), pretty(result.body, "Response of the partner"))];
  return stage("outcome", MOODS[result.outcome], "Outcome", outcomeChip(result.outcome), body.some(Boolean) ? body : null);
}
