"""Destinations that ship with the framework; each registers by an entry point like any other."""
