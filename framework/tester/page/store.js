// The store of a relay: its connections and its audiences, as the commands show them.

import { api } from "./api.js";
import { button, chip, fresh, h, plural, problemList, prose, table, toast } from "./dom.js";
import { connection, state } from "./state.js";

const EVERY = 2_000;
const age = (seconds) => (seconds === null ? "–" : seconds < 120 ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : `${Math.round(seconds / 60).toLocaleString("en")} min`);
export const timeOf = (text) => text?.replace("+00:00", "Z") ?? "–";
export const refused = (error) => h("div", { class: "verdict bad", role: "alert" }, h("strong", {}, "Not shown"), h("span", {}, prose(error.message)), problemList(error));

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
      const facts = [["Members", one.members], ["Confirmed in", found.confirmedIn], ["Confirmed out", found.confirmedOut], ["To be added", found.pendingIn], ["To be removed", found.pendingOut], ["First change", timeOf(found.firstChange)], ["Last change", timeOf(found.lastChange)], ["Unchanged events", one.unchangedEventsSent ? "are sent" : "are not sent"]];
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
      if (!signal.aborted) found.replaceChildren(table("Memberships", ["Audience", "Connection", "Member", "Confirmed", "Since"], audiences.map((one) => [one.audience, one.connection, one.member ? "yes" : "no", one.confirmed ? "yes" : "no", timeOf(one.since)]), "The ledger does not know this person."));
    } catch (error) {
      if (!signal.aborted) found.replaceChildren(refused(error));
    }
  };
  return h("form", { class: "card form", autocomplete: "off", onsubmit: ask }, h("h2", {}, "Who is in which audience?"),
    h("div", { class: "entry" }, h("label", { for: id }, "Identifier"), input, h("p", { class: "help", id: `${id}-help` }, `An address or another identifier, in any form that ${state.definition.name} is sent. It is neither stored nor logged.`)),
    h("div", { class: "row" }, h("button", { type: "submit", class: "primary", id: "ask-who" }, "Show")), found);
}
