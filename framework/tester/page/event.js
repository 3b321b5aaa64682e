// The events to test: an editor, samples, saved events and dropped files.

import { api } from "./api.js";
import { button, h, later, plural, prose, toast } from "./dom.js";
import { jsonEditor } from "./editor.js";
import { changed, events, on, readEvents, state, subscriptionOf } from "./state.js";

let seed = 1;

// Counts edits and requests, so that a late response does not replace newer content.
let turn = 0;

export function eventView(signal) {
  const count = h("p", { class: "count", role: "status" });
  const editor = jsonEditor({
    label: "Events as JSON", doc: state.text, className: "events", hint: "Paste one or more events: objects, a list or NDJSON. Or drop a file here.",
    changed: (text) => { turn += 1; state.text = text; changed("events"); }, signal,
  });
  // The editor supports one kind of line break only.
  const put = (given) => {
    turn += 1;
    state.text = (typeof given === "string" ? given : written(given)).replace(/\r\n?/g, "\n");
    editor.set(state.text);
    changed("events");
  };
  const tell = () => {
    const { events: given, problem, note } = events();
    const told = given.length === 1 ? `1 event: ${named(given[0])}` : `${plural(given.length, "event")}: ${sorts(given)}`;
    count.className = `count ${(problem || note) && state.text.trim() ? "bad" : ""}`;
    count.replaceChildren(...prose(problem ?? (note ? `${told}. ${note}` : told)));
  };
  const read = later(250, async () => { await readEvents(); if (!signal.aborted) tell(); });
  on("events", () => { if (editor.text !== state.text) editor.set(state.text); tell(); read(); }, signal);
  tell();
  read();

  const zone = h("div", { class: "zone", ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); }, ondragleave: () => zone.classList.remove("over"), ondrop: (event) => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files, put); } }, editor.host);
  // The editor would insert a dropped file as text; the drop zone reads it as events.
  zone.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) { event.preventDefault(); event.stopPropagation(); zone.classList.remove("over"); take(event.dataTransfer.files, put); } }, { capture: true });
  const file = h("input", { type: "file", id: "file", class: "unseen", accept: ".json,.ndjson,.jsonl,.txt", onchange: ({ target }) => { take(target.files, put); target.value = ""; } });

  return [
    h("h1", {}, "Event"),
    h("p", { class: "lead" }, prose("One or more events: a JSON object, a list, or one object after another. They are read as `actions run` reads a file.")),
    h("div", { class: "event-grid" },
      h("section", { class: "card" }, zone, h("div", { class: "row spread" }, count, h("div", { class: "row" }, button("Unpack", () => unpack(put), { kind: "link", title: "Take the events out of request bodies, queue records and other envelopes" }), button("Format", () => { const { events: given, problem } = events(); if (!problem) put(given); }, { kind: "link" }), file, h("label", { class: "button", for: "file" }, "Open a file")))),
      h("div", { class: "stack" }, generator(put), deletion(put), samples(put)))];
}

export const written = (given) => (given.length === 1 ? JSON.stringify(given[0], null, 2) : given.length <= 20 ? JSON.stringify(given, null, 2) : given.map((one) => JSON.stringify(one)).join("\n"));

export const named = (event) => [event.type, event.event ?? event.name].filter((text) => typeof text === "string").join(" · ") || "no type";

function sorts(given) {
  const counts = new Map();
  given.forEach((event) => counts.set(named(event), (counts.get(named(event)) ?? 0) + 1));
  const told = [...counts].slice(0, 3).map(([name, number]) => `${name} (${number})`);
  return told.join(", ") + (counts.size > 3 ? ", …" : "");
}

