// Elements from values. All values are inserted as text or set as attributes; nothing is parsed as HTML.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected", "indeterminate"]);

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) node[key] = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false) node.setAttribute(key, String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

let count = 0;
export const fresh = (prefix) => `${prefix}-${(count += 1)}`;

// Acts when there was no call for `wait` ms: one act at a time, so that no old response follows a newer one, and only
// for the last of the calls during an act, so that slow responses do not accumulate.
export function later(wait, act) {
  let timer;
  let next = null;
  let acting = false;
  const turn = async () => {
    if (acting) return;
    acting = true;
    while (next) {
      const args = next;
      next = null;
      await Promise.resolve(args).then((given) => act(...given)).catch(reportError);
    }
    acting = false;
  };
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => { next = args; turn(); }, wait);
  };
}

export const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
  }
  return value;
}

export const plural = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export function chip(text, mood = "") {
  return h("span", { class: `chip ${mood}` }, text);
}

export const MOODS = { delivered: "good", failed: "bad", skipped: "idle", waiting: "idle", unconfirmed: "warn", accepted: "warn", rejected: "bad" };

export const outcomeChip = (outcome) => chip(outcome, MOODS[outcome] ?? "idle");

export function button(text, onclick, { kind = "", ...more } = {}) {
  return h("button", { type: "button", class: kind, onclick, ...more }, text);
}

export function toast(text, mood = "") {
  const node = h("p", { class: `toast ${mood}` }, prose(text));
  const toasts = document.getElementById("toasts");
  [...toasts.children].find((one) => one.textContent === node.textContent)?.remove();
  toasts.append(node);
  setTimeout(() => node.remove(), mood === "bad" ? 12_000 : 4_000);
}

// Asks a question before something that cannot be undone; the answer is whether to go on.
export function confirmed(title, told, action, { mood = "danger", more = null } = {}) {
  return new Promise((resolve) => {
    const id = fresh("dialog");
    const node = h("dialog", { class: "dialog", "aria-labelledby": id, onclose: () => { node.remove(); resolve(node.returnValue === "yes"); } },
      h("h2", { id }, title), told.map((one) => h("p", {}, typeof one === "string" ? prose(one) : one)), more,
      h("div", { class: "row actions" }, button("Cancel", () => node.close("no"), { autofocus: true }), button(action, () => node.close("yes"), { kind: `primary ${mood}`, id: "confirm" })));
    document.body.append(node);
    node.showModal();
  });
}

export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast("The browser does not allow copying. Select the text instead.", "bad");
  }
}

export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MOST = 20_000;

// A value as highlighted JSON; strings that are not JSON are shown unchanged.
export function pretty(value, label = "JSON") {
  const node = h("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label });
  const text = typeof value === "string" ? reindented(value) : JSON.stringify(value, null, 2) ?? "";
  const fill = (shown) => node.replaceChildren(...coloured(shown));
  fill(text.slice(0, MOST));
  if (text.length > MOST) {
    const more = button(`Show all ${text.length.toLocaleString("en")} characters`, () => { fill(text); }, { kind: "link" });
    node.append("…\n", more);
  }
  return node;
}

function reindented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// A message of the tester: text between backticks is code.
export const prose = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

// All problems of a refusal, if there are several.
export const problemList = ({ problems }) => (problems?.length > 1 ? h("ul", { class: "problems", id: fresh("problems") }, problems.map((text) => h("li", {}, h("span", {}, prose(text))))) : null);

export const short = (value, most = 120) => {
  const text = JSON.stringify(value) ?? "";
  return text.length > most ? `${text.slice(0, most)}…` : text;
};

export const inline = (value, most) => h("code", { class: "value" }, ...coloured(short(value, most)));

function* coloured(text) {
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > at) yield text.slice(at, match.index);
    const [all, string, colon, word] = match;
    const kind = string ? (colon ? "k" : "s") : word ? "w" : "n";
    yield h("span", { class: kind }, string ?? all);
    if (colon) yield colon;
    at = match.index + all.length;
  }
  if (at < text.length) yield text.slice(at);
}

// Tables that scroll separately on narrow screens.
export function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "quiet" }, empty);
  const numeric = columns.map((_, index) => typeof rows[0][index] === "number");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: columns.length > 4 ? "wide" : undefined },
      h("thead", {}, h("tr", {}, columns.map((column, index) => h("th", { scope: "col", class: numeric[index] ? "number" : undefined }, column)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => cellOf(cell, columns[index])))))));
}

// The name of the column is shown before a cell where there is no room for columns.
function cellOf(cell, column) {
  const told = { "data-column": column };
  if (cell instanceof Node) return h("td", told, cell);
  if (typeof cell === "number") return h("td", { ...told, class: "number" }, cell.toLocaleString("en"));
  return h("td", told, cell === null || cell === undefined ? "–" : String(cell));
}
