// Editors for JSON and for triggers, each in its own shadow root.

import {
  Annotation, Compartment, EditorState, EditorView, HighlightStyle, StreamLanguage, autocompletion, bracketMatching,
  closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, ensureSyntaxTree, foldGutter,
  foldKeymap, highlightActiveLine, history, historyKeymap, indentOnInput, json, keymap, lineNumbers, lintKeymap,
  placeholder, setDiagnostics, syntaxHighlighting, tags,
} from "./vendor/codemirror.js";
import { h } from "./dom.js";

const outside = Annotation.define();

const look = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--field)", fontSize: "13px", borderRadius: "6px", border: "1px solid var(--edge)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", maxHeight: "var(--editor-height, 26rem)", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "6px 0" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--tint)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-matchingBracket": { backgroundColor: "var(--selection) !important", outline: "none" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--edge)", borderRadius: "6px", boxShadow: "0 4px 16px rgb(0 0 0 / .18)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { fontStyle: "normal", opacity: ".75", marginLeft: "1em" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warn)" },
  ".cm-diagnostic": { padding: "6px 10px", whiteSpace: "pre-wrap", maxWidth: "40rem", fontFamily: "var(--sans)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--tint)", color: "var(--soft)", border: "none" },
  ".cm-placeholder": { color: "var(--soft)" },
});

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--j-key)" },
  { tag: [tags.string], color: "var(--j-string)" },
  { tag: [tags.number], color: "var(--j-number)" },
  { tag: [tags.bool, tags.null, tags.keyword], color: "var(--j-word)" },
  { tag: [tags.function(tags.variableName)], color: "var(--j-word)" },
  { tag: [tags.operator], color: "var(--soft)" },
]);

const triggers = StreamLanguage.define({
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^"(?:[^"\\]|\\.)*"?|^'(?:[^'\\]|\\.)*'?/)) return "string";
    if (stream.match(/^-?\d+(\.\d+)?/)) return "number";
    if (stream.match(/^(and|or|true|false|null)\b/i)) return "keyword";
    if (stream.match(/^[A-Za-z_]\w*(?=\s*\()/)) return "variableName.function";
    if (stream.match(/^(!=|>=|<=|[=<>!])/)) return "operator";
    if (stream.match(/^[\w$][\w$.\\-]*/)) return "propertyName";
    stream.next();
    return null;
  },
});

// Text typed over a selection is inserted here: the browser would write style attributes, which the
// content security policy forbids.
const typing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main, ranges } = view.state.selection;
    if (event.inputType !== "insertText" || !event.data || event.isComposing || main.empty || ranges.length > 1) return false;
    event.preventDefault();
    const insert = () => view.state.update(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    const taken = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, event.data, insert));
    if (!taken) view.dispatch(insert());
    return true;
  },
});

const common = (label, described) => [
  history(), typing, drawSelection(), bracketMatching(), closeBrackets(), EditorView.lineWrapping, syntaxHighlighting(colours), look,
  EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", spellcheck: "false", autocapitalize: "off", ...(described ? { "aria-description": described } : {}) }),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
];

function mount(className, doc, extensions, changed, signal) {
  const host = h("div", { class: `editor ${className}` });
  const root = host.attachShadow({ mode: "open" });
  const listening = EditorView.updateListener.of((update) => {
    if (update.docChanged && !update.transactions.some((one) => one.annotation(outside))) changed(update.state.doc.toString());
  });
  const view = new EditorView({ root, parent: root, state: EditorState.create({ doc, extensions: [...extensions, listening] }) });
  signal.addEventListener("abort", () => view.destroy());
  return {
    host,
    view,
    get text() { return view.state.doc.toString(); },
    set(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, annotations: outside.of(true) });
    },
    // Each finding has a position: `{from, to, severity, message}`.
    mark(findings) {
      const end = view.state.doc.length;
      const within = findings.map((one) => ({ ...one, from: Math.min(one.from, end), to: Math.min(Math.max(one.to, one.from), end) }));
      view.dispatch(setDiagnostics(view.state, within));
    },
    focus: () => view.focus(),
  };
}

export function jsonEditor({ label, doc, changed, complete, signal, className = "", hint = "" }) {
  const folding = new Compartment();
  const extensions = [
    lineNumbers(), folding.of(foldGutter()), highlightActiveLine(), indentOnInput(), json(), keymap.of(foldKeymap),
    ...(complete ? [autocompletion({ override: [complete] })] : []), ...(hint ? [placeholder(hint)] : []), ...common(label),
  ];
  return mount(className, doc, extensions, changed, signal);
}

export function triggerEditor({ label, doc, changed, complete, signal }) {
  return mount("trigger", doc, [triggers, autocompletion({ override: [complete] }), placeholder('type = "track"'), ...common(label)], changed, signal);
}

