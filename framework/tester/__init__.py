"""The local tester: see a destination, try it, and know why an event did or did not arrive."""
