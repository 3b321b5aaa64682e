// The panel of the sandbox: its live state, and a form that injects faults.

import { api, follow, whileSeen } from "./api.js";
import { button, chip, h, table, toast } from "./dom.js";
import { state } from "./state.js";

let scope;
let followed;

export function watchSandbox(node) {
  const slug = state.definition?.hasSandbox ? state.definition.slug : null;
  node.hidden = !slug;
  document.body.classList.toggle("with-aside", Boolean(slug));
  if (slug === followed) return;
  scope?.abort();
  followed = slug;
  if (!slug) return;
  scope = new AbortController();
  node.replaceChildren(h("p", { class: "quiet" }, "Loading the sandbox…"));
  const panel = frame(slug, node);
  const show = (got) => { if (followed === slug) panel.show(got); };
  whileSeen(scope.signal, (seen) => follow(`/sandboxes/${encodeURIComponent(slug)}/events`, seen, (kind, got) => { if (kind === "state") show(got); panel.live(true); }, () => panel.live(false)));
}

function frame(slug, node) {
  const act = async (doing, said) => {
    try {
      const got = await doing();
      // The stream also reports this state and later ones.
      if (!panel.isLive) panel.show(got);
      if (said) toast(said);
    } catch (error) {
      toast([error.message, ...(error.problems ?? [])].join(" "), "bad");
    }
  };
  const name = h("h2", {});
  const clock = h("span", { class: "quiet" });
  const lamp = h("span", { class: "lamp", title: "live" });
  const tables = h("div", { class: "stack" });
  const calls = h("div", {});
  const waiting = h("div", {});
  const kinds = h("select", { id: "fault-kind" });
  const route = h("select", { id: "fault-route" });
  const call = h("input", { id: "fault-call", type: "number", min: "1", value: "1" });
  const times = h("input", { id: "fault-times", type: "number", min: "1", value: "1" });
  const seconds = h("input", { id: "fault-seconds", type: "number", min: "0", max: "60", step: "any", value: "1" });
  const help = h("p", { class: "help", id: "fault-help" });
  kinds.setAttribute("aria-describedby", "fault-help");
  const form = h("form", { class: "fault", onsubmit: (event) => {
    event.preventDefault();
    act(() => api.inject(slug, { kind: kinds.value, route: route.value, call: Number(call.value), times: Number(times.value), seconds: Number(seconds.value) }), "Fault injected; the next requests will fail.");
  } },
  h("div", { class: "entry" }, h("label", { for: "fault-kind" }, "Fault"), kinds), help,
  h("div", { class: "entry" }, h("label", { for: "fault-route" }, "on"), route),
  h("div", { class: "trio" },
    h("div", { class: "entry" }, h("label", { for: "fault-call" }, "first request"), call),
    h("div", { class: "entry" }, h("label", { for: "fault-times" }, "times"), times),
    h("div", { class: "entry" }, h("label", { for: "fault-seconds" }, "seconds"), seconds)),
  h("button", { type: "submit", id: "inject" }, "Inject fault"));

  node.replaceChildren(
    h("details", { open: matchMedia("(min-width: 70rem)").matches, class: "sandbox" },
      h("summary", {}, name, lamp, clock),
      h("div", { class: "stack" },
        h("div", { class: "row" },
          button("Reset", () => act(() => api.reset(slug), "Sandbox reset."), { id: "reset" }),
          button("Admit settings", () => act(() => api.admit(slug, state.settings), "The sandbox now accepts the settings of this page."), { id: "admit" }),
          button("+1 min", () => act(() => api.moveClock(slug, 60)), { "aria-label": "Move the sandbox clock by 1 min" }),
          button("+1 h", () => act(() => api.moveClock(slug, 3600)), { "aria-label": "Move the sandbox clock by 1 h" })),
        tables,
        h("section", {}, h("h3", {}, "Inject a fault"), form, waiting),
        h("section", {}, h("h3", {}, "Recent requests"), calls))));

  const told = () => { help.textContent = panel.known[kinds.value] ?? ""; };
  kinds.addEventListener("change", told);

  const panel = {
    known: {},
    isLive: false,
    live(is) { panel.isLive = is; lamp.classList.toggle("on", is); lamp.title = is ? "live" : "not connected"; },
    show(got) {
      panel.known = got.faults.known;
      name.textContent = `${got.name} sandbox`;
      clock.textContent = new Date(got.now * 1000).toLocaleTimeString("en-GB", { timeZone: "UTC" });
      clock.title = `${new Date(got.now * 1000).toISOString()}, the sandbox's clock`;
      fill(kinds, Object.keys(got.faults.known));
      fill(route, ["*", ...Object.keys(got.calls)], (one) => (one === "*" ? "every request" : one));
      told();
      tables.replaceChildren(...got.panels.map(panelView));
      waiting.replaceChildren(...(got.faults.pending.length ? [h("ul", { class: "pending" }, got.faults.pending.map((fault) => h("li", {}, chip(fault.kind, "warn"), h("span", {}, `${fault.route === "*" ? "every request" : fault.route}, from call ${fault.call}, ${fault.times === 1 ? "once" : `${fault.times} times`}`))))] : []));
      const rows = got.requests.slice(0, 15).map((one) => [
        h("span", {}, h("strong", {}, one.method), " ", one.route),
        h("span", {}, chip(one.status === null ? "dropped" : String(one.status), one.status !== null && one.status < 400 ? "good" : "bad"), one.fault ? chip(one.fault, "warn") : null),
        Object.entries(one.note ?? {}).map(([key, value]) => `${key} ${value}`).join(", ")]);
      calls.replaceChildren(table("Recent requests", ["Request", "Response", "Details"], rows, "No requests yet."));
    },
  };
  return panel;
}

function fill(select, values, text = (value) => value) {
  const held = [...select.options].map((option) => option.value);
  if (JSON.stringify(held) === JSON.stringify(values)) return;
  const chosen = select.value;
  select.replaceChildren(...values.map((value) => h("option", { value }, text(value))));
  if (values.includes(chosen)) select.value = chosen;
}

function panelView({ title, columns, rows, empty }) {
  const [limit, left] = [columns.indexOf("Limit"), columns.indexOf("Left")];
  const meters = limit >= 0 && left >= 0 ? rows.map((row) => h("meter", { "aria-label": `${title}: ${row[left]} of ${row[limit]}`, min: "0", max: String(row[limit]), low: String(row[limit] * 0.2), value: Number(row[left]) })) : null;
  return h("section", {}, h("h3", {}, title), meters, columns.length > 4 ? cards(columns, rows, empty) : table(title, columns, rows, empty));
}

// Rows that are too wide for the panel: the first cell as a title, the others with labels below it.
function cards(columns, rows, empty) {
  if (!rows.length) return h("p", { class: "quiet" }, empty);
  return h("ul", { class: "holdings" }, rows.map(([first, ...others]) => h("li", {}, h("strong", {}, String(first)),
    h("dl", {}, others.map((value, index) => h("div", {}, h("dt", {}, columns[index + 1]), h("dd", {}, typeof value === "number" ? value.toLocaleString("en") : String(value ?? "–"))))))));
}
