"""Destinations that ship with the framework; each enters by its entry point like any other."""
