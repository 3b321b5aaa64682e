// The choices of a dynamic field: loaded from the partner or its sandbox, searched, and read page by page.

import { button, fresh, h, later, plural, prose, short } from "./dom.js";
import { targetName } from "./state.js";

// `ask` gets what is asked for, `{search, page, key, index}`, and returns a page; `take` gets the chosen value, and
// the key and the index. Keys and indexes are entered for places within objects and lists.
export function choicesControl({ place, label, ask, take, signal }) {
  const id = fresh("choices");
  const list = h("ul", { class: "choice-list" });
  const note = h("p", { class: "help", role: "status" });
  const more = button("More choices", () => load(next), { hidden: true });
  const search = h("input", { id: `${id}-search`, type: "search", autocomplete: "off", oninput: later(250, () => load("")) });
  const key = place.endsWith(".__values__") ? h("input", { id: `${id}-key`, type: "text", autocomplete: "off", oninput: later(250, () => load("")) }) : null;
  const index = place.includes("[]") ? h("input", { id: `${id}-index`, type: "number", min: "0", value: "0", oninput: later(250, () => load("")) }) : null;
  let asked = 0;
  let next = "";
  let number = 0;

  const within = () => ({ ...(key?.value ? { key: key.value } : {}), ...(index ? { index: Math.max(0, Number(index.value) || 0) } : {}) });
  const draw = (one) => h("li", {}, h("button", { type: "button", class: "choice", onclick: () => { take(one.value, within()); close(); opener.focus(); } },
    h("span", {}, one.label), one.label === one.value ? null : h("code", {}, short(one.value)), one.description ? h("span", { class: "quiet" }, one.description) : null));

  async function load(page) {
    const mine = (asked += 1);
    more.hidden = true;
    note.className = "help";
    note.textContent = `Asking ${targetName()}…`;
    if (!page) {
      list.replaceChildren();
      number = 0;
    }
    const sent = { ...within(), ...(search.value ? { search: search.value } : {}), ...(page ? { page } : {}) };
    const answer = await ask(sent).catch((error) => ({ choices: [], nextPage: "", error }));
    if (mine !== asked || signal.aborted) return;
    list.append(...answer.choices.map(draw));
    number += answer.choices.length;
    next = answer.nextPage;
    more.hidden = !next;
    note.classList.toggle("problem", Boolean(answer.error));
    note.replaceChildren(...(answer.error ? prose(`${answer.error.message} (${answer.error.code})`) : [number ? `${plural(number, "choice")} from ${targetName()}${next ? ", and more" : ""}.` : "There are no choices."]));
  }
  const close = () => { panel.hidden = true; opener.setAttribute("aria-expanded", "false"); asked += 1; };
  const open = () => {
    panel.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    search.focus();
    load("");
  };
  const opener = button(`Choices${label ? ` of ${label}` : ""}`, () => (panel.hidden ? open() : close()), { kind: "link", "aria-expanded": "false", "aria-controls": id, "data-choices": place });
  const entry = (input, text) => (input ? h("div", { class: "entry" }, h("label", { for: input.id }, text), input) : null);
  const panel = h("div", { class: "choices", id, hidden: true, role: "group", "aria-label": `Choices of ${place}`, onkeydown: (event) => { if (event.key === "Escape") { close(); opener.focus(); } } },
    h("div", { class: "row" }, entry(search, "Search"), entry(key, "Key"), entry(index, "Item, from 0")), note, list, more);
  return { opener, panel };
}

// The value of a field after a choice at a place within it, such as `[0].sku` of `items`.
export function chosenIn(value, rest, chosen, { key = "", index = 0 } = {}) {
  if (rest === "") return chosen;
  if (rest.startsWith("[]")) {
    const list = Array.isArray(value) ? [...value] : [];
    list[index] = chosenIn(list[index], rest.slice(2), chosen, { key, index });
    return Array.from(list, (one) => one ?? null);
  }
  const [name, ...others] = rest.replace(/^\./, "").split(/(?=\.|\[\])/);
  const object = value && typeof value === "object" && !Array.isArray(value) ? { ...value } : {};
  if (name === "__keys__") return { ...object, [String(chosen)]: object[chosen] ?? "" };
  if (name === "__values__") return { ...object, [key]: chosen };
  return { ...object, [name]: chosenIn(object[name], others.join(""), chosen, { key, index }) };
}
