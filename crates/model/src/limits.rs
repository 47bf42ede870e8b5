//! Every limit of the house, one constant each, with its unit in its name.
//!
//! A limit is where hostile input stops. Whoever refuses something for a limit names the constant's value
//! and the place in the input. Values are the starting points of the design; change one here and nowhere else.

/// Largest request body in bytes, as sent and after decompression.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Largest bundle `shieldwall feed import` reads from disk, in bytes; it is sent on in pieces of [`BODY_BYTES_MAX`].
pub const BUNDLE_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most bytes the import page takes: they travel in the form from step to step.
pub const IMPORT_PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most objects in one TAXII envelope.
pub const ENVELOPE_OBJECTS_MAX: usize = 10_000;
/// Largest single STIX object in bytes.
pub const OBJECT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of a JSON document.
pub const JSON_DEPTH_MAX: usize = 64;
/// Longest string in a STIX object, in bytes.
pub const STRING_BYTES_MAX: usize = 64 * 1024;
/// Most references (`*_refs`) one object may hold.
pub const REFERENCES_MAX: usize = 5_000;
/// Longest STIX pattern in bytes.
pub const PATTERN_BYTES_MAX: usize = 10 * 1024;
/// Most nodes in a parsed STIX pattern.
pub const PATTERN_NODES_MAX: usize = 512;
/// Longest regular expression of a pattern's `MATCHES`, in bytes.
pub const PATTERN_REGEX_BYTES_MAX: usize = 1024;
/// Largest compiled regular expression of a pattern, in bytes.
pub const PATTERN_REGEX_SIZE_MAX: usize = 1024 * 1024;
/// Most steps one evaluation of a pattern takes before it is given up as undecided: values looked at, and observations
/// weighed while places for them are sought.
pub const PATTERN_STEPS_MAX: u64 = 50_000_000;
/// Most steps one rule may take for one event, unless it is asked of every event.
pub const RULE_STEPS_PER_EVENT_MAX: u64 = 1_000_000;
/// Most steps all rules that nothing wakes may take for one event together.
pub const UNBOUND_STEPS_PER_EVENT_MAX: u64 = 10_000;
/// Most observations one rule keeps while it waits for the rest of a match.
pub const RULE_WINDOW_EVENTS_MAX: usize = 1_024;
/// Most observations all rules keep together.
pub const RULE_WINDOWS_EVENTS_MAX: usize = 1_000_000;
/// How long a rule keeps an observation if its pattern sets no time, in seconds.
pub const RULE_WINDOW_SECONDS_MAX: i64 = 24 * 60 * 60;
/// Most tests a pattern has once its `REPEATS` are written out.
pub const PATTERN_REPEATED_MAX: u64 = 4_096;
/// Most objects or entries on one page.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Longest query string in bytes.
pub const QUERY_BYTES_MAX: usize = 4 * 1024;
/// How long a client may take to send its request head, in seconds.
pub const HEADER_TIMEOUT_SECONDS: u64 = 10;
/// How long a request may take, in seconds (streams excepted).
pub const REQUEST_TIMEOUT_SECONDS: u64 = 30;
/// Most live streams one user, sensor or peer may hold open.
pub const STREAMS_PER_PRINCIPAL_MAX: usize = 5;
/// Most events a stream may lag behind before it is closed with a resumable id.
pub const STREAM_BACKLOG_EVENTS_MAX: usize = 1_000;
/// Most bytes a stream may lag behind before it is closed with a resumable id.
pub const STREAM_BACKLOG_BYTES_MAX: usize = 1024 * 1024;
/// Most requests the hub works on at once; more get 503 with `Retry-After`.
pub const REQUESTS_AT_ONCE_MAX: usize = 256;
/// How far ahead of the hub's clock an object's `modified` may lie, in seconds, before it is held back.
pub const MODIFIED_AHEAD_SECONDS_MAX: i64 = 300;
/// Most entries in one commit of the ledger's writer.
pub const COMMIT_ENTRIES_MAX: usize = 512;
/// How long the ledger's writer waits for more entries before it commits, in milliseconds.
pub const COMMIT_WAIT_MILLISECONDS_MAX: u64 = 2;
/// Most append requests waiting for the ledger's writer; more get 503 with `Retry-After`.
pub const APPENDS_WAITING_MAX: usize = 1_024;
/// Largest body of one ledger entry in bytes.
pub const ENTRY_BYTES_MAX: usize = OBJECT_BYTES_MAX;
/// Longest line of telemetry in bytes; a longer one is counted and skipped.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Most sightings in one report of a sensor.
pub const SIGHTINGS_PER_REPORT_MAX: usize = 1_000;
/// Most bytes of unsent reports a sensor keeps on disk before it stops reading telemetry.
pub const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest name, label or title a person may type, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// Shortest password in characters (NIST SP 800-63B-4 asks 15 where a password stands alone).
pub const PASSWORD_CHARACTERS_MIN: usize = 15;
/// Longest password in characters.
pub const PASSWORD_CHARACTERS_MAX: usize = 256;
/// How long a session lasts, in seconds.
pub const SESSION_SECONDS_MAX: i64 = 12 * 60 * 60;
/// How long a one-time link (first run, sign-in) lasts, in seconds.
pub const LINK_SECONDS_MAX: i64 = 24 * 60 * 60;
/// How long an API token lasts unless told otherwise, in days.
pub const TOKEN_DAYS_DEFAULT: i64 = 90;
/// How long an API token may last at most, in days.
pub const TOKEN_DAYS_MAX: i64 = 366;
/// Failed sign-ins by one name or address within [`SIGN_IN_WINDOW_SECONDS`] before more are refused.
pub const SIGN_IN_FAILURES_MAX: u32 = 10;
/// Window over which failed sign-ins are counted, in seconds.
pub const SIGN_IN_WINDOW_SECONDS: i64 = 15 * 60;
/// Largest body of one setting (a peer, a source, a saved search), in bytes.
pub const SETTING_BYTES_MAX: usize = 64 * 1024;
/// Most settings of one collection one owner may have.
pub const SETTINGS_PER_OWNER_MAX: usize = 256;
/// How long the status of a TAXII POST is kept, in seconds.
pub const TAXII_STATUS_SECONDS: i64 = 48 * 60 * 60;
/// Largest warninglist in bytes.
pub const WARNINGLIST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most regular expressions in one warninglist.
pub const WARNINGLIST_REGEXES_MAX: usize = 1_000;
/// Longest regular expression of a warninglist, in bytes.
pub const WARNINGLIST_REGEX_BYTES_MAX: usize = 1024;
/// Largest compiled regular expression of a warninglist, in bytes.
pub const WARNINGLIST_REGEX_SIZE_MAX: usize = 1024 * 1024;
/// Most traits (values and what follows from them) one object is correlated and searched by.
pub const TRAITS_PER_OBJECT_MAX: usize = 128;
/// Up to how many objects that share something are counted; past it there are "more than that".
pub const SHARED_COUNT_MAX: usize = 10_000;
/// Longest search a person may type, in bytes.
pub const SEARCH_BYTES_MAX: usize = 1_024;
/// Most terms of a search.
pub const SEARCH_TERMS_MAX: usize = 32;
/// Most searches one person may keep.
pub const SEARCHES_PER_PERSON_MAX: usize = 50;
/// A rule's text as sensors are told it, in bytes.
pub const RULE_BYTES_MAX: usize = STRING_BYTES_MAX;
/// Rules a sensor keeps.
pub const RULES_MAX: usize = 50_000;
/// Their texts together, in bytes.
pub const RULES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Sightings in one report of messages from a stream, which is never cut in two.
pub const SIGHTINGS_PER_STREAM_REPORT_MAX: usize = 10_000;
/// For how many days a sensor remembers what passed, unless told otherwise.
pub const MEMORY_DAYS_DEFAULT: u32 = 90;
/// Most bytes a sensor's memory takes on disk, unless told otherwise; the oldest days go first.
pub const MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Most values of one sort an open hour of one source holds; past nine tenths of it the hour goes on in a second file.
pub const MEMORY_PAGE_VALUES_MAX: usize = 4_000_000;
/// Most values one `shieldwall hunt` takes.
pub const HUNT_VALUES_MAX: usize = 1_000_000;
/// Largest file of Sigma rules, or Sigma pattern of an indicator, in bytes.
pub const SIGMA_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most Sigma rules (detections and correlations) loaded together.
pub const SIGMA_RULES_MAX: usize = 20_000;
/// Most sorts of log source told apart while matching; events of further ones are held against all rules.
pub const SIGMA_SOURCES_MAX: usize = 128;
/// Most groups (values of `group-by`) that correlation rules keep windows for; the oldest tenth goes first.
pub const SIGMA_GROUPS_MAX: usize = 100_000;
/// Most events that a correlation rule keeps for one group.
pub const SIGMA_GROUP_EVENTS_MAX: usize = 10_000;
