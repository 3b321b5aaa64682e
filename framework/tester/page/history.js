// Undo and redo of what is edited, across the steps of the page.

import { later } from "./dom.js";
import { changed, on, state } from "./state.js";

const KEYS = ["settings", "subscriptions", "filters", "enabled", "consent", "text"];
const MOST = 100;
const MOST_CHARACTERS = 20_000_000;

let past = [];
let future = [];
let now = null;
let edited = "settings";

const taken = () => ({ content: JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, state[key]]))), step: edited });

export const history = { get canUndo() { return past.length > 0 || isChanged(); }, get canRedo() { return future.length > 0; } };

const isChanged = () => now !== null && state.definition !== null && taken().content !== now.content;

// What is there now is the beginning: another destination was chosen, or a file was loaded.
export function begin() {
  past = [];
  future = [];
  now = taken();
  tell();
}

// What was edited until now is one edit; what follows is another, such as removing something.
export function record() {
  if (!isChanged()) return;
  past.push(now);
  now = taken();
  future = [];
  let size = 0;
  past = past.slice(-MOST).reverse().filter(({ content }) => (size += content.length) <= MOST_CHARACTERS).reverse();
  tell();
}

// Makes a part of the page that can be removed, as an edit of its own: `make` gets the signal of its
// end and the function that removes it, which calls `forget`.
export function removable(signal, make, forget) {
  const scope = new AbortController();
  signal.addEventListener("abort", () => scope.abort(), { signal: scope.signal });
  const node = make(scope.signal, () => {
    record();
    scope.abort();
    node.remove();
    forget();
  });
  return node;
}

const tell = () => changed("history");
const soon = later(500, record);
for (const topic of ["settings", "subscriptions", "events"]) on(topic, () => { edited = state.step; soon(); });
on("step", record); // edits of different steps are different edits

function restore(entry, step, show) {
  now = entry;
  Object.assign(state, JSON.parse(entry.content));
  state.diagnostics = [];
  show(step);
  for (const topic of ["settings", "subscriptions", "events"]) changed(topic);
  tell();
}

// Takes back the last edit and shows the step in which it was made.
export function undo(show) {
  record();
  const entry = past.pop();
  if (!entry) return;
  const { step } = now;
  future.push(now);
  restore(entry, step, show);
}

export function redo(show) {
  const entry = future.pop();
  if (!entry) return;
  past.push(now);
  restore(entry, entry.step, show);
}