const unquoted = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(1, -1);
  }
};

const slice = (view, node) => view.state.sliceDoc(node.from, node.to);

// The position of a JSON pointer in the text: of the value, or of its innermost existing parent.
export function placeOf(view, pointer) {
  let node = ensureSyntaxTree(view.state, view.state.doc.length, 200)?.topNode.firstChild;
  if (!node) return { from: 0, to: 0 };
  let place = { from: node.from, to: Math.min(node.to, node.from + 1) };
  for (const step of pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))) {
    const next = node.name === "Object" ? member(view, node, step) : item(node, Number(step));
    if (!next) return place;
    place = { from: next.from, to: next.to };
    node = next;
  }
  return place;
}

function member(view, object, key) {
  for (const property of object.getChildren("Property")) {
    const name = property.getChild("PropertyName");
    if (name && unquoted(slice(view, name)) === key) return property.lastChild ?? name;
  }
  return null;
}

function item(array, index) {
  let child = array.firstChild;
  for (let at = -1; child; child = child.nextSibling) {
    if (!["[", "]", ","].includes(child.name)) at += 1;
    if (at === index && !["[", "]", ","].includes(child.name)) return child;
  }
  return null;
}

// Completion in a mapping: fields at the top level, directives below, arguments in directives, paths in values.
export function mappingCompletion({ fields, paths, schemas }) {
  return (context) => {
    const before = context.matchBefore(/"(?:[^"\\\n]|\\.)*$/);
    const quoted = before && around(context.state.sliceDoc(0, before.from)) ? before : null;
    if (!quoted && !context.explicit) return null;
    const from = quoted ? quoted.from : context.pos;
    const rest = /^[\w@$.[\]'-]*"/.exec(context.state.sliceDoc(context.pos, context.pos + 200));
    const to = quoted && rest ? context.pos + rest[0].length : context.pos;
    const place = around(context.state.sliceDoc(0, from));
    if (!place) return null;
    const options = place.isKey ? keys(place, fields(), schemas()) : [...paths()].map(([path, value]) => ({ label: JSON.stringify(path), detail: brief(value), type: "variable" }));
    return { from, to, options, validFor: /^"?[\w@$.[\]'-]*$/ };
  };
}

// The context at the end of unfinished JSON text: in a key or a value, and of which objects.
function around(text) {
  const stack = [];
  for (const [token] of text.matchAll(/"(?:[^"\\\n]|\\.)*("|$)|[{}[\]:,]/gm)) {
    const inner = stack.at(-1);
    if (token === "{" || token === "[") stack.push({ open: token, key: null, after: token === "[" });
    else if (token === "}" || token === "]") stack.pop();
    else if (token === ":" && inner) inner.after = true;
    else if (token === "," && inner) inner.after = inner.open === "[";
    else if (token.startsWith('"')) {
      if (token.length < 2 || !token.endsWith('"')) return null;
      if (inner && !inner.after) inner.key = token.slice(1, -1);
    }
  }
  const top = stack.at(-1);
  return top ? { isKey: !top.after, depth: stack.length, holder: stack.at(-2)?.key ?? null } : null;
}

function keys({ depth, holder }, fields, schemas) {
  const option = (key, detail, info) => ({ label: JSON.stringify(key), detail, info, type: "property" });
  if (depth === 1) return fields.map((field) => option(field.key, field.label, field.description || undefined));
  const directives = schemas["mapping.schema.json"]?.$defs?.directive?.properties ?? {};
  const inner = holder?.startsWith("@") ? directives[holder]?.properties : null;
  if (inner) return Object.entries(inner).map(([key, schema]) => option(key, "", schema.description));
  return Object.entries(directives).map(([key, schema]) => option(key, schema.title ?? "", schema.description));
}

const brief = (value) => {
  const text = JSON.stringify(value) ?? "";
  return text.length > 32 ? `${text.slice(0, 32)}…` : text;
};

const WORDS = [
  ...["and", "or", "null", "true", "false"].map((label) => ({ label, type: "keyword" })),
  ...["contains", "match", "length", "lowercase", "uppercase", "snakecase", "kebabcase", "titlecase", "typeof", "bool", "string", "number"].map((label) => ({ label, apply: `${label}(`, detail: "function", type: "function" })),
];

export function triggerCompletion(paths) {
  return (context) => {
    const word = context.matchBefore(/[\w$.-]*/);
    if (!word || (word.from === word.to && !context.explicit)) return null;
    const fields = [...paths()].filter(([path]) => !path.includes("[")).map(([path, value]) => ({ label: path.slice(2), detail: brief(value), type: "variable" }));
    return { from: word.from, options: [...fields, ...WORDS] };
  };
}
