"""The built-in directives: lookup, control, objects, rendering and strings."""