async function take(files, put) {
  const [file] = files;
  if (!file) return;
  if (file.size > 7_000_000) return toast("The file is larger than 7 MB. Open a part of it here, or deliver all of it with `actions run`.", "bad");
  const mine = (turn += 1);
  const text = (await file.text()).replace(/^\uFEFF/, "");
  const read = await api.readEvents({ base64: await base64(file), name: file.name }).catch((error) => ({ error }));
  if (mine !== turn) return undefined;
  if (read.error) return toast(read.error.message, "bad");
  // The editor holds the text itself where it is one; else what was read of it, such as a gzip file's events.
  put(/^\s*[{[]/.test(text) && !/[\uFFFD\0]/.test(text) ? text : read.events);
  const { events: given, problem } = events();
  const bad = read.rejected.map(({ line, reason }) => `Line ${line}: ${reason}`);
  toast([`${file.name}: ${bad.length ? plural(read.events.length, "event") : problem ?? plural(given.length, "event")}.`, ...bad.slice(0, 3)].join(" "), bad.length || problem ? "bad" : "");
  return undefined;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function unpack(put) {
  const mine = (turn += 1);
  const read = await api.readEvents({ text: state.text, unpack: true }).catch((error) => ({ error }));
  if (mine !== turn) return undefined;
  const kinds = Object.entries(read.unpacked ?? {}).map(([name, number]) => `${number} × ${name}`);
  if (read.error || !kinds.length) return toast(read.error?.message ?? "There is no envelope to unpack.", "bad");
  put(read.events);
  return toast(`Unpacked ${kinds.join(", ")}.`);
}

function generator(put) {
  if (!state.subscriptions.length) return null;
  const select = h("select", { id: "generate-for" }, state.subscriptions.map((one, index) => h("option", { value: index }, one.name)));
  const extent = h("select", { id: "generate-only" }, h("option", { value: "all" }, "all fields"), h("option", { value: "required" }, "required fields only"));
  const generate = () => {
    seed += 1;
    return api.generate(state.definition.slug, subscriptionOf(state.subscriptions[Number(select.value)]), seed - 1, extent.value);
  };
  const replace = async () => {
    const mine = (turn += 1);
    const { event } = await generate();
    if (mine === turn) put([event]);
  };
  const add = async () => {
    const { event } = await generate();
    const { events: given, problem } = events();
    if (problem && state.text.trim() && state.text.trim() !== "[]") throw new Error(`No event was added. ${problem}`);
    put([...given, event]);
  };
  const trying = (act) => () => act().catch((error) => toast(error.message, "bad"));
  return h("section", { class: "card" }, h("h2", {}, "Generate"),
    h("div", { class: "entry" }, h("label", { for: "generate-for" }, "An event for"), select),
    h("div", { class: "entry" }, h("label", { for: "generate-only" }, "with"), extent),
    h("div", { class: "row" }, button("Generate", trying(replace), { id: "generate" }), button("Add one more", trying(add), { id: "generate-more" })));
}

// An event that asks to delete a person, as `actions delete` and tracking clients send it.
function deletion(put) {
  const ids = ["userId", "anonymousId"].map((key) => h("input", { id: `delete-${key}`, type: "text", autocomplete: "off", spellcheck: "false" }));
  const add = () => {
    const given = Object.fromEntries(ids.map(({ id, value }) => [id.replace("delete-", ""), value.trim()]).filter(([, value]) => value));
    if (!Object.keys(given).length) return toast("Enter a user ID or an anonymous ID.", "bad");
    const { events: known, problem } = events();
    return put([...(problem ? [] : known), { type: "delete", ...given }]);
  };
  return h("section", { class: "card" }, h("h2", {}, "Delete a person"),
    h("p", { class: "help" }, state.definition.deletesUsers ? prose("An event of type `delete` reaches no subscription: the destination is asked to delete the person.") : `${state.definition.name} cannot delete people: such an event fails.`),
    ids.map((input) => h("div", { class: "entry" }, h("label", { for: input.id }, input.id === "delete-userId" ? "User ID" : "Anonymous ID"), input)),
    h("div", { class: "row" }, button("Add the request", add, { id: "add-deletion" })));
}

function samples(put) {
  const node = h("section", { class: "card" }, h("h2", {}, "Samples"));
  const name = h("input", { id: "sample-name", type: "text", placeholder: "Name", maxlength: "80", autocomplete: "off" });
  const list = h("ul", { class: "samples" });
  const draw = ({ examples }) => {
    const saved = examples.filter(({ origin }) => origin === "saved");
    const made = examples.filter(({ origin }) => origin !== "saved");
    list.replaceChildren(...[...saved, ...made].map((one) => h("li", {},
      button(one.title || one.name, () => put(one.events), { kind: "link sample" }),
      one.events.length > 1 ? h("span", { class: "quiet" }, `${one.events.length}`) : null,
      one.origin === "saved" ? button("✕", () => ask(() => api.deleteExample(one.name)), { kind: "link", "aria-label": `Delete ${one.name}` }) : null)));
  };
  // One request at a time, so that the list is that of the last one.
  let asking = Promise.resolve();
  const ask = (act, said = () => {}) => {
    asking = asking.then(act).then((answer) => { draw(answer); said(); }).catch((error) => toast([error.message, ...(error.problems ?? [])].join(" "), "bad"));
  };
  const save = (event) => {
    event.preventDefault();
    const { events: given, problem } = events();
    if (problem || !name.value.trim()) return toast(problem ?? "Enter a name for the sample.", "bad");
    const saved = name.value.trim();
    ask(() => api.saveExample(saved, given), () => { if (name.value.trim() === saved) name.value = ""; });
    return undefined;
  };
  ask(api.examples);
  node.append(list, h("form", { class: "row", onsubmit: save }, h("label", { class: "unseen", for: "sample-name" }, "Sample name"), name, h("button", { type: "submit" }, "Save")));
  return node;
}
