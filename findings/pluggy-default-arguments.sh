#!/bin/sh
# An argument with a default value in a pluggy hook implementation: filled or not depends on the version.
#
# Guess:      pluggy fills every argument of an implementation that the hook specification names,
#             whether it has a default value or not.
# Behaviour:  up to version 1.6.0 an argument with a default is never filled: the default wins over
#             the value that the caller passes. From version 1.7.0 on it is filled. A keyword-only
#             argument is never filled by either, and neither version says a word at registration.
# Versions:   pluggy 1.6.0 and 1.7.0, seen on CPython 3.11.7.
# Output:     1.6.0: positional 'default', keyword-only 'default'
#             1.7.0: positional 'passed', keyword-only 'default'
# Consequence: the same plugin behaves differently after an upgrade, so such implementations are
#             better refused when they are loaded.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/show.py" <<'PYTHON'
import importlib.metadata

import pluggy

spec, impl = pluggy.HookspecMarker("shown"), pluggy.HookimplMarker("shown")


class Specification:
    @spec(firstresult=True)
    def perform(self, payload, settings): ...


class Positional:
    @impl
    def perform(self, payload, settings="default"):
        return settings


class KeywordOnly:
    @impl
    def perform(self, payload, *, settings="default"):
        return settings


def result(plugin):
    manager = pluggy.PluginManager("shown")
    manager.add_hookspecs(Specification)
    manager.register(plugin)
    manager.check_pending()
    return manager.hook.perform(payload="x", settings="passed")


version = importlib.metadata.version("pluggy")
print(f"{version}: positional {result(Positional())!r}, keyword-only {result(KeywordOnly())!r}")
PYTHON

for version in 1.6.0 1.7.0; do
  python3 -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$folder/$version" "pluggy==$version" 2>/dev/null
  PYTHONPATH="$folder/$version" python3 "$folder/show.py"
done > "$folder/seen"
cat "$folder/seen"

cat > "$folder/expected" <<'TEXT'
1.6.0: positional 'default', keyword-only 'default'
1.7.0: positional 'passed', keyword-only 'default'
TEXT
diff "$folder/expected" "$folder/seen"
