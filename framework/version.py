"""Which version this is; the build reads it from here, so it has no annotation."""

VERSION = "0.1.0"
