// The page: views, runs, and the state in the address.

import { api, follow, takeToken, whileSeen } from "./api.js";
import { button, chip, confirmed, h, later, plural, prose, same, toast } from "./dom.js";
import { eventView } from "./event.js";
import { begin, history as edits, redo, undo } from "./history.js";
import { deadLettersView } from "./letters.js";
import { liveView } from "./live.js";
import { mappingsView } from "./mappings.js";
import { resultView } from "./result.js";
import { savingRow } from "./saving.js";
import { watchSandbox } from "./sandbox.js";
import { settingsView } from "./settings.js";
import { audiencesView, relayView } from "./store.js";
import { actionOf, changed, connection, keepAddress, leave, on, ownMapping, readEvents, state, subscriptionOf, unpacked } from "./state.js";

const STEPS = { catalogue: "Catalogue", settings: "Settings", mappings: "Mappings", event: "Event", result: "Result" };
// Pages that need no destination, where the tester was started with what they show.
const PAGES = { live: ["Live outcomes", "follows"], relay: ["Relay", "store"], audiences: ["Audiences", "store"], letters: ["Dead letters", "store"] };
const isPage = (step) => Object.hasOwn(PAGES, step ?? "") && (step === "live" || state.status[PAGES[step][1]]);
const MODES = { sandbox: "Sandbox", dry: "Dry run", live: "Live" };
const main = document.getElementById("view");
let scope;

function show(step) {
  state.step = state.definition || isPage(step) ? step : "catalogue";
  scope?.abort();
  scope = new AbortController();
  const views = { catalogue: catalogueView, settings: settingsView, mappings: mappingsView, event: eventView, result: (signal) => resultView(signal, run), live: liveView, relay: relayView, audiences: audiencesView, letters: deadLettersView };
  main.replaceChildren(...views[state.step](scope.signal).flat().filter(Boolean), onward());
  main.dataset.step = state.step;
  drawBar();
  changed("step");
}

let wish = 0;

