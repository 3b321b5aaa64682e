// The store of a relay: its connections, its audiences and its dead letters, as the commands show them.

import { api } from "./api.js";
import { button, chip, confirmed, fresh, h, plural, pretty, problemList, prose, table, toast } from "./dom.js";
import { connection, state } from "./state.js";

const EVERY = 2_000;
const age = (seconds) => (seconds === null ? "–" : seconds < 120 ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : `${Math.round(seconds / 60).toLocaleString("en")} min`);
const refused = (error) => h("div", { class: "verdict bad", role: "alert" }, h("strong", {}, "Not shown"), h("span", {}, prose(error.message)), problemList(error));

export function relayView(signal) {
  const body = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Loading…"));
  let before = null;
  const draw = async () => {
    try {
      const now = await api.store();
      if (signal.aborted) return;
      body.replaceChildren(h("section", { class: "card" }, table("Connections", ["Connection", "Stream", "Waiting", "Trend", "Lag", "Dead letters", "Doubts", "Owner"], now.connections.map((one) => [one.connection, one.stream, one.waiting, trend(one, before, now.at), age(one.oldestSeconds), one.deadLetters, one.doubts, ownerOf(one)]), "No connection has been relayed from this store.")),
        rateCard(now.rate) ?? "");
      before = now;
    } catch (error) {
      if (!signal.aborted) body.replaceChildren(refused(error));
    }
  };
  const ticking = setInterval(() => { if (document.visibilityState === "visible") draw(); }, EVERY);
  signal.addEventListener("abort", () => clearInterval(ticking));
  draw();
  return [h("h1", {}, "Relay"), h("p", { class: "lead" }, "What waits in the store, by connection, as ", h("code", {}, "actions status"), " shows it. The lag is the age of the oldest waiting event."), body];
}

const ownerOf = ({ owner, owned }) => (owner ? h("code", { class: "long" }, owner) : owned ? "yes" : chip("no worker", "warn"));

// Waiting events per second since the last look.
function trend({ connection: name, waiting }, before, at) {
  const earlier = before?.connections.find((one) => one.connection === name);
  if (!earlier) return "–";
  const rate = (waiting - earlier.waiting) / Math.max(at - before.at, 0.1);
  return rate === 0 ? "steady" : `${rate > 0 ? "+" : "−"}${Math.abs(rate).toLocaleString("en", { maximumFractionDigits: 1 })}/s`;
}

function rateCard(rate) {
  if (!rate) return null;
  const limit = rate.calls ? `${plural(rate.calls, "request")} in ${age(rate.seconds)}` : "none is declared";
  return h("section", { class: "card" }, h("h2", {}, "Rate limit of this connection"), h("dl", { class: "facts" }, h("dt", {}, "Limit"), h("dd", {}, limit), h("dt", {}, "Next request"), h("dd", {}, rate.wait ? `in ${age(rate.wait)}` : "now")));
}

export function audiencesView(signal) {
  const list = h("div", {});
  const counts = h("div", { "aria-live": "polite" });
  const show = async (one) => {
    try {
      const found = await api.ledgerAudience(one.id);
      if (signal.aborted) return;
      const facts = [["Members", one.members], ["Confirmed in", found.confirmedIn], ["Confirmed out", found.confirmedOut], ["To be added", found.pendingIn], ["To be removed", found.pendingOut], ["First change", found.firstChange ?? "–"], ["Last change", found.lastChange ?? "–"], ["Unchanged events", one.unchangedEventsSent ? "are sent" : "are not sent"]];
      counts.replaceChildren(h("section", { class: "card", "aria-label": `Audience ${one.audience}` }, h("h2", {}, one.audience), h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? value.toLocaleString("en") : value)])), one.unchangedEventsSent ? h("p", { class: "help" }, prose(one.unchangedEventsSent)) : null));
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  api.store().then(({ audiences }) => {
    if (signal.aborted) return;
    list.replaceChildren(table("Audiences", ["Audience", "Named by", "Kind", "Connection", "Members", "Pending", "Shared"], audiences.map((one) => [button(one.audience, () => show(one), { kind: "link" }), one.naming, one.kind, one.connection, one.members, one.pending, one.shared || one.ambiguous ? "yes" : "no"]), "The ledger has no audiences."));
  }, (error) => { if (!signal.aborted) list.replaceChildren(refused(error)); });
  return [h("h1", {}, "Audiences"), h("p", { class: "lead" }, "Who is in which audience, by the store's ledger. It knows people by keyed digests only; pending are those whose state the partner has not confirmed."),
    h("div", { class: "stack" }, h("section", { class: "card" }, list), counts, state.definition ? whoCard(signal) : null)];
}

