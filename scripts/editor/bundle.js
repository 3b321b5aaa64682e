// Bundle the editor, gather the licences of what went in, and put axe where the tests look for it.
import { build } from "esbuild";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";

const [vendor, tests] = process.argv.slice(2);
const { metafile } = await build({
  entryPoints: ["entry.js"],
  outfile: path.join(vendor, "codemirror.js"),
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  metafile: true,
  banner: { js: "// CodeMirror 6 and what it needs, MIT; see LICENSE-codemirror.txt. Made by `make editor`." },
});

const packages = new Set();
for (const file of Object.keys(metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file);
  if (found) packages.add(found[1]);
}
const parts = [];
for (const name of [...packages].sort()) {
  const folder = path.join("node_modules", name);
  const { version } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
  const licence = (await readdir(folder)).find((file) => /^licen[sc]e/i.test(file));
  parts.push(`${name} ${version}\n\n${(await readFile(path.join(folder, licence), "utf8")).trim()}\n`);
}
await writeFile(path.join(vendor, "LICENSE-codemirror.txt"), parts.join("\n---\n\n"));

await copyFile("node_modules/axe-core/axe.min.js", path.join(tests, "axe.min.js"));
await copyFile("node_modules/axe-core/LICENSE", path.join(tests, "LICENSE-axe.txt"));
