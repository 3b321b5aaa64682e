// The page: what is shown, what runs, and how the address takes part.

import { api, follow, takeToken } from "./api.js";
import { button, chip, h, later, prose, toast } from "./dom.js";
import { eventView } from "./event.js";
import { liveView } from "./live.js";
import { mappingsView } from "./mappings.js";
import { resultView } from "./result.js";
import { watchSandbox } from "./sandbox.js";
import { problems, settingsView } from "./settings.js";
import { actionOf, changed, connection, events, keepAddress, on, ownMapping, state, unpacked } from "./state.js";

const STEPS = { catalogue: "Catalogue", settings: "Settings", mappings: "Mappings", event: "Event", result: "Result" };
const MODES = { sandbox: "Sandbox", dry: "Dry run", live: "Live" };
const main = document.getElementById("view");
let scope;

function show(step) {
  state.step = state.definition || step === "live" ? step : "catalogue";
  scope?.abort();
  scope = new AbortController();
  const views = { catalogue: catalogueView, settings: settingsView, mappings: mappingsView, event: eventView, result: (signal) => resultView(signal, run), live: liveView };
  main.replaceChildren(...views[state.step](scope.signal).flat().filter(Boolean), onward());
  main.dataset.step = state.step;
  drawBar();
  changed("step");
}

