//! The agent in a member's network: read telemetry, match, remember, report.
