//! The composition root: HTTP API, TAXII routes, pages, live stream, sessions and tokens.
