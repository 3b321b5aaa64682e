// The form of the settings, built from the definition, and the test of the credentials.

import { api } from "./api.js";
import { button, chip, h, problemList, prose, toast } from "./dom.js";
import { audiencesCard } from "./audiences.js";
import { choicesControl, chosenIn } from "./choices.js";
import { exchangeViews } from "./exchanges.js";
import { control } from "./inputs.js";
import { askMode, changed, connection, on, state, step, targetName } from "./state.js";

export function settingsView(signal) {
  const { definition } = state;
  const shown = definition.settings.filter((field) => !field.hidden);
  const plain = shown.filter((field) => field.displayMode !== "collapsed");
  const more = shown.filter((field) => field.displayMode === "collapsed");
  const inputs = new Map();
  const answer = h("div", { class: "answer", "aria-live": "polite" });

  const mark = () => {
    for (const [key, { input, problem }] of inputs) {
      const place = `/settings/${step(key)}`;
      const found = state.touched.has(key) ? state.diagnostics.filter(({ pointer }) => pointer === place || pointer.startsWith(`${place}/`)) : [];
      problem.replaceChildren(...found.map(({ message }) => h("span", {}, prose(message))));
      input.setAttribute("aria-invalid", String(found.length > 0));
    }
  };
  const entries = (fields) => fields.map((field) => entry(field, inputs, signal));
  const form = h("form", { class: "card form", autocomplete: "off", onsubmit: (event) => { event.preventDefault(); test(answer, signal); } },
    shown.length ? entries(plain) : h("p", { class: "quiet" }, "This destination needs no settings."),
    more.length ? h("details", { class: "more" }, h("summary", {}, "More settings"), entries(more)) : null,
    definition.settingsRules.length ? h("ul", { class: "rules", "aria-label": "Rules across settings" }, definition.settingsRules.map((text) => h("li", {}, prose(text)))) : null,
    h("div", { class: "row actions" },
      definition.checksAuthentication ? h("button", { type: "submit", class: "primary", id: "test-credentials" }, "Test credentials") : null,
      definition.hasSandbox ? button("Use the sandbox's credentials", borrow, { id: "borrow" }) : null),
    answer);

  on("diagnostics", mark, signal);
  on("borrowed", () => inputs.forEach(({ fill }) => fill()), signal);
  // The response applies to the previous settings.
  on("settings", () => { asked += 1; answer.replaceChildren(); }, signal);
  mark();
  return [h("h1", {}, "Settings"), h("p", { class: "lead" }, `Settings of ${definition.name}. Secrets stay in this page's memory; links and exports do not contain them.`), form, definition.audience ? audiencesCard(signal) : null];
}

function entry(field, inputs, signal) {
  const id = `setting-${encodeURIComponent(field.key)}`;
  const help = `${id}-help`;
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const value = () => (Object.hasOwn(state.settings, field.key) ? state.settings[field.key] : undefined) ?? field.default ?? undefined;
  const kept = state.kept.includes(field.key);
  const tell = (given) => {
    if (given === undefined) delete state.settings[field.key];
    else state.settings[field.key] = given;
    state.touched.add(field.key);
    changed("settings");
  };
  const { input, fill } = control(field, value, tell, { id, "aria-describedby": `${help} ${id}-problem`, placeholder: kept ? "from the connection file" : field.placeholder || undefined });
  inputs.set(field.key, { input, problem, fill });
  fill();
  const needed = field.required === true && !kept ? chip("required") : null;
  const eye = input.type === "password" ? reveal(input, field.label) : null;
  const places = state.definition.dynamicSettings.filter((place) => place === field.key || place.startsWith(`${field.key}.`) || place.startsWith(`${field.key}[]`));
  const lists = places.map((place) => choicesControl({
    place, label: place === field.key ? "" : place, signal,
    ask: (given) => api.choices({ connection: connection(), mode: askMode(), action: null, place, payload: {}, ...given }),
    take: (chosen, within) => { tell(chosenIn(value(), place.slice(field.key.length), chosen, within)); fill(); },
  }));
  return h("div", { class: "entry" },
    h("div", { class: "name" }, h("label", { for: id }, field.label), h("code", {}, field.key), needed),
    h("div", { class: "input" }, input, eye, lists.map(({ opener }) => opener)), lists.map(({ panel }) => panel),
    h("p", { class: "help", id: help }, field.description), problem);
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

async function borrow() {
  const { definition } = state;
  try {
    const { settings } = await api.sandbox(definition.slug);
    if (state.definition !== definition) return;
    Object.assign(state, { settings: { ...state.settings, ...settings }, mode: "sandbox" });
    changed("settings");
    changed("mode");
    changed("borrowed");
    toast("The sandbox's credentials are filled in.");
  } catch (error) {
    toast(error.message, "bad");
  }
}

let asked = 0;

// Only the last request counts, and only for the current settings.
async function test(answer, signal) {
  const mine = (asked += 1);
  const show = (...children) => { if (mine === asked && !signal.aborted) answer.replaceChildren(...children); };
  const mode = askMode();
  const partner = targetName(mode);
  show(h("p", { class: "quiet" }, `Testing with ${partner}…`));
  try {
    const { ok, message, exchanges } = await api.authenticate(connection(), mode);
    show(
      h("div", { class: `verdict ${ok ? "good" : "bad"}`, id: "credentials-answer" },
        h("strong", {}, ok ? "Accepted" : "Refused"), h("span", {}, prose(message)), h("span", { class: "quiet" }, `by ${partner}`)),
      exchanges.length ? h("details", { class: "more" }, h("summary", {}, "Requests"), exchangeViews(exchanges)) : "");
  } catch (error) {
    show(h("div", { class: "verdict bad", id: "credentials-answer" }, h("strong", {}, "Not tested"), h("span", {}, prose(error.message)), problemList(error) ?? ""));
  }
}
