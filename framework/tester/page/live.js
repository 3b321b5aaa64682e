// The outcomes of a run in real time, filtered by the tester.

import { follow } from "./api.js";
import { button, fresh, h, later, outcomeChip, prose, short } from "./dom.js";
import { filterLink, filterNamed } from "./filters.js";
import { state } from "./state.js";

const KINDS = ["delivered", "failed", "skipped", "unconfirmed", "waiting", "rejected"];
const MOST = 300;
const FILTER = { FILTERED: /^The filter `(.+)` drops /, SAMPLED: /^The filter `(.+)` keeps / };
const COLUMNS = ["Line", "Outcome", "Subscription", "Message ID", "Reason"];

export function liveView(signal) {
  if (!state.status.follows) {
    return [h("h1", {}, "Live"), h("p", { class: "lead" }, "The tester does not follow a run."), h("p", {}, "Start it with the outcome file of a run: ", h("code", {}, "actions serve --follow outcomes.ndjson"), ".")];
  }
  const filter = { outcome: new Set(), subscription: "", text: "" };
  const counts = new Map();
  const tally = h("p", { class: "tally", role: "status" });
  const body = h("tbody", {});
  const note = h("p", { class: "quiet" }, "Waiting for outcomes…");
  let scope;
  let paused = false;
  let waiting = [];

  const flush = () => {
    if (!waiting.length || paused) return;
    body.prepend(...waiting.reverse().slice(0, MOST).map(rowOf));
    waiting = [];
    while (body.rows.length > MOST) body.lastElementChild.remove();
    tally.replaceChildren(...[...counts].map(([kind, number]) => h("span", {}, outcomeChip(kind), ` ${number.toLocaleString("en")} `)));
    note.hidden = true;
  };
  const ticking = setInterval(flush, 200);
  signal.addEventListener("abort", () => { clearInterval(ticking); scope?.abort(); });

  const clear = () => {
    counts.clear();
    waiting = [];
    body.replaceChildren();
    tally.replaceChildren();
    note.hidden = false;
    note.textContent = "Waiting for outcomes…";
  };
  const start = () => {
    scope?.abort();
    if (signal.aborted) return;
    scope = new AbortController();
    clear();
    const asked = new URLSearchParams();
    if (filter.outcome.size) asked.set("outcome", [...filter.outcome].join(","));
    if (filter.subscription) asked.set("subscription", filter.subscription);
    if (filter.text) asked.set("text", filter.text);
    follow(`/live?${asked}`, scope.signal, (kind, row) => {
      // The rows are sent again after every reconnection, and when the file is replaced.
      if (kind === "restart" || kind === "open") clear();
      if (kind !== "outcome") return;
      counts.set(row.outcome, (counts.get(row.outcome) ?? 0) + 1);
      waiting.push(row);
      if (waiting.length > 5_000) waiting.splice(0, waiting.length - MOST);
    }, (error) => { note.hidden = false; note.replaceChildren(...prose(error.message)); });
  };
  const soon = later(300, start);
  const toggles = KINDS.map((kind) => {
    const one = button(kind, () => {
      if (!filter.outcome.delete(kind)) filter.outcome.add(kind);
      one.setAttribute("aria-pressed", String(filter.outcome.has(kind)));
      start();
    }, { "aria-pressed": "false" });
    return one;
  });
  const text = (key, label) => {
    const id = fresh("live");
    return h("div", { class: "entry" }, h("label", { for: id }, label), h("input", { id, type: "search", oninput: ({ target }) => { filter[key] = target.value.trim(); soon(); } }));
  };
  const pause = button("Pause", () => { paused = !paused; pause.textContent = paused ? "Resume" : "Pause"; });
  start();
  return [
    h("h1", {}, "Live"), h("p", { class: "lead" }, "The outcomes of a run in real time."),
    h("section", { class: "card" },
      h("div", { class: "row filters" }, h("div", { class: "segments", role: "group", "aria-label": "Filter by outcome" }, toggles), text("subscription", "Subscription"), text("text", "Contains"), pause),
      tally, note,
      h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Outcomes" }, h("table", { class: "wide" }, h("thead", {}, h("tr", {}, COLUMNS.map((one) => h("th", { scope: "col" }, one)))), body)))];
}

function rowOf(row) {
  const { line, messageId, subscription, outcome, message, reason, code, status } = row;
  const why = [status, code, message ?? reason].filter((one) => one !== undefined && one !== null).join(" · ");
  const id = messageId === null || messageId === undefined ? "–" : typeof messageId === "string" ? messageId : short(messageId);
  return h("tr", {}, [String(line), outcomeChip(outcome), subscription ?? "–", id, [prose(why), filterOf(row)]].map((cell, index) => h("td", { "data-column": COLUMNS[index] }, cell)));
}

// What opens the filter that has dropped an event, if it is one of those on the page.
function filterOf({ code, message, reason }) {
  const [, name] = Object.hasOwn(FILTER, code ?? "") ? FILTER[code].exec(message ?? reason) ?? [] : [];
  return name !== undefined && filterNamed(name) >= 0 ? [" ", filterLink("Open the filter", () => filterNamed(name))] : null;
}
