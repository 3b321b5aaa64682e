// Run pytest on Pyodide: node scripts/pyodide.mjs FOLDER ROOT TESTS...
// FOLDER holds node_modules/pyodide and site/, the packages that the tests need.
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, root, ...tests] = process.argv.slice(2);
const module = path.resolve(folder, "node_modules/pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(module));

const python = await loadPyodide({ env: { HOME: "/", PYTEST_DISABLE_PLUGIN_AUTOLOAD: "1" } });
for (const [place, from] of [["/checkout", root], ["/site", path.join(folder, "site")]]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: path.resolve(from) }, place);
}
python.globals.set("tests", python.toPy(tests));

const code = `
import importlib, os, sys

os.chdir("/checkout")
sys.path[:0] = ["/checkout", "/site"]
sys.dont_write_bytecode = True
importlib.invalidate_caches()
sys.path_importer_cache.clear()

from scripts.pyodide_tests import main

main(list(tests))
`;
python.setStdout({
  write: (bytes) => (process.stdout.write(bytes), bytes.length),
  isatty: false,
});
process.exitCode = await python.runPythonAsync(code);
