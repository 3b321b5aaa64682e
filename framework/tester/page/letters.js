// The dead letters of a relay's store: listed, shown, replayed and dropped.

import { api } from "./api.js";
import { button, chip, confirmed, fresh, h, plural, pretty, table, toast } from "./dom.js";
import { refused, timeOf } from "./store.js";

const COLUMNS = ["Choose", "Failed", "Connection", "Subscription", "Code", "Reason", "Event"];
const FILTERS = { connection: "Connection", subscription: "Subscription", code: "Code" };
const ACTS = {
  replay: {
    word: "Replay", mood: "",
    told: ["The relay delivers each again, in the subscription in which it failed.", "Replayed events are sent after newer ones about the same person, and may undo their effect."],
    done: ({ requested }) => `Requested for ${requested.toLocaleString("en")}; a running relay delivers them.`,
  },
  drop: {
    word: "Drop", mood: "danger",
    told: ["What is dropped is deleted from the store, events included, and cannot be replayed any more."],
    done: ({ dropped }) => `Dropped ${dropped.toLocaleString("en")}.`,
  },
};

export function deadLettersView(signal) {
  const chosen = new Set();
  const filter = {};
  const list = h("div", {});
  const whole = h("div", { "aria-live": "polite" });
  const count = h("p", { class: "quiet", role: "status" });
  const choice = h("p", { class: "notice", role: "status", hidden: true });
  let found = { letters: [], matching: 0, total: 0, more: false, at: 0 };
  let shown = null;
  let isEvery = false; // all that match are chosen, also those that are not listed

  const number = () => (isEvery ? found.matching : chosen.size);
  const acts = Object.entries(ACTS).map(([key, { word }]) => button(word, () => act(key), { id: key, disabled: true }));
  const tell = () => {
    acts.forEach((one, index) => {
      const { word } = Object.values(ACTS)[index];
      one.textContent = number() ? `${word} ${number().toLocaleString("en")}` : word;
      one.disabled = !number();
    });
    const isAll = found.more && chosen.size === found.letters.length;
    choice.hidden = !isAll;
    if (isAll) choice.replaceChildren(isEvery ? `All ${found.matching.toLocaleString("en")} that match are chosen. ` : `The ${chosen.size} that are listed are chosen. `, button(isEvery ? "Only those that are listed" : `Choose all ${found.matching.toLocaleString("en")} that match`, () => { isEvery = !isEvery; tell(); choice.querySelector("button").focus(); }, { kind: "link", id: "choose-every" }));
    all.hidden = !found.letters.length;
    all.textContent = chosen.size && chosen.size === found.letters.length ? "Choose none" : "Choose all";
  };
  const asked = () => Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
  const load = async () => {
    const given = asked();
    try {
      const got = await api.deadLetters(given);
      if (signal.aborted || JSON.stringify(given) !== JSON.stringify(asked())) return;
      found = got;
      isEvery = false;
      const ids = new Set(found.letters.map(({ id }) => id));
      for (const id of chosen) if (!ids.has(id)) chosen.delete(id);
      const isFiltered = Object.keys(given).length > 0;
      count.textContent = `${plural(found.total, "dead letter")} in the store${isFiltered ? `, ${found.matching.toLocaleString("en")} match${found.matching === 1 ? "es" : ""}` : ""}${found.more ? `; the oldest ${found.letters.length} are listed` : ""}.`;
      list.replaceChildren(table("Dead letters", COLUMNS, found.letters.map(row), isFiltered && found.total ? "No dead letter matches." : "No dead letters."));
      for (const [key, options] of Object.entries(known)) options.replaceChildren(...[...new Set(found.letters.map((one) => one[key]).filter(Boolean))].map((value) => h("option", { value })));
      tell();
    } catch (error) {
      if (!signal.aborted) list.replaceChildren(refused(error));
    }
  };
  const row = (one) => [
    h("input", { type: "checkbox", checked: chosen.has(one.id), "aria-label": `Choose ${one.id}`, onchange: ({ target }) => { if (target.checked) chosen.add(one.id); else chosen.delete(one.id); isEvery = false; tell(); } }),
    timeOf(one.failedAt), one.connection, one.subscription, one.code ?? "–", h("span", {}, one.message ?? "–", one.replay ? [" ", chip("replay requested", "warn")] : null),
    button("Show", () => show(one), { kind: "link", "aria-label": `Show the event of ${one.id}` })];
  const show = async ({ id }) => {
    try {
      const { letter, event } = await api.deadLetter(id);
      if (signal.aborted) return;
      shown = id;
      const card = h("section", { class: "card stack", tabindex: "-1", "aria-label": `Dead letter ${id}` }, h("div", { class: "row spread" }, h("h2", {}, `Dead letter ${id}`), button("Close", close, { kind: "link" })), pretty(letter, "Dead letter"), h("h3", {}, "Event"), pretty(event, "Event"));
      whole.replaceChildren(card);
      card.scrollIntoView({ block: "nearest" });
      card.focus({ preventScroll: true });
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  const close = () => {
    whole.replaceChildren();
    list.querySelector(`[aria-label="Show the event of ${shown}"]`)?.focus();
    shown = null;
  };
  const act = async (key) => {
    const { word, mood, told, done } = ACTS[key];
    const wanted = number();
    const { at, matching } = found;
    const which = isEvery ? { matching: { ...asked(), until: at, number: matching } } : { ids: [...chosen] };
    const those = Object.entries(asked()).map(([name, value]) => `${FILTERS[name].toLowerCase()} \`${value}\``);
    const only = those.length ? [`Only those of ${those.join(" and ")}.`] : [];
    if (!await confirmed(`${word} ${plural(wanted, "dead letter")}?`, [...told, ...only], `${word} ${wanted.toLocaleString("en")}`, { mood })) return;
    try {
      toast(done(await api[key](which)));
      if (key === "drop" && (isEvery || chosen.has(shown))) close();
      chosen.clear();
    } catch (error) {
      toast(error.message, "bad");
    }
    await load();
    (list.querySelector(".scroll") ?? again).focus();
  };
  const known = {};
  const text = ([key, label]) => {
    const id = fresh("letters");
    known[key] = h("datalist", { id: `${id}-known` });
    return h("div", { class: "entry" }, h("label", { for: id }, label), h("input", { id, type: "search", list: `${id}-known`, autocomplete: "off", onchange: ({ target }) => { filter[key] = target.value.trim(); load(); } }), known[key]);
  };
  const again = button("Load again", load, { kind: "link" });
  const all = button("Choose all", () => {
    const isFull = chosen.size === found.letters.length;
    isEvery = false;
    chosen.clear();
    if (!isFull) found.letters.forEach(({ id }) => chosen.add(id));
    list.querySelectorAll("input[type=checkbox]").forEach((one) => { one.checked = !isFull; });
    tell();
  }, { kind: "link", hidden: true });
  load();
  return [h("h1", {}, "Dead letters"), h("p", { class: "lead" }, "Events that failed permanently. They hold whole events, which are personal data; an event is loaded when it is shown."),
    h("div", { class: "stack" }, h("section", { class: "card" },
      h("div", { class: "row filters" }, Object.entries(FILTERS).map(text)),
      h("div", { class: "row spread" }, count, h("div", { class: "row" }, all, again, h("div", { class: "row" }, acts))), choice, list), whole)];
}
