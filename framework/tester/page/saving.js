// Saving what was edited to the connection file, or copying it as YAML.

import { api } from "./api.js";
import { button, confirmed, copy, h, toast } from "./dom.js";
import { changed, connection, state } from "./state.js";

const fileOf = () => {
  const file = state.status?.connection;
  return file && file.connection.destination === state.definition?.slug ? file : null;
};

// The buttons below settings and mappings; `load` takes the content of the file anew.
export function savingRow(load) {
  const file = fileOf();
  return h("div", { class: "row saving", role: "group", "aria-label": "Connection file" },
    file ? button(`Save to ${file.file}`, () => save(load), { id: "save-file" }) : null,
    button("Copy as YAML", copyText, { id: "copy-yaml" }),
    file ? h("p", { class: "help" }, "The file: ", h("code", { class: "long" }, file.path)) : null);
}

async function copyText() {
  try {
    const { text, leftOut } = await api.connectionText({ connection: connection() });
    await copy(text, `Copied as YAML.${leftOut.length ? ` Without ${names(leftOut)}.` : ""}`);
  } catch (error) {
    toast(error.message, "bad");
  }
}

const names = (keys) => keys.map((key) => `\`${key}\``).join(", ");

async function save(load) {
  const given = { connection: connection(), ...(state.base ? { digest: state.base } : {}) };
  try {
    const { path, difference, changed: differs, leftOut } = await api.connectionText(given);
    const left = leftOut.length ? [h("p", { class: "notice" }, `Not saved: ${leftOut.join(", ")}. Secrets do not belong into the file; write a reference such as `, h("code", {}, "${env:NAME}"), ".")] : [];
    if (!differs) {
      toast(left.length ? `Nothing to save but ${leftOut.join(", ")}: secrets do not belong into the file.` : "The file already says this.", left.length ? "bad" : "");
      return;
    }
    const shown = h("pre", { class: "json difference", tabindex: "0", role: "region", "aria-label": "Changes" }, difference.map((line) => h("span", { class: line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "" }, `${line}\n`)));
    if (!await confirmed("Save to the connection file?", [h("code", { class: "long" }, path)], "Save", { mood: "", more: [shown, left] })) return;
    const saved = await api.connectionText({ ...given, save: true });
    state.status.connection = { ...fileOf(), digest: saved.digest };
    state.base = saved.digest;
    changed("saved");
    toast(`Saved ${path}.`);
  } catch (error) {
    if (error.code !== "CHANGED_ELSEWHERE") toast([error.message, ...(error.problems ?? []).slice(1)].join(" "), "bad");
    else if (await confirmed("The file was changed elsewhere", [error.message, "Loading it again drops what was edited here; Undo does not bring it back."], "Load the file again")) load();
  }
}
