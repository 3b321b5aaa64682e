// The editor of a trigger or of a filter's condition, and its truth for the events of the page.

import { api } from "./api.js";
import { chip, h, inline, later, prose } from "./dom.js";
import { triggerCompletion, triggerEditor } from "./editor.js";
import { told, under } from "./fields.js";
import { eventPaths, events, on } from "./state.js";

const MOST_EVENTS = 100;

// `text` reads and `write` sets the trigger at `place()` in the connection, for findings; `truth` shows the summary.
// `known` gives the summary of texts that are no triggers.
export function triggerPart({ title, label, text, write, place, truth, signal, help = [], known = () => null }) {
  const tree = h("div", { class: "tree" });
  const problem = h("pre", { class: "caret", hidden: true, role: "alert" });
  const remarks = h("ul", { class: "remarks" });
  const editor = triggerEditor({ label, doc: text(), complete: triggerCompletion(eventPaths), changed: (given) => { write(given); judge(); }, signal });
  let answer = { error: null, verdicts: [], remarks: [] };

  // The syntax error is shown below the text; findings about what a trigger means are listed.
  const mark = () => {
    const found = under(place()).filter(({ code }) => code !== "AD411");
    const said = new Set(found.map(({ message }) => message));
    const rest = (answer.remarks ?? []).filter((one) => !said.has(one));
    remarks.replaceChildren(...found.map((one) => h("li", { class: one.severity }, h("span", {}, told(one)))), ...rest.map((one) => h("li", {}, h("span", {}, prose(one)))));
    const wrong = answer.error ? [{ offset: answer.offset, severity: "error", message: answer.error.split("\n")[0] }] : found.filter(({ offset }) => offset !== undefined);
    editor.mark(wrong.map(({ offset, severity, message }) => ({ ...caretOf(offset, editor.text), severity: severity === "hint" ? "info" : severity, message })));
  };
  const judge = later(120, async () => {
    const asked = text();
    const plain = known(asked.trim());
    const given = events().events.slice(0, MOST_EVENTS);
    const got = plain ? { error: null, verdicts: [], remarks: [] } : await api.trigger(asked, given).catch((error) => ({ unknown: error.message, error: null, verdicts: [], remarks: [] }));
    if (signal.aborted || asked !== text()) return;
    answer = got;
    problem.hidden = !answer.error && !answer.unknown;
    problem.textContent = answer.error ?? answer.unknown ?? "";
    truth.replaceChildren(chip(...(plain ?? summary(answer))));
    tree.replaceChildren(...(answer.verdicts.length && !answer.error ? [truthTree(answer.verdicts[0].tree)] : []));
    mark();
  });
  judge();
  on("events", judge, signal);
  on("diagnostics", mark, signal);
  return h("div", { class: "part" }, h("h3", {}, title), help.length ? h("p", { class: "help" }, help) : null, editor.host, problem, remarks, tree);
}

function summary({ unknown, error, verdicts }) {
  if (unknown) return ["not evaluated", "warn"];
  if (error) return ["does not parse", "bad"];
  if (!verdicts.length) return ["no event", "idle"];
  const hits = verdicts.filter(({ matched }) => matched).length;
  if (verdicts.length === 1) return hits ? ["matches", "good"] : ["does not match", "idle"];
  return [`matches ${hits} of ${verdicts.length}`, hits ? "good" : "idle"];
}

function caretOf(offset, text) {
  if (offset === undefined || offset === null) return { from: 0, to: text.length };
  const from = Math.max(0, Math.min(offset, text.length - 1));
  return { from, to: from + 1 };
}

const SIGN = new Map([[true, ["✓", "good", "true"]], [false, ["✗", "bad", "false"]], [null, ["?", "warn", "neither true nor false"]]]);

export function truthTree(tree) {
  const [sign, mood, word] = SIGN.get(tree.truth);
  const label = tree.parts ? (tree.join === "and" ? "all of" : tree.join === "or" ? "any of" : "not") : null;
  return h("div", { class: `condition ${mood}` },
    h("div", { class: "line" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), h("span", { class: "unseen" }, `${word}: `),
      label ? h("span", { class: "join" }, label) : h("code", {}, tree.condition),
      (tree.saw ?? []).map((one) => h("span", { class: "saw" }, h("span", { class: "arrow", "aria-hidden": "true" }, "→ "), h("span", { class: "field" }, `${one.field} is `), "value" in one ? inline(one.value, 80) : h("em", {}, "missing")))),
    tree.parts ? h("div", { class: "parts" }, tree.parts.map(truthTree)) : null);
}