function go(step) {
  wish += 1;
  show(step);
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function onward() {
  const next = { settings: "mappings", mappings: "event" }[state.step];
  if (next) return h("div", { class: "onward row spread" }, button(`Next: ${STEPS[next]}`, () => go(next), { kind: "primary", id: "next" }), savingRow(loadFile));
  if (state.step === "event") return h("p", { class: "onward" }, button("Run", run, { kind: "primary", id: "run-here" }));
  return "";
}

function drawBar() {
  const { definition } = state;
  const step = ([key, text], index) => h("li", {}, h("button", { type: "button", "aria-current": state.step === key ? "step" : undefined, disabled: !definition && key !== "catalogue", "data-step": key, title: `Alt ${index + 1}`, onclick: () => go(key) }, h("span", { class: "mark", "aria-hidden": "true" }, String(index + 1)), text));
  const page = ([key, [text]]) => h("li", {}, h("button", { type: "button", "aria-current": state.step === key ? "step" : undefined, "data-step": key, onclick: () => go(key) }, text));
  const pages = Object.entries(PAGES).filter(([, [, needed]]) => state.status?.[needed]).map(page);
  const modes = Object.entries(MODES).filter(([key]) => key !== "sandbox" || !definition || definition.hasSandbox).map(([key, text]) => button(text, () => { state.mode = key; changed("mode"); drawBar(); document.querySelector(`#bar [data-mode="${key}"]`).focus(); }, { "aria-pressed": String(state.mode === key), "data-mode": key }));
  const going = h("button", { type: "button", class: `primary ${state.mode === "live" ? "danger" : ""}`, id: "run", title: "Ctrl Enter", onclick: run, disabled: !definition }, state.mode === "live" ? "Run live" : "Run");
  document.getElementById("bar").replaceChildren(
    h("div", { class: "brand" }, h("strong", {}, definition?.name ?? "Local tester"), state.status?.connection && definition?.slug === state.status.connection.connection.destination ? h("span", { class: "quiet", title: state.status.connection.path }, state.status.connection.file, state.enabled ? null : " (disabled)") : null),
    h("nav", { "aria-label": "Steps" }, h("ol", {}, Object.entries(STEPS).map(step)), pages.length ? h("ol", {}, pages) : null),
    h("div", { class: "row run" }, h("div", { class: "row edits" }, button("Undo", () => undo(show), { kind: "link", id: "undo", disabled: !edits.canUndo, title: "Take back the last edit" }), button("Redo", () => redo(show), { kind: "link", id: "redo", disabled: !edits.canRedo })), definition ? h("div", { class: "segments", role: "group", "aria-label": "Target of requests" }, modes) : null, going));
  document.querySelector("#bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.body.dataset.mode = state.mode;
}

function choose(definition, given = {}) {
  const file = fileOf(definition);
  const held = file?.connection ?? {};
  state.definition = definition;
  state.kept = file?.kept ?? [];
  const defaults = definition.settings.filter((field) => field.default !== null && field.default !== undefined).map((field) => [field.key, field.default]);
  state.settings = { ...Object.fromEntries(defaults), ...(given.settings ?? held.settings) };
  state.subscriptions = (given.subscriptions ?? held.subscriptions ?? definition.subscriptions).map(taken);
  state.consent = given.consent ?? held.consent?.categories ?? [];
  state.filters = structuredClone(given.filters ?? held.filters ?? []);
  state.enabled = given.subscriptions ? given.enabled !== false : held.enabled !== false;
  // What an address holds was made from the file as it was then.
  state.base = given.subscriptions ? given.base ?? null : file?.digest ?? null;
  state.touched = new Set();
  state.diagnostics = [];
  if (given.text) state.text = given.text;
  state.mode = Object.hasOwn(MODES, given.mode ?? "") ? given.mode : definition.hasSandbox ? "sandbox" : "dry";
  if (state.mode === "sandbox" && !definition.hasSandbox) state.mode = "dry";
  Object.assign(state, { run: null, ran: [], ranFilters: [], refused: null, stale: false });
  watchSandbox(document.getElementById("aside"));
  changed("diagnose");
  if (!state.text) firstEvent();
  begin();
}

// The content of the connection file as it is now, in place of what was edited.
async function loadFile() {
  try {
    state.status = await api.status();
    choose(state.definition, { text: state.text, mode: state.mode });
    show(state.step);
  } catch (error) {
    toast(error.message, "bad");
  }
}

function fileOf(definition) {
  const { connection: file } = state.status;
  return file?.connection.destination === definition.slug ? file : null;
}

function taken(subscription) {
  const action = actionOf(subscription);
  return {
    name: subscription.name ?? action?.title ?? subscription.partnerAction,
    partnerAction: subscription.partnerAction,
    subscribe: subscription.subscribe ?? action?.trigger ?? "",
    mapping: action ? ownMapping(action, subscription.mapping) : subscription.mapping ?? {},
    enabled: subscription.enabled !== false,
    mappingVersion: subscription.mappingVersion,
  };
}

// Start with an event that matches the first subscription.
async function firstEvent() {
  const { definition } = state;
  if (!state.subscriptions.length) return;
  try {
    const { event } = await api.generate(definition.slug, subscriptionOf(state.subscriptions[0]), 0, "all");
    const isWriting = document.activeElement?.matches(".editor.events");
    if (state.text || isWriting || state.definition !== definition) return;
    const untouched = !edits.canUndo;
    state.text = JSON.stringify(event, null, 2);
    changed("events");
    if (untouched) begin();
  } catch {
    // The editor stays empty; there are samples.
  }
}

function catalogueView() {
  const grid = h("ul", { class: "catalogue" });
  const search = h("input", { type: "search", id: "search", placeholder: "Search", "aria-label": "Search the catalogue", oninput: () => draw() });
  let found = { destinations: [], problems: [] };
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    const chosen = found.destinations.filter((one) => words.every((word) => JSON.stringify([one.name, one.slug, one.description, one.actions]).toLowerCase().includes(word)));
    grid.replaceChildren(...chosen.map((one) => h("li", { class: "card" },
      h("h2", {}, button(one.name, () => pick(one.slug), { kind: "link cover", "data-slug": one.slug })),
      h("p", {}, one.description), h("p", { class: "chips" }, one.actions.map((action) => chip(action))),
      h("p", { class: "quiet" }, one.origin, one.hasSandbox ? [" · ", chip("sandbox", "good")] : null))));
    if (!chosen.length) grid.append(h("li", { class: "quiet" }, "No destination found."));
  };
  const left = h("div", {});
  api.catalogue().then((answer) => {
    found = answer;
    search.hidden = answer.destinations.length < 2;
    draw();
    left.replaceChildren(...(answer.problems.length ? [h("h2", {}, "Plugins that were left out"), h("ul", { class: "problems" }, answer.problems.map((text) => h("li", {}, h("span", {}, prose(text)))))] : []));
  }, (error) => toast(error.message, "bad"));
  return [h("h1", {}, "Catalogue"), h("p", { class: "lead" }, "Installed destinations. Choose one to test it."), search, grid, left];
}

// The current destination is not loaded again; of several selections only the last counts.
async function pick(slug) {
  if (slug === state.definition?.slug) return go("settings");
  const mine = (wish += 1);
  try {
    const definition = await api.definition(slug);
    if (mine !== wish) return undefined;
    choose(definition);
    go("settings");
  } catch (error) {
    toast(error.message, "bad");
  }
  return undefined;
}

let running = false;
async function run() {
  if (!state.definition || running) return;
  running = true;
  const { events: given, problem, note } = await readEvents();
  if (problem) {
    running = false;
    toast(problem, "bad");
    return go("event");
  }
  if (state.mode === "live" && !await agreed(given)) {
    running = false;
    return undefined;
  }
  if (note) toast(note, "bad");
  document.body.classList.add("busy");
  state.stale = false;
  const { definition, step } = state;
  const ranFilters = structuredClone(state.filters);
  const told = await api.run(connection(), given, state.mode).then((done) => ({ run: done, ran: given, refused: null }), (error) => ({ run: null, ran: [], refused: error }));
  running = false;
  document.body.classList.remove("busy");
  if (state.definition.slug !== definition.slug) return toast(`The run of ${definition.name} has ended, but another destination is selected now.`);
  Object.assign(state, told, { ranFilters, selected: Math.min(state.selected, given.length - 1) });
  if (state.step === step || state.step === "result") return go("result");
  return toast(told.refused ? "The run failed; see Result." : "The run is complete; see Result.", told.refused ? "bad" : "");
}

// Live requests are sent after a confirmation only.
function agreed(given) {
  const { definition, enabled, subscriptions } = state;
  if (!enabled) {
    toast("The connection is disabled; enable it before a live run.", "bad");
    return false;
  }
  const active = subscriptions.filter((one) => one.enabled).map(({ name }) => `“${name}”`);
  return confirmed(`Send ${plural(given.length, "event")} to ${definition.name}?`, [`The real partner receives what ${active.length ? active.join(", ") : "no subscription"} makes of ${given.length === 1 ? "it" : "them"}.`], "Send live");
}

// A response about outdated input is ignored: another request is under way.
const diagnose = later(350, async () => {
  if (!state.definition) return;
  const { revision } = state;
  const found = await api.validate(connection()).catch((error) => {
    if (error.status === 0) toast(error.message, "bad");
    return { diagnostics: [] };
  });
  if (revision !== state.revision) return;
  state.diagnostics = found.diagnostics;
  changed("diagnostics");
});

function locked() {
  drawBar();
  const input = h("input", { id: "token", type: "password", autocomplete: "off" });
  const open = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    const token = /token=([^&\s]+)/.exec(text)?.[1] ?? text;
    takeToken(new URLSearchParams({ token }));
    location.reload();
  };
  main.replaceChildren(h("h1", {}, "Open the tester"), h("p", { class: "lead" }, prose("Open the address that `actions serve` printed, or paste it here; it contains the access token.")),
    h("form", { class: "card form", onsubmit: open }, h("div", { class: "entry" }, h("label", { for: "token" }, "Address or token"), input), h("button", { type: "submit", class: "primary" }, "Open")));
}

