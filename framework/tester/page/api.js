// The tester's own API. The token is read from the page's address and removed from it at once.

const KEPT = "actions-token";

export class Refused extends Error {
  constructor(status, { code = "", message = "", problems = [] } = {}) {
    super(message || `The tester responded with status ${status}.`);
    Object.assign(this, { status, code, problems });
  }
}

const tokens = new EventTarget();
const taken = () => tokens.dispatchEvent(new Event("taken"));
addEventListener("storage", ({ key }) => { if (key === KEPT) taken(); });

export function takeToken(parameters) {
  const given = parameters.get("token");
  if (given) localStorage.setItem(KEPT, given);
  parameters.delete("token");
  taken();
}

// A token that is not valid in a header is sent as an invalid one, so that the tester reports it.
const token = () => (localStorage.getItem(KEPT) ?? "").replace(/[^!-~]/g, "?");

// Another tab may have stored a token since.
const anotherToken = (known, signal) => (token() !== known ? undefined : new Promise((resume) => {
  tokens.addEventListener("taken", resume, { once: true, signal });
  signal.addEventListener("abort", resume, { once: true });
}));

const headers = (more) => ({ "X-Actions-Token": token(), ...more });

async function ask(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const more = body === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(`/api${path}`, { method, headers: headers(more), cache: "no-store", ...sent });
  } catch {
    throw new Refused(0, { code: "GONE", message: "The tester is not responding. Is `actions serve` still running?" });
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, answer?.error);
  if (answer === null) throw new Refused(0, { code: "GONE", message: "The tester's response is incomplete. Is `actions serve` still running?" });
  return answer;
}

const at = (slug) => `/sandboxes/${encodeURIComponent(slug)}`;

export const api = {
  status: () => ask("GET", "/status"),
  catalogue: () => ask("GET", "/destinations"),
  definition: (slug) => ask("GET", `/destinations/${encodeURIComponent(slug)}`),
  schemas: () => ask("GET", "/schemas"),
  validate: (connection) => ask("POST", "/validate", { connection }),
  trigger: (trigger, events) => ask("POST", "/trigger", { trigger, events }),
  resolve: (destination, subscription, event) => ask("POST", "/resolve", { destination, subscription, event }),
  run: (connection, events, mode) => ask("POST", "/run", { connection, events, mode }),
  askJobs: (run) => ask("POST", "/jobs", { run }),
  authenticate: (connection, mode) => ask("POST", "/authenticate", { connection, mode }),
  choices: (given) => ask("POST", "/choices", given),
  saveMapping: (given) => ask("POST", "/save-mapping", given),
  createAudience: (given) => ask("POST", "/audiences/create", given),
  getAudience: (given) => ask("POST", "/audiences/get", given),
  unlinkAudience: (given) => ask("POST", "/audiences/unlink", given),
  connectionText: (given) => ask("POST", "/connection-file", given),
  store: () => ask("GET", "/store"),
  ledgerAudience: (id) => ask("POST", "/store/audience", { id }),
  who: (connection, person) => ask("POST", "/store/who", { connection, person }),
  deadLetters: (filter) => ask("POST", "/store/dead-letters", filter),
  deadLetter: (id) => ask("GET", `/store/dead-letters/${encodeURIComponent(id)}`),
  replay: (which) => ask("POST", "/store/replay", which),
  drop: (which) => ask("POST", "/store/drop", which),
  sandbox: (slug) => ask("GET", at(slug)),
  admit: (slug, settings) => ask("POST", at(slug), { settings }),
  reset: (slug) => ask("POST", `${at(slug)}/reset`, {}),
  inject: (slug, fault) => ask("POST", `${at(slug)}/faults`, fault),
  moveClock: (slug, move) => ask("POST", `${at(slug)}/clock`, { move }),
  readEvents: (given) => ask("POST", "/events", given),
  examples: () => ask("GET", "/examples"),
  generate: (destination, subscription, seed, only) => ask("POST", "/examples/generate", { destination, subscription, seed, only }),
  saveExample: (name, events) => ask("POST", "/examples", { name, events }),
  deleteExample: (name) => ask("DELETE", `/examples/${encodeURIComponent(name)}`),
  exportCase: (connection, events, mode, name) => ask("POST", "/export", { connection, events, mode, name }),
};

// Acts while the page is visible. A browser opens at most six connections to a server: hidden pages must not
// occupy them with streams.
export function whileSeen(signal, act) {
  let scope = null;
  const look = () => {
    if (document.visibilityState === "hidden") {
      scope?.abort();
      scope = null;
    } else if (!scope) {
      scope = new AbortController();
      act(scope.signal);
    }
  };
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => scope?.abort());
  look();
}

// Follow a stream of server-sent events until the signal ends it; `open` is called for every connection. EventSource
// is not used, because it cannot send the token as a header and would put it into an address.
export async function follow(path, signal, tell, lost = () => {}) {
  while (!signal.aborted) {
    const known = token();
    try {
      const response = await fetch(`/api${path}`, { headers: headers({ Accept: "text/event-stream" }), cache: "no-store", signal });
      if (!response.ok) {
        const answer = await response.json().catch(() => null);
        lost(new Refused(response.status, answer?.error));
        if (response.status !== 401) return undefined;
        await anotherToken(known, signal);
        continue;
      }
      tell("open", null);
      for await (const [kind, data] of messages(response.body)) tell(kind, data);
    } catch (error) {
      if (signal.aborted) return undefined;
      lost(error);
    }
    await new Promise((resume) => { setTimeout(resume, 1_000); });
  }
  return undefined;
}

async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (waiting + value.replaceAll("\r\n", "\n")).split("\n\n");
      waiting = parts.pop();
      for (const part of parts) {
        const lines = part.split("\n");
        const pick = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
        const data = pick("data").join("\n");
        if (data) yield [pick("event")[0] ?? "message", JSON.parse(data)];
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