function whoCard(signal) {
  const id = fresh("who");
  const input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-help` });
  const found = h("div", { "aria-live": "polite" });
  const ask = async (event) => {
    event.preventDefault();
    if (!input.value.trim()) return;
    try {
      const { audiences } = await api.who(connection(), input.value);
      if (!signal.aborted) found.replaceChildren(table("Memberships", ["Audience", "Connection", "Member", "Confirmed", "Since"], audiences.map((one) => [one.audience, one.connection, one.member ? "yes" : "no", one.confirmed ? "yes" : "no", one.since ?? "–"]), "The ledger does not know this person."));
    } catch (error) {
      if (!signal.aborted) found.replaceChildren(refused(error));
    }
  };
  return h("form", { class: "card form", autocomplete: "off", onsubmit: ask }, h("h2", {}, "Who is in which audience?"),
    h("div", { class: "entry" }, h("label", { for: id }, "Identifier"), input, h("p", { class: "help", id: `${id}-help` }, `An address or another identifier, in any form that ${state.definition.name} is sent. It is neither stored nor logged.`)),
    h("div", { class: "row" }, h("button", { type: "submit", class: "primary", id: "ask-who" }, "Show")), found);
}

export function deadLettersView(signal) {
  const chosen = new Map();
  const list = h("div", {});
  const whole = h("div", { "aria-live": "polite" });
  const count = h("p", { class: "quiet", role: "status" });
  const filter = { connection: "", subscription: "", code: "" };
  let shown = [];
  const replay = button("Replay", () => again(), { id: "replay", disabled: true });
  const tell = () => {
    replay.textContent = chosen.size ? `Replay ${chosen.size}` : "Replay";
    replay.disabled = !chosen.size;
  };
  const load = async () => {
    const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    try {
      const { letters, more, total } = await api.deadLetters(given);
      if (signal.aborted) return;
      shown = letters;
      for (const id of chosen.keys()) if (!letters.some((one) => one.id === id)) chosen.delete(id);
      count.textContent = `${plural(total, "dead letter")} in the store${more ? "; the first 100 that match are listed" : ""}.`;
      list.replaceChildren(table("Dead letters", ["Choose", "Failed", "Connection", "Subscription", "Code", "Reason", "Event"], letters.map(row), "No dead letters."));
      tell();
    } catch (error) {
      if (!signal.aborted) list.replaceChildren(refused(error));
    }
  };
  const row = (one) => [
    h("input", { type: "checkbox", checked: chosen.has(one.id), "aria-label": `Choose ${one.id}`, onchange: ({ target }) => { if (target.checked) chosen.set(one.id, one); else chosen.delete(one.id); tell(); } }),
    one.failedAt.replace("+00:00", "Z"), one.connection, one.subscription, one.code ?? "–", h("span", {}, one.message ?? "–", one.replay ? [" ", chip("replay requested", "warn")] : null),
    button("Show", () => show(one), { kind: "link", "aria-label": `Show the event of ${one.id}` })];
  const show = async ({ id }) => {
    try {
      const { letter, event } = await api.deadLetter(id);
      if (!signal.aborted) whole.replaceChildren(h("section", { class: "card", "aria-label": `Dead letter ${id}` }, h("h2", {}, `Dead letter ${id}`), pretty(letter, "Dead letter"), h("h3", {}, "Event"), pretty(event, "Event")));
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  const again = async () => {
    const ids = [...chosen.keys()];
    const told = ["The relay delivers them again, each in the subscription in which it failed.", "They are sent after newer events about the same person, and may undo their effect."];
    if (!await confirmed(`Replay ${plural(ids.length, "dead letter")}?`, told, "Replay")) return;
    try {
      const { requested } = await api.replay(ids);
      toast(`Requested for ${requested.toLocaleString("en")}; a running relay delivers them.`);
      chosen.clear();
      await load();
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  const text = (key, label) => {
    const id = fresh("letters");
    return h("div", { class: "entry" }, h("label", { for: id }, label), h("input", { id, type: "search", onchange: ({ target }) => { filter[key] = target.value.trim(); load(); } }));
  };
  const all = button("Choose all", () => { shown.forEach((one) => chosen.set(one.id, one)); list.querySelectorAll("input").forEach((one) => { one.checked = true; }); tell(); }, { kind: "link" });
  load();
  return [h("h1", {}, "Dead letters"), h("p", { class: "lead" }, "Events that failed permanently. They hold whole events, which are personal data; an event is loaded when it is shown."),
    h("div", { class: "stack" }, h("section", { class: "card" },
      h("div", { class: "row filters" }, text("connection", "Connection"), text("subscription", "Subscription"), text("code", "Code")),
      h("div", { class: "row spread" }, count, h("div", { class: "row" }, all, button("Load again", load, { kind: "link" }), replay)), list), whole)];
}