// The case in an address; throws Error if it is invalid.
async function caseIn(packed) {
  const given = await unpacked(packed);
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const isText = (value) => value === undefined || typeof value === "string";
  const isNames = (names) => Array.isArray(names) && names.every((name) => typeof name === "string");
  const isAction = (one) => isObject(one) && isText(one.type) && isText(one.path) && ["number", "undefined"].includes(typeof one.percent) && isObject(one.fields ?? {}) && Object.values(one.fields ?? {}).every(isNames);
  const isFilter = (one) => isObject(one) && [one.title, one.description, one.if].every(isText) && Array.isArray(one.actions) && one.actions.every(isAction);
  const isSubscription = (one) => isObject(one) && isObject(one.mapping ?? {}) && [one.name, one.partnerAction, one.subscribe].every(isText);
  const { destination, settings = {}, consent = [], filters = [], subscriptions = [], text = "", base } = isObject(given) ? given : { destination: null };
  if (!isText(destination) || !isObject(settings) || !Array.isArray(consent) || !consent.every((one) => one && typeof one === "string") || !Array.isArray(filters) || !filters.every(isFilter) || !Array.isArray(subscriptions) || !subscriptions.every(isSubscription) || !isText(text) || !isText(base)) throw new Error("it was not created by this page.");
  return given;
}

