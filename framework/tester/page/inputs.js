// Inputs for the fields of a form.

import { h } from "./dom.js";

// An input, and the function that fills it with the current value.
export function control(field, value, tell, attributes) {
  if (field.choices.length && !field.multiple) return choosing(field, value, tell, attributes);
  if (field.type === "boolean" && !field.multiple) {
    const box = h("input", { ...attributes, type: "checkbox", role: "switch", onchange: ({ target }) => tell(target.checked) });
    return { input: box, fill: () => { box.checked = value() === true; } };
  }
  if (field.multiple || field.type === "object") {
    const area = h("textarea", { ...attributes, rows: "3", spellcheck: "false", oninput: ({ target }) => tell(target.value.trim() ? readable(target.value) ?? target.value : undefined) });
    return { input: area, fill: () => { area.value = value() === undefined ? "" : lineOf(value()); } };
  }
  const number = ["number", "integer"].includes(field.type);
  const kind = field.secret || field.type === "password" ? "password" : "text";
  const take = ({ target: { value: text } }) => tell(text === "" ? undefined : number && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
  const input = h("input", { ...attributes, type: kind, inputmode: number ? "decimal" : undefined, oninput: take, autocomplete: kind === "password" ? "new-password" : "off", spellcheck: "false", "data-1p-ignore": true });
  return { input, fill: () => { input.value = value() ?? ""; } };
}

function choosing(field, value, tell, attributes) {
  const input = h("select", { ...attributes, onchange: ({ target }) => tell(target.value === "" ? undefined : JSON.parse(target.value)) });
  const fill = () => {
    const told = value() === undefined ? "" : JSON.stringify(value());
    const options = [["", "–"], ...field.choices.map((choice) => [JSON.stringify(choice.value), choice.label])];
    if (!options.some(([one]) => one === told)) options.push([told, told]);
    input.replaceChildren(...options.map(([one, label]) => h("option", { value: one }, label)));
    input.value = told;
  };
  return { input, fill };
}

// JSON is formatted; other text is kept unchanged.
const lineOf = (value) => (typeof value === "string" && readable(value) === undefined ? value : JSON.stringify(value));

function readable(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
