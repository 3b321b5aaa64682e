// Audiences that the partner knows by an ID of its own: create, find and forget them.

import { api } from "./api.js";
import { button, confirmed, fresh, h, problemList, prose } from "./dom.js";
import { control } from "./inputs.js";
import { askMode, connection, state, targetName } from "./state.js";

export function audiencesCard(signal) {
  const { audience, name } = state.definition;
  const chosen = {};
  const outcome = h("div", { class: "answer", "aria-live": "polite" });
  const field = (id, label, help) => {
    const input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-help` });
    return { input, node: h("div", { class: "entry" }, h("label", { for: id }, label), input, h("p", { class: "help", id: `${id}-help` }, help)) };
  };
  const key = field("audience-key", "Key", "The key of the audience in events.");
  const title = field("audience-name", "Name", "Its name at the partner; by default the key.");
  const external = field("audience-id", "ID at the partner", "To ask whether the partner still has it.");
  const settings = audience.settings.map((one) => {
    const id = fresh("audience");
    const tell = (value) => { if (value === undefined) delete chosen[one.key]; else chosen[one.key] = value; };
    const { input, fill } = control(one, () => chosen[one.key] ?? one.default ?? undefined, tell, { id, "aria-describedby": `${id}-help` });
    fill();
    return h("div", { class: "entry" }, h("div", { class: "name" }, h("label", { for: id }, one.label), h("code", {}, one.key)), h("div", { class: "input" }, input), h("p", { class: "help", id: `${id}-help` }, one.description));
  });
  let asked = 0;
  const act = async (ask, told, question) => {
    const mode = askMode();
    if (question && mode === "live" && !await confirmed(question, [], "Create live")) return;
    const mine = (asked += 1);
    const show = (...children) => { if (mine === asked && !signal.aborted) outcome.replaceChildren(...children); };
    show(h("p", { class: "quiet" }, `Asking ${targetName(mode)}…`));
    try {
      const answer = await ask({ connection: connection(), mode, settings: chosen });
      show(h("div", { class: "verdict good" }, told(answer), h("span", { class: "quiet" }, `by ${targetName(mode)}`)));
    } catch (error) {
      show(h("div", { class: "verdict bad", role: "alert" }, h("strong", {}, error.code || "Not done"), h("span", {}, prose(error.message)), problemList(error)));
    }
  };
  const known = ({ externalId }) => [h("strong", {}, "Its ID is "), h("code", { class: "long" }, externalId)];
  const create = () => act((given) => api.createAudience({ ...given, key: key.input.value.trim(), ...(title.input.value.trim() ? { name: title.input.value.trim() } : {}) }), known, `Create the audience “${title.input.value.trim() || key.input.value.trim()}” at ${name}?`);
  const find = () => act((given) => api.getAudience({ ...given, externalId: external.input.value.trim() }), known);
  const forget = () => act((given) => api.unlinkAudience({ ...given, key: key.input.value.trim() }), (answer) => h("strong", {}, answer.known ? "The ID is forgotten; nothing changed at the partner." : "No ID is known for this key."));
  return h("section", { class: "card form", "aria-label": "Audiences" }, h("h2", {}, "Audiences"),
    h("p", { class: "help" }, `${name} knows audiences by IDs of its own. An audience is created with its first event, or here.`),
    key.node, title.node, settings,
    h("div", { class: "row actions" }, button("Create", create, { id: "create-audience", kind: "primary" }), button("Forget its ID", forget, { id: "unlink-audience" })),
    audience.canGet ? [external.node, h("div", { class: "row actions" }, button("Find by ID", find, { id: "get-audience" }))] : null, outcome);
}