const opened = new URLSearchParams(location.hash.slice(1));

async function start() {
  const parameters = new URLSearchParams(opened);
  takeToken(parameters);
  history.replaceState(null, "", parameters.size ? `#${parameters}` : location.pathname);
  try {
    state.status = await api.status();
  } catch (error) {
    if (error.status === 401) return locked();
    return main.replaceChildren(h("h1", {}, "The tester is not reachable"), h("p", { class: "lead" }, prose(error.message)));
  }
  if (state.status.reload) watchRestarts();
  const wanted = parameters.get("case");
  try {
    const given = wanted ? await caseIn(wanted) : {};
    const slug = given.destination ?? state.status.connection?.connection.destination ?? state.status.destination;
    if (slug) choose(await api.definition(slug), given);
  } catch (error) {
    toast(`The case in the address cannot be read: ${error.message}`, "bad");
  }
  const step = parameters.get("step");
  takeSchemas();
  show(isPage(step) || (Object.hasOwn(STEPS, step ?? "") && step !== "result") ? step : state.definition ? "settings" : "catalogue");
  return undefined;
}

const takeSchemas = () => api.schemas().then((schemas) => { state.schemas = schemas; }, () => {});

function watchRestarts() {
  let last;
  const { signal } = new AbortController();
  whileSeen(signal, (seen) => follow("/changes", seen, (kind, told) => {
    if (kind !== "started") return;
    if (last && told.started !== last) refresh();
    last = told.started;
  }));
}

// After a restart: the input is kept, and the tester's data is loaded again.
async function refresh() {
  const chosen = state.definition;
  try {
    state.status = await api.status();
    takeSchemas();
    const definition = chosen && await api.definition(chosen.slug);
    if (chosen !== state.definition) return;
    if (state.step === "catalogue") show("catalogue");
    if (!definition || same(definition, chosen)) return changed("subscriptions");
    state.definition = definition;
  } catch (error) {
    return toast(error.message, "bad");
  }
  state.kept = fileOf(state.definition)?.kept ?? [];
  if (state.mode === "sandbox" && !state.definition.hasSandbox) state.mode = "dry";
  watchSandbox(document.getElementById("aside"));
  changed("subscriptions");
  show(state.step);
  return undefined;
}

for (const topic of ["settings", "subscriptions", "diagnose"]) on(topic, diagnose);
for (const topic of ["mode", "history", "saved"]) on(topic, drawBar);
on("run-wanted", run);
on("filter-wanted", () => {
  go("mappings");
  const card = main.querySelectorAll(".filter")[state.wanted];
  if (!card) return;
  card.querySelector("details").open = true;
  card.querySelector(".title").focus({ preventScroll: true });
  card.scrollIntoView();
});
on("result", () => { if (state.step === "result") show("result"); });
on("step", keepAddress);
// A case in the address is opened; with a token alone the current page continues.
addEventListener("hashchange", () => {
  const parameters = new URLSearchParams(location.hash.slice(1));
  if (!parameters.has("token") && !parameters.has("case")) return;
  if (state.status && !parameters.has("case")) {
    takeToken(parameters);
    keepAddress();
    return;
  }
  leave();
  if (!parameters.has("case")) opened.forEach((value, key) => { if (key !== "token") parameters.set(key, value); });
  history.replaceState(null, "", `#${parameters}`);
  location.reload();
});
document.getElementById("jump").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  } else if (event.altKey && !event.ctrlKey && /^[1-5]$/.test(event.key) && state.definition) {
    event.preventDefault();
    go(Object.keys(STEPS)[Number(event.key) - 1]);
  }
}, { capture: true });
start();
