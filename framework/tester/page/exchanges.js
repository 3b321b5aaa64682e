// Requests and responses, already redacted by the tester.

import { button, chip, copy, h, pretty } from "./dom.js";

export const exchangeViews = (exchanges) => h("div", { class: "exchanges" }, exchanges.map((one, index) => exchangeView(one, opened(exchanges, index))));

const went = ({ response, error }) => !error && (!response || response.statusCode < 400);

// Failed exchanges are expanded, or the last one if none failed, which is usually the relevant one.
const opened = (exchanges, index) => (exchanges.every(went) ? index === exchanges.length - 1 : !went(exchanges[index]));

const moodOf = (status) => (status < 300 ? "good" : status < 400 ? "idle" : "bad");

function exchangeView({ request, response, error, curl }, open) {
  const { host, pathname, search } = placed(request.url);
  const answer = response ? chip(String(response.statusCode), moodOf(response.statusCode)) : chip(error ? "no response" : "not sent", error ? "bad" : "idle");
  return h("details", { class: "exchange", open },
    h("summary", {}, h("strong", {}, request.method), h("span", { class: "where" }, `${decoded(pathname)}${search}`), h("span", { class: "host" }, host), answer),
    h("div", { class: "halves" },
      h("section", {}, h("header", {}, h("h5", {}, "Request"), button("Copy as curl", () => copy(curl, "Command copied."), { kind: "link" })),
        headerList(request.headers), body(request.body, "Request body")),
      h("section", {}, h("header", {}, h("h5", {}, "Response")),
        response ? [h("p", { class: "status" }, `${response.statusCode} ${response.statusMessage}`), headerList(response.headers), body(response.body, "Response body")]
          : h("p", { class: error ? "problem" : "quiet" }, error ?? "No request was sent."))));
}

// The browser cannot parse an address with a redacted host.
function placed(url) {
  try {
    return new URL(url, location.href);
  } catch {
    return { host: "", pathname: url, search: "" };
  }
}

const body = (value, label) => (value === "" || value === null || value === undefined ? h("p", { class: "quiet" }, "No body.") : pretty(readable(value), label));

function readable(value) {
  if (typeof value !== "string" || !/^[\w.%+~*-]+=[^\s]*$/.test(value)) return value;
  return value.split("&").map(decoded).join("\n");
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function headerList(headers) {
  const entries = Object.entries(headers ?? {});
  if (!entries.length) return null;
  return h("details", { class: "headers" }, h("summary", {}, `${entries.length} headers`),
    h("dl", {}, entries.map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])));
}