function go(step) {
  show(step);
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function onward() {
  const next = { settings: "mappings", mappings: "event" }[state.step];
  if (next) return h("p", { class: "onward" }, button(`On to ${STEPS[next]}`, () => go(next), { kind: "primary", id: "next" }));
  if (state.step === "event") return h("p", { class: "onward" }, button("Run", run, { kind: "primary", id: "run-here" }));
  return "";
}

function drawBar() {
  const { definition } = state;
  const step = ([key, text], index) => h("li", {}, h("button", { type: "button", "aria-current": state.step === key ? "step" : undefined, disabled: !definition && key !== "catalogue", "data-step": key, title: `Alt ${index + 1}`, onclick: () => go(key) }, h("span", { class: "mark", "aria-hidden": "true" }, String(index + 1)), text));
  const modes = Object.entries(MODES).filter(([key]) => key !== "sandbox" || !definition || definition.hasSandbox).map(([key, text]) => button(text, () => { state.mode = key; changed("mode"); drawBar(); document.querySelector(`#bar [data-mode="${key}"]`).focus(); }, { "aria-pressed": String(state.mode === key), "data-mode": key }));
  const going = h("button", { type: "button", class: `primary ${state.mode === "live" ? "danger" : ""}`, id: "run", title: "Ctrl Enter", onclick: run, disabled: !definition }, state.mode === "live" ? "Run live" : "Run");
  document.getElementById("bar").replaceChildren(
    h("div", { class: "brand" }, h("strong", {}, definition?.name ?? "Local tester"), state.status?.connection && definition?.slug === state.status.connection.connection.destination ? h("span", { class: "quiet" }, state.status.connection.file) : null),
    h("nav", { "aria-label": "Steps" }, h("ol", {}, Object.entries(STEPS).map(step), state.status?.follows ? h("li", {}, h("button", { type: "button", "aria-current": state.step === "live" ? "step" : undefined, "data-step": "live", onclick: () => go("live") }, "Live outcomes")) : null)),
    h("div", { class: "row run" }, definition ? h("div", { class: "segments", role: "group", "aria-label": "Where requests go" }, modes) : null, going));
  document.querySelector("#bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.body.dataset.mode = state.mode;
}

async function choose(slug, given = {}) {
  const definition = await api.definition(slug);
  const file = state.status.connection?.connection.destination === slug ? state.status.connection : null;
  const held = file?.connection ?? {};
  state.definition = definition;
  state.kept = file?.kept ?? [];
  const defaults = definition.settings.filter((field) => field.default !== null && field.default !== undefined).map((field) => [field.key, field.default]);
  state.settings = { ...Object.fromEntries(defaults), ...(given.settings ?? held.settings) };
  state.subscriptions = (given.subscriptions ?? held.subscriptions ?? definition.subscriptions).map(taken);
  if (given.text) state.text = given.text;
  state.mode = given.mode in MODES ? given.mode : definition.hasSandbox ? "sandbox" : "dry";
  if (state.mode === "sandbox" && !definition.hasSandbox) state.mode = "dry";
  state.run = null;
  state.stale = false;
  watchSandbox(document.getElementById("aside"));
  changed("diagnose");
  if (!state.text) firstEvent();
}

function taken(subscription) {
  const action = actionOf(subscription);
  return {
    name: subscription.name ?? action?.title ?? subscription.partnerAction,
    partnerAction: subscription.partnerAction,
    subscribe: subscription.subscribe ?? action?.trigger ?? "",
    mapping: action ? ownMapping(action, subscription.mapping) : subscription.mapping ?? {},
    enabled: subscription.enabled !== false,
  };
}

// Start with an event that the first subscription takes, so that there is something to see.
async function firstEvent() {
  if (!state.subscriptions.length) return;
  try {
    const { event } = await api.generate(state.definition.slug, state.subscriptions[0], 0, "all");
    if (!state.text) state.text = JSON.stringify(event, null, 2);
    changed("events");
  } catch {
    // The editor stays empty; the samples are there.
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
    if (!chosen.length) grid.append(h("li", { class: "quiet" }, "Nothing is found."));
  };
  const left = h("div", {});
  api.catalogue().then((answer) => {
    found = answer;
    search.hidden = answer.destinations.length < 2;
    draw();
    left.replaceChildren(...(answer.problems.length ? [h("h2", {}, "Left out"), h("ul", { class: "problems" }, answer.problems.map((text) => h("li", {}, text)))] : []));
  }, (error) => toast(error.message, "bad"));
  return [h("h1", {}, "Catalogue"), h("p", { class: "lead" }, "The destinations that are installed here. Choose one to try it."), search, grid, left];
}

async function pick(slug) {
  try {
    await choose(slug);
    go("settings");
  } catch (error) {
    toast(error.message, "bad");
  }
}

let running = false;
async function run() {
  if (!state.definition || running) return;
  const { events: given, problem } = events();
  if (problem) {
    toast(problem, "bad");
    return go("event");
  }
  running = true;
  document.body.classList.add("busy");
  state.stale = false;
  try {
    state.run = await api.run(connection(), given, state.mode);
    state.selected = Math.min(state.selected, given.length - 1);
    go("result");
  } catch (error) {
    failed(error);
  } finally {
    running = false;
    document.body.classList.remove("busy");
  }
  return undefined;
}

function failed(error) {
  state.run = null;
  go("result");
  main.append(h("section", { class: "verdict bad", role: "alert" }, h("strong", {}, "Not run"), h("span", {}, prose(error.message)), problems(error)));
}

const diagnose = later(350, async () => {
  if (!state.definition) return;
  try {
    ({ diagnostics: state.diagnostics } = await api.validate(connection()));
  } catch (error) {
    state.diagnostics = [];
    if (error.status === 0) toast(error.message, "bad");
  }
  changed("diagnostics");
});

function locked() {
  drawBar();
  const input = h("input", { id: "token", type: "password", autocomplete: "off" });
  const open = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    const token = /token=([^&\s]+)/.exec(text)?.[1] ?? text;
    location.hash = `token=${token}`;
    location.reload();
  };
  main.replaceChildren(h("h1", {}, "Open the tester"), h("p", { class: "lead" }, "Open the address that `actions serve` printed, or paste it here; it holds the token that lets this page in."),
    h("form", { class: "card form", onsubmit: open }, h("div", { class: "entry" }, h("label", { for: "token" }, "Address or token"), input), h("button", { type: "submit", class: "primary" }, "Open")));
}

async function start() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  takeToken(parameters);
  history.replaceState(null, "", parameters.size ? `#${parameters}` : location.pathname);
  try {
    state.status = await api.status();
  } catch (error) {
    if (error.status === 401) return locked();
    return main.replaceChildren(h("h1", {}, "The tester cannot be reached"), h("p", { class: "lead" }, error.message));
  }
  if (state.status.reload) watchRestarts();
  const wanted = parameters.get("case");
  try {
    const given = wanted ? await unpacked(wanted) : {};
    const slug = given.destination ?? state.status.connection?.connection.destination ?? state.status.destination;
    if (slug) await choose(slug, given);
  } catch (error) {
    toast(`The case in the address cannot be read: ${error.message}`, "bad");
  }
  const step = parameters.get("step");
  api.schemas().then((schemas) => { state.schemas = schemas; }, () => {});
  show(step === "live" || (step in STEPS && step !== "result") ? step : state.definition ? "settings" : "catalogue");
  return undefined;
}

function watchRestarts() {
  let first;
  follow("/changes", new AbortController().signal, (kind, { started }) => {
    if (kind !== "started") return;
    first ??= started;
    if (started !== first) location.reload();
  });
}

for (const topic of ["settings", "subscriptions", "diagnose"]) on(topic, diagnose);
on("mode", drawBar);
on("run-wanted", run);
on("step", keepAddress);
addEventListener("hashchange", () => { if (location.hash.includes("token=") || location.hash.includes("case=")) location.reload(); });
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
