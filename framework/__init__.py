"""Action Destinations: deliver Segment-style events to partner APIs."""
