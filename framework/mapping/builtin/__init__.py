"""The built-in directives: lookups, objects and lists, strings and rendering."""
