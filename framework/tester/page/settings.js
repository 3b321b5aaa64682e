// The form of the settings, made from the definition, and the test of the credentials.

import { api } from "./api.js";
import { button, chip, fresh, h, prose, toast } from "./dom.js";
import { exchangeViews } from "./exchanges.js";
import { changed, connection, on, state } from "./state.js";

export function settingsView(signal) {
  const { definition } = state;
  const shown = definition.settings.filter((field) => !field.hidden);
  const plain = shown.filter((field) => field.displayMode !== "collapsed");
  const more = shown.filter((field) => field.displayMode === "collapsed");
  const inputs = new Map();
  const entries = (fields) => fields.map((field) => entry(field, inputs));
  const answer = h("div", { class: "answer", "aria-live": "polite" });

  const form = h("form", { class: "card form", autocomplete: "off", onsubmit: (event) => { event.preventDefault(); test(answer); } },
    shown.length ? entries(plain) : h("p", { class: "quiet" }, "This destination needs no settings."),
    more.length ? h("details", { class: "more" }, h("summary", {}, "More settings"), entries(more)) : null,
    h("div", { class: "row actions" },
      definition.checksAuthentication ? h("button", { type: "submit", class: "primary", id: "test-credentials" }, "Test credentials") : null,
      definition.hasSandbox ? button("Use the sandbox's credentials", () => borrow(inputs), { id: "borrow" }) : null),
    answer);

  const mark = () => {
    for (const [key, { input, problem }] of inputs) {
      const found = input.dataset.touched ? state.diagnostics.filter(({ pointer }) => pointer === `/settings/${key}` || pointer.startsWith(`/settings/${key}/`)) : [];
      problem.replaceChildren(...found.map(({ message }) => h("span", {}, prose(message))));
      input.setAttribute("aria-invalid", String(found.length > 0));
    }
  };
  on("diagnostics", mark, signal);
  return [h("h1", {}, "Settings"), h("p", { class: "lead" }, `How to reach ${definition.name}. Secrets stay in this page's memory: they are in no address and in no export.`), form];
}

function entry(field, inputs) {
  const id = `setting-${field.key}`;
  const help = `${id}-help`;
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const value = state.settings[field.key] ?? field.default;
  const kept = state.kept.includes(field.key);
  const tell = (given) => {
    if (given === undefined) delete state.settings[field.key];
    else state.settings[field.key] = given;
    input.dataset.touched = "yes";
    changed("settings");
  };
  const input = control(field, value, tell, { id, "aria-describedby": `${help} ${id}-problem`, placeholder: kept ? "kept from the connection file" : field.placeholder || undefined });
  inputs.set(field.key, { input, problem, field });
  const needed = field.required === true && !kept ? chip("required") : null;
  const eye = field.secret ? reveal(input, field.label) : null;
  return h("div", { class: "entry" },
    h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), needed),
    h("div", { class: "input" }, input, eye),
    h("p", { class: "help", id: help }, field.description), problem);
}

function control(field, value, tell, attributes) {
  if (field.choices.length && !field.multiple) {
    const options = [h("option", { value: "" }, "–"), ...field.choices.map((choice) => h("option", { value: JSON.stringify(choice.value), selected: choice.value === value }, choice.label))];
    return h("select", { ...attributes, onchange: ({ target }) => tell(target.value === "" ? undefined : JSON.parse(target.value)) }, options);
  }
  if (field.type === "boolean" && !field.multiple) {
    return h("input", { ...attributes, type: "checkbox", role: "switch", checked: value === true, onchange: ({ target }) => tell(target.checked) });
  }
  if (field.multiple || field.type === "object") {
    const told = ({ target }) => {
      try {
        tell(target.value.trim() ? JSON.parse(target.value) : undefined);
      } catch {
        tell(target.value);
      }
    };
    return h("textarea", { ...attributes, rows: "3", spellcheck: "false", onchange: told, value: value === undefined || value === null ? "" : JSON.stringify(value) });
  }
  const number = ["number", "integer"].includes(field.type);
  const kind = field.secret || field.type === "password" ? "password" : "text";
  const told = ({ target }) => {
    const text = target.value;
    tell(text === "" ? undefined : number && text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text);
  };
  return h("input", { ...attributes, type: kind, inputmode: number ? "decimal" : undefined, value: value ?? "", oninput: told, autocomplete: kind === "password" ? "new-password" : "off", spellcheck: "false", "data-1p-ignore": true });
}

function reveal(input, label) {
  const eye = button("Show", () => {
    const hiding = input.type === "text";
    input.type = hiding ? "password" : "text";
    eye.textContent = hiding ? "Show" : "Hide";
    eye.setAttribute("aria-pressed", String(!hiding));
  }, { kind: "link", "aria-pressed": "false", "aria-label": `Show ${label}` });
  return eye;
}

async function borrow(inputs) {
  try {
    const { settings } = await api.sandbox(state.definition.slug);
    for (const [key, value] of Object.entries(settings)) {
      state.settings[key] = value;
      const held = inputs.get(key);
      if (held?.input.type === "checkbox") held.input.checked = value === true;
      else if (held) held.input.value = value;
    }
    state.mode = "sandbox";
    changed("settings");
    changed("mode");
    toast("The sandbox's made-up credentials are filled in.");
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function test(answer) {
  const mode = state.mode === "dry" ? (state.definition.hasSandbox ? "sandbox" : "dry") : state.mode;
  const partner = mode === "live" ? state.definition.name : mode === "dry" ? "nobody (dry run)" : "the sandbox";
  answer.replaceChildren(h("p", { class: "quiet" }, `Asking ${partner}…`));
  try {
    const { ok, message, exchanges } = await api.authenticate(connection(), mode);
    answer.replaceChildren(
      h("div", { class: `verdict ${ok ? "good" : "bad"}`, id: "credentials-answer" },
        h("strong", {}, ok ? "Accepted" : "Refused"), h("span", {}, prose(message)), h("span", { class: "quiet" }, `by ${partner}`)),
      exchanges.length ? h("details", { class: "more" }, h("summary", {}, "What was said"), exchangeViews(exchanges)) : "");
  } catch (error) {
    answer.replaceChildren(h("div", { class: "verdict bad", id: "credentials-answer" }, h("strong", {}, "Not asked"), h("span", {}, prose(error.message)), problems(error)));
  }
}

export const problems = (error) => (error.problems?.length > 1 ? h("ul", { class: "problems", id: fresh("problems") }, error.problems.map((text) => h("li", {}, h("span", {}, prose(text))))) : null);
