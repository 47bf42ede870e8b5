# Shieldwall, English. Keys are the same in fr.ftl; a test makes sure of it. `$shown` is `$count` as it is written.

## The frame of every page
app-name = Shieldwall
language-name = English
skip-to-content = Skip to content
nav-label = Main
nav-picture = Picture
nav-warnings = Warnings
nav-warnings-new = new
nav-intelligence = Intelligence
nav-sensors = Sensors
nav-members = Members
nav-ledger = Ledger
live-open = Live
live-connecting = Connecting
live-closed = Offline
theme = Theme
theme-light = Light
theme-auto = As the system
theme-dark = Dark
sign-out = Sign out
realm-exercise = Exercise
realm-exercise-note = { $name }. Nothing here is real.
announce-one = New warning: {"{"}title{"}"}
announce-many = {"{"}count{"}"} new warnings
foot-api = API description
foot-licences = Licences
breadcrumb = Breadcrumb
pages = Pages
page-first = First page
page-next = Next
page-newest = Newest
page-older = Older
as-of = As of
copy = Copy
copied = Copied
copy-value = Copy { $value }
copy-root = Copy the root
details = Details
command = Command
never = never
table-of = { $name } (table)
facts-title = Facts

## Numbers and times
moment = { $day } { $month } { $year } { $clock } UTC
day = { $day } { $month } { $year }
month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec
ago-now = just now
ago-seconds = { $shown } s ago
ago-minutes = { $shown } min ago
ago-hours = { $shown } h ago
ago-days = { $count ->
    [one] { $shown } day ago
   *[other] { $shown } days ago
}
seconds-short = { $number } s
list-and = { $first } and { $last }
bytes-count = { $shown } B
members-count = { $count ->
    [one] { $shown } member
   *[other] { $shown } members
}
entries-count = { $count ->
    [one] { $shown } entry
   *[other] { $shown } entries
}
objects-count = { $count ->
    [one] { $shown } object
   *[other] { $shown } objects
}
rows-more = { $count ->
    [one] and { $shown } more
   *[other] and { $shown } more
}
values-more = { $count ->
    [one] and { $shown } more value
   *[other] and { $shown } more values
}

## Signing in, first run
sign-in-title = Sign in
sign-in-submit = Sign in
sign-in-help = No account, or the password is lost? Ask the operator of this hub.
sign-in-wrong = Name or password is wrong.
sign-in-throttled = { $count ->
    [one] Too many attempts. Wait a minute, then try again.
   *[other] Too many attempts. Wait { $shown } minutes, then try again.
}
link-used-title = This link is used up
link-used-text = A link works once and for a day at most. Sign in with your password, or ask the operator of this hub for a new link.
link-used-sign-in = Sign in
setup-title = Set up this hub
setup-lead = This link works once. It makes the first member of the alliance and the account that runs the hub.
setup-member = The first member
setup-operator = Its operator
setup-submit = Set up and sign in
field-name = Name
field-password = Password
field-password-again = Password, once more
password-hint = At least { $shown } characters. Four or five unrelated words do well.
field-sign-in-name = Name to sign in with

## Problems
problem-title = This did not work
problem-title-400 = This cannot be read
problem-title-403 = Not for your role
problem-title-404 = Nothing here
problem-title-405 = Not this way
problem-title-410 = No longer here
problem-title-413 = Too large
problem-title-414 = Too long
problem-title-422 = This cannot be done so
problem-title-429 = Too many at once
problem-title-500 = The hub failed
problem-title-503 = The hub is busy
problem-title-507 = The disk is full
problem-code = Code:
problem-home = To the picture
problem-access-hidden = There is no such page, or it is not for your member to see.
problem-access-role = Your role may not do this. Ask your operator for an account with another role.
problem-auth-csrf = This form has grown old. Go back, load the page again and send it once more.
problem-auth-token-unknown = This session or token is unknown, expired or revoked. Sign in again.
problem-auth-link-used = This link is used up or has run out.
problem-auth-password-differs = The two passwords differ. Type the same one twice.
problem-auth-password-guessable = This password repeats itself or holds the name. Four or five unrelated words do well.
problem-auth-password-long = A password has at most 256 characters.
problem-auth-password-short = A password has at least 15 characters. Four or five unrelated words do well.
problem-cursor-stale = This page of the list is gone. Start again from the first.
problem-group-ceiling = Choose the strictest marking the group may carry.
problem-group-empty = A sharing group has at least one member. Tick its parties.
problem-group-member-unknown = One of the parties is not a member of the alliance.
problem-group-names = Choose whether reporters are named.
problem-hub-busy = The hub has as much to do as it can bear. Try again in a moment.
problem-hub-fault = The hub could not do this. Its log says why; tell your operator the time and the code.
problem-ledger-append-disk-full = The hub’s disk is full. Nothing was recorded. Its operator must make room.
problem-ledger-checkpoint-none = This log has no checkpoint yet. One is signed within a minute of its first entry.
problem-ledger-verify-long = This log is too long to verify while you wait. Run “shieldwall verify” on the hub.
problem-member-country = A country is two letters of ISO 3166-1, such as LU.
problem-member-kind = A member is a nation, an organisation, a company or a partner.
problem-member-name-taken = A member of that name is in the alliance already.
problem-member-sectors = A member answers for at most 50 sectors.
problem-name-unfit = A name has 1 to 200 bytes and no control characters.
problem-object-recall-reason = Say in a few words why it is taken back (at most 2,000 bytes).
problem-query-too-long = This address is too long.
problem-query-unreadable = Part of this address cannot be read. Start again from the page itself.
problem-route-method = This address cannot be opened like this. Start again from the page itself.
problem-stix-owner-other = Another member shared this object. Only its owner takes it back.
problem-token-days = A token lasts 1 to 366 days.
problem-token-member-unknown = Choose the member the token acts for.
problem-token-role = Choose the token’s role.
problem-user-member-unknown = Choose the member the person acts for.
problem-user-name-taken = Somebody has that name already. Choose another.
problem-user-role = Choose the person’s role. Sensors and peers have API tokens, not accounts.
problem-warning-note-long = This note is too long.

## Markings, roles, states
marking-none = No marking
role-label-kill-switch = Kill switch: do not block
role-label-malicious = Malicious
role-label-suspect = Suspect
role-label-vaccine = Vaccine: do not delete
role-label-victim-infrastructure = Victim’s: do not block
role-kill-switch = The malware stops where it can reach this. A host that asks for it is infected: isolate the host, leave the name reachable.
role-malicious = It belongs to the attack.
role-suspect = It may well be harmless. Watch it, and do not act on it alone.
role-vaccine = Its presence keeps the malware away from a machine.
role-victim-infrastructure = It belongs to somebody who was attacked. Tell its owner; blocking it would hit the victim once more.
state-calm = Calm
state-warned = Warned
state-hit = Hit
state-silent = Not heard from
state-live = Live
state-late = Late
state-silent-sensor = Silent
person-role-analyst = Analyst
person-role-auditor = Auditor
person-role-delegate = Delegate
person-role-observer = Observer
person-role-officer = Duty officer
person-role-operator = Operator
person-role-peer = Peer hub
person-role-sensor = Sensor
person-role-public = Public

## The picture
picture-title = The picture
picture-lead = An attack on one is answered by all. What the alliance sees now.
tile-warnings = Live warnings
tile-warnings-note = { $count ->
    [0] all read by your member
   *[other] { $shown } not read by your member
}
tile-sightings = Events sighted today
tile-sightings-note = since midnight UTC
tile-indicators = Indicators active
tile-indicators-note = { $count ->
    [one] { $shown } object shared
   *[other] { $shown } objects shared
}
tile-members = Members
tile-members-note = in this alliance
tile-sensors = Sensors live
tile-sensors-note = { $count ->
    [0] none silent
   *[other] { $shown } silent
}
tile-sensors-none = none heard yet
tile-median = Time to warn, median
tile-median-note = { $count ->
    [one] over { $shown } warning received
   *[other] over { $shown } warnings received
}
tile-p95 = Time to warn, 95 of 100
tile-p95-note = promise: under 1 s
tile-time-none = no warning received yet
map-title = Members by state
map-view = Map view
map-world = World
map-europe = Europe
map-members = Members
map-label = World map of members by state. Arrow keys move between countries.
map-word-calm = calm
map-word-warned = warned
map-word-hit = hit
map-word-silent = not heard from
map-failed = The map could not be loaded. The table below says the same.
map-table = As a table
map-unplaced = Not on the map: { $members }.
map-detail-calm = No live warning.
map-detail-warned = { $count ->
    [one] Has received { $count } live warning.
   *[other] Has received { $count } live warnings.
}
map-detail-hit = { $count ->
    [one] Has reported a sighting; { $count } live warning.
   *[other] Has reported a sighting; { $count } live warnings.
}
map-detail-silent = { $count ->
    [one] Has not confirmed { $count } live warning.
   *[other] Has not confirmed all of { $count } live warnings.
}
chart-title = Events sighted per minute
chart-scope = last hour, UTC
chart-sightings = Sighted
chart-summary = { $count ->
    [0] No event was sighted in the last hour.
    [one] One event was sighted in the last hour.
   *[other] { $shown } events were sighted in the last hour, { $peak } in the busiest minute.
}
chart-table = As a table
chart-none = No event was sighted in the last hour.
chart-failed = The chart could not be loaded. The table below says the same.
live-warnings-title = Live warnings
live-warnings-all = All warnings
feed-title = What just happened
feed-all = All entries
feed-empty = Nothing yet
feed-empty-text = What members share, see and read appears here as it happens.
feed-hub = The hub
feed-somebody = A member
feed-joined = { $who } joined the alliance
feed-joined-many = { $members } joined the alliance
feed-formed = The sharing group { $what } was formed
feed-shared = { $who } shared { $what }
feed-objects = { $count ->
    [one] { $shown } object
   *[other] { $shown } objects
}
feed-indicators = { $count ->
    [one] { $shown } indicator
   *[other] { $shown } indicators
}
feed-recalled = { $who } took back { $what }
feed-saw = { $count ->
    [one] { $who } saw { $what } once
   *[other] { $who } saw { $what } { $shown } times
}
feed-warned = { $count ->
    [one] { $shown } member was warned of { $what }
   *[other] { $shown } members were warned of { $what }
}
feed-read = { $who } has read the warning of { $what }

## Warnings
warnings-title = Warnings
warnings-lead = What was seen in the alliance, what it means for your member, and what to do.
warnings-show = Show
warnings-open = Open
warnings-new = Not read
warnings-all = All
warnings-empty = No warning
warnings-empty-text = The next one appears here within a second of the sighting.
warning-new = New
warning-acknowledged = Acknowledged
warning-past = Looking back
warning-title-past = { $count ->
    [one] { $name }: passed at { $shown } member before it was known
   *[other] { $name }: passed at { $shown } members before it was known
}
warning-seen-past = Found by looking back at what passed: between { $first } and { $last }. Nobody has seen it since.
warning-mine-past = Your own network is among them: you were hit then. Examine the hosts of that time; nothing says that it goes on.
warning-withdrawn = Taken back
warning-withdrawn-text = The owner took the indicator back. Undo what you did because of it.
warning-title = { $count ->
    [one] { $name }: seen by { $shown } member
   *[other] { $name }: seen by { $shown } members
}
warning-seen = { $count ->
    [one] Seen once between { $first } and { $last }.
   *[other] Seen { $shown } times between { $first } and { $last }.
}
warning-seen-at = { $count ->
    [one] Seen once, { $first }.
   *[other] Seen { $shown } times, { $first }.
}
warning-seen-day = { $count ->
    [one] Seen once on { $day } between { $first } and { $last } UTC.
   *[other] Seen { $shown } times on { $day } between { $first } and { $last } UTC.
}
warning-by-named = Reported by { $names }.
warning-by-hidden = { $count ->
    [one] Reported by a member that is not named here.
   *[other] Reported by { $shown } members that are not named here.
}
warning-sectors = Sectors: { $sectors }.
warning-mine-seen-malicious = Your own network is among them. Treat the hosts concerned as compromised until shown otherwise.
warning-mine-seen-kill-switch = Your own network is among them. The hosts that asked for it are infected: isolate them.
warning-mine-seen-suspect = Your own network is among them. Look at the hosts concerned before you act.
warning-mine-seen-vaccine = It was seen in your own network too. Leave it where it is.
warning-mine-seen-victim-infrastructure = Your own network has been in touch with it. Find out why.
warning-mine-unseen = Your own sensors have not reported it.
warning-mine-blind = No sensor of yours reports to this hub, so nobody has looked for it in your network.
warning-acknowledged-by = { $count ->
    [0] No member of { $parties } has received it yet
    [one] { $shown } member of { $parties } has received it
   *[other] { $shown } members of { $parties } have received it
}
warning-acknowledged-toast = Warning acknowledged
acknowledge = Acknowledge
acknowledge-all = Acknowledge all { $shown }
do-check = Check
do-block = Block
do-block-values = the values below.
do-watch = Watch
do-watch-why = and do not block on this alone.
check-names = DNS and proxy logs for these names, as far back as you keep them, and the hosts that asked.
check-connections = flow and firewall logs for connections to these addresses, and the hosts behind them.
check-files = endpoints and mail gateways for files with these hashes or names, and what started them.
check-mail = mail logs for these addresses: who received what, and who opened it.
check-other = your logs for these values, and the hosts concerned.
hold-title-kill-switch = Do not block this.
hold-title-vaccine = Do not delete this.
hold-title-victim-infrastructure = Do not block this.
cluster-title = { $count ->
    [one] { $name }: { $shown } warning
   *[other] { $name }: { $shown } warnings
}
cluster-both = These fall together because both indicate { $what }.
cluster-all = These { $shown } fall together because all indicate { $what }.
cluster-many = { $shown } of these fall together because they indicate { $what }.
cluster-why = The relationships that say so
cluster-proof = { $warning } indicates { $what } ({ $via })
cluster-relationship = relationship
warning-todo-title = What to do
reports-title = Who saw it, and when
reporter-own = Your member (not named to others)
reporter-unnamed = Member { $shown }, not named
notes-title = Who has received it
notes-none = Nobody yet.
field-note = Note
field-note-hint = Not needed. All parties of the sharing group can read it.
fact-indicator = Indicator
fact-kind = Kind of value
fact-fields = Seen in
fact-raised = Warning raised
fact-revision = Revision
fact-contexts = Points to
fact-role = Role
fact-valid-until = Valid until
fact-values = Values
fact-unmatched = Not matched
fact-unmatched-text = Sensors do not match this pattern:
fact-id = Identifier
value-kind-domain-name = Domain name
value-kind-url = URL
value-kind-ipv4-addr = IPv4 address
value-kind-ipv6-addr = IPv6 address
value-kind-ipv4-cidr = IPv4 network
value-kind-ipv6-cidr = IPv6 network
value-kind-ip-port = Address and port
value-kind-email-addr = E-mail address
value-kind-md5 = MD5 hash
value-kind-sha1 = SHA-1 hash
value-kind-sha256 = SHA-256 hash
value-kind-sha512 = SHA-512 hash
value-kind-ja3 = JA3 fingerprint
value-kind-ja4 = JA4 fingerprint
value-kind-file-name = File name
value-kind-crypto-address = Payment address

## Intelligence
intelligence-title = Intelligence
intelligence-lead = Everything shared with your member, by full text.
filter-text = Search
filter-text-hint = Name, value, hash, CVE
filter-type = Type
filter-type-any = Any type
filter-marking = Marking
filter-marking-any = Any marking
filter-group = Sharing group
filter-group-any = Any group
filter-submit = Search
filter-show = Show
objects-title = Objects
objects-shown = { $count ->
    [one] { $shown } object on this page, newest first
   *[other] { $shown } objects on this page, newest first
}
objects-none = Nothing shared yet
objects-none-text = Import a STIX bundle, a list of values or a CSV file.
objects-none-found = Nothing found
objects-none-found-text = Try fewer words, or another type or group.
objects-clear = Show everything
object-withdrawn = Taken back
owner-none = The hub
description-title = Description
relations-title = Relations
relations-count = { $count ->
    [one] { $shown } relation
   *[other] { $shown } relations
}
relations-none = Nothing points here, and this points nowhere.
relation-out = to
relation-in = from
graph-label = { $count ->
    [one] { $name } and its relation; the same relation is in the table.
   *[other] { $name } and its { $shown } relations; the same relations are in the table.
}
graph-failed = The graph could not be loaded. The table says the same.
object-warnings-title = Warnings about it
object-warnings-none = It was not sighted by any member.
json-title = STIX object
versions-title = Versions
version-none = Without a version
version-added = received
recall-title = Take back
recall-text = Sensors stop matching it within seconds, and warnings about it are marked as taken back. The entry stays in the ledger.
recall-reason = Why
recall-ask = Take back…
recall-sure = Take this object back?
recall-do = Take back
recall-keep = Keep it
graph-title = Graph
graph-title-of = Graph of { $name }
graph-lead = Follow what is tied to what: from an indicator to its malware, from there to who uses it.
graph-start = Where to start
graph-start-text = Search for an object, open it, and choose “Explore the graph”.
graph-explore = Explore the graph
graph-neighbours = { $count ->
    [one] Tied to { $shown } object
   *[other] Tied to { $shown } objects
}
graph-relation-any = Any relation
graph-filter = Filter
graph-drawing = Drawing
graph-tools = Tools for the drawing
graph-search = Find in the drawing
graph-search-none = Nothing by that name is drawn.
graph-zoom-in = Zoom in
graph-zoom-out = Zoom out
graph-fit = Fit
graph-types = Show or hide by type
graph-keys = Click an object to unfold it. By keyboard: arrows choose, Enter unfolds, P pins, O opens its page, + and − zoom, 0 fits.
graph-expand = Unfold
graph-expanded = Unfolded
graph-pin = Pin
graph-unpin = Unpin
graph-full = The drawing is full at { $most } objects. Start again from one of them.
graph-more = more, not drawn yet
graph-hidden = hidden
graph-table = What is drawn
graph-alone = Nothing tied to it
graph-alone-filtered = Nothing fits the filter.
graph-from-here = Start here
matrix-title = ATT&CK matrix
matrix-lead = The techniques of adversaries, coloured by what this alliance has shared and seen.
matrix-none = No ATT&CK here yet
matrix-none-text = The matrix is made from the objects shared with your member. Import MITRE’s STIX bundle, for enterprise or for industrial control systems, and it appears.
matrix-domain = Matrix
matrix-show = Which techniques to show
matrix-show-all = All
matrix-show-seen = Only what was shared or seen
matrix-band-0 = Nothing shared
matrix-band-1 = Known to be used
matrix-band-2 = Indicators shared
matrix-band-3 = Seen by members
matrix-techniques = { $count ->
    [one] { $shown } technique
   *[other] { $shown } techniques
}
matrix-parts = { $count ->
    [one] { $shown } sub-technique
   *[other] { $shown } sub-techniques
}
matrix-said-warnings = { $count ->
    [one] { $shown } warning
   *[other] { $shown } warnings
}
matrix-said-indicators = { $count ->
    [one] { $shown } indicator
   *[other] { $shown } indicators
}
matrix-said-users = { $count ->
    [one] { $shown } user
   *[other] { $shown } users
}
matrix-at-least = So much is shared that some numbers are at least what is shown.
matrix-table = Techniques, the strongest first
versions-title-of = Versions of { $name }
versions-lead = What was shared when and by whom, and what changed from one version to the next.
versions-from = From
versions-to = To
versions-compare = Compare
versions-compare-link = What changed
versions-compared = { $from } → { $to }
versions-one = One version so far
versions-one-text = When its owner shares another, what changed stands here.
versions-shown = Shown here
versions-what-changed = What changed
changes-title = Changes
changes-none = These versions say the same.
changes-more = { $count ->
    [one] { $shown } more change is not shown.
   *[other] { $shown } more changes are not shown.
}
change-added = Added
change-removed = Removed
change-changed = Changed
timeline-title = Timeline
event-shared = Shared by { $who }
event-revised = Revised by { $who }
event-recalled = Taken back by its owner
event-revoked = Revoked by its owner
event-ended = Ended: { $why }
event-sighted = Sighted for the first time: { $warning }
event-warning = a warning was raised
audience-title = Who will see this
audience-alone = Nobody but your own member.
audience-others = { $count ->
    [one] Your member and { $shown } other.
   *[other] Your member and { $shown } others.
}
meaning-title = What they may do with it
tlp-meaning-none = Nothing is said of how far it may go. It stays with the parties of the group.
tlp-meaning-clear = Anyone may know, and it may be published.
tlp-meaning-green = They may pass it on within their community, but not publish it.
tlp-meaning-amber = They may pass it on within their organisation and to its clients, to those who need to know.
tlp-meaning-amber-strict = They may pass it on within their own organisation alone, to those who need to know.
tlp-meaning-red = For the eyes of the recipients alone. Nobody passes it on.
format-stix = STIX
format-misp = MISP
format-csv = CSV
format-plain = List
format-prose = Free text
format-any = Told from content
import-title = Share intelligence
import-lead = Paste or upload, look at what would happen, see who will see it, then share. Nothing is sent before the last step.
import-steps = Steps
import-step-give = Paste or upload
import-step-preview = Look
import-step-audience = Who will see it
import-step-report = Done
import-step-done = done
import-content = Paste here
import-content-hint = A STIX bundle, a MISP event, CSV, one value a line, or free text with addresses, names, URLs and hashes in it. Spellings such as hxxp and [.] are understood.
import-file = Or choose a file
import-file-hint = At most { $most } MiB. For more, use the command shieldwall feed import.
import-look = Look first
import-nothing-yet = Nothing is shared yet.
import-format = Recognised as
import-accepted = Would be shared
import-accepted-done = Shared
import-refused = Refused
import-repeated = Held already
import-options = How it would be shared
import-name = Name
import-name-hint = Such as: phishing of 12 May
import-again = Look again
import-who = Who will see it
import-back = Back
import-cut = { $count ->
    [one] { $shown } is refused and stays with you.
   *[other] { $shown } are refused and stay with you.
}
import-cut-parts = { $count ->
    [one] From { $shown } object, parts marked more strictly than the group carries are cut out. The whole is kept for your member alone.
   *[other] From { $shown } objects, parts marked more strictly than the group carries are cut out. The whole is kept for your member alone.
}
import-held = What would be held back
import-held-said = { $count ->
    [one] { $shown } would be held back until a curator of another member has looked at it.
   *[other] { $shown } would be held back until a curator of another member has looked at them.
}
import-read-as = Read as
import-column = Column of values
import-column-kind = Column of kinds
import-column-label = Column of labels
import-column-any = Found by content
event-version = version of { $at }
import-for-good = It is recorded in the group’s ledger for good, in your member’s name. You can take it back later; the entry stays.
import-share = Share now
import-shared = What would be shared
import-shared-done = What was shared
import-revises = new version
import-refusals = What is refused, and why
import-remarks = Taken although the standard advises otherwise
import-done = Shared.
import-done-none = Nothing new was shared.
import-see = See it
import-more = Share more
problem-import-too-large = This is too large for the page. Use the command shieldwall feed import, or share it in pieces.
problem-format-empty = Paste something, or choose a file.
type-attack-pattern = Attack pattern
type-campaign = Campaign
type-course-of-action = Course of action
type-identity = Identity
type-indicator = Indicator
type-infrastructure = Infrastructure
type-intrusion-set = Intrusion set
type-location = Location
type-malware = Malware
type-malware-analysis = Malware analysis
type-marking-definition = Marking
type-note = Note
type-observed-data = Observed data
type-opinion = Opinion
type-relationship = Relationship
type-report = Report
type-sighting = Sighting
type-threat-actor = Threat actor
type-tool = Tool
type-vulnerability = Vulnerability
type-grouping = Grouping
type-incident = Incident
type-extension-definition = Extension
type-language-content = Translation

## Sensors
sensors-title = Sensors
sensors-lead = Each reads telemetry in its member’s network and reports only what matches.
sensors-none = No sensor yet
sensors-none-text = A sensor reads your telemetry at home and reports only what matches. Make a token in the role sensor, then start one:
sensors-make-token = Make a token
watchlist-version = version { $version }
sensor-rules-run = rules run: { $count }
sensor-rules-passed-on = passed on to other tools: { $count }
sensor-rules-left-out = left out: { $count }
sensor-shed-matches = { $count } matches left out
sensor-shed-evaluations = { $count } evaluations of slow rules left out
sensor-shed-rules = { $count } slow rules set aside
sensor-shed-evicted = { $count } events let go of early by patterns
sensor-shed-late = { $count } events too late for patterns over several
sensor-slow-rule = slow: { $name }
sensor-withheld = { $count ->
    [one] { $shown } indicator withheld: it would touch too much of this network
   *[other] { $shown } indicators withheld: they would touch too much of this network
}

## Members and sharing groups
members-title = Members
members-lead = Who is in the alliance, and which sharing groups your member is party to.
members-heading = Members
member-own = yours
member-kind-nation = Nation
member-kind-organisation = Organisation
member-kind-company = Company
member-kind-partner = Partner
groups-heading = Sharing groups
group-alliance = Alliance
group-alliance-explained = Every member is party to it.
group-own = Your member alone
group-own-explained = What your member shares with nobody: among other things, its sightings by name.
group-parties = Parties
group-reporters = Who saw it
group-names-shown = Named to the parties
group-names-hidden = Not named: only how many, and in which sectors
admit-title = Admit a member
admit-submit = Admit
form-group-title = Form a sharing group
form-group-submit = Form the group
field-member-name = Name of the member
field-kind = Kind
field-country = Country
field-country-hint = Two letters of ISO 3166-1, such as LU. Leave empty for an organisation of several.
field-sectors = Sectors
field-group-name = Name of the group
field-ceiling = Strictest marking
field-ceiling-hint = What is marked more strictly is refused here.
tab-search = Search
tab-graph = Graph
tab-matrix = ATT&CK
tab-import = Share
tab-members = Members
tab-people = People
tab-tokens = API tokens

## People and tokens
people-title = People
people-lead = Who can sign in, for which member, in which role.
people-heading = Accounts
person-new = New account
person-make = Make the account
person-open = Open
person-closed = Closed
tokens-title = API tokens
tokens-lead = For sensors, other hubs and scripts. A token acts for one member in one role.
tokens-heading = Tokens
tokens-none = No token yet
tokens-none-text = A sensor needs one to report.
token-new = New token
token-make = Make the token
token-made = The token is made.
token-made-text = Copy it now: it is not shown again.
token-copy = Copy the token
token-good = Good
token-expired = Expired
token-revoked = Revoked
token-revoke = Revoke
token-revoke-title = Revoke this token?
token-revoke-text = Whatever uses it is shut out at once. This cannot be undone.
token-keep = Keep it
field-label = What it is for
field-label-hint = Such as: sensor at the Luxembourg gateway.
field-role = Role
field-days = Days
field-days-hint = 1 to { $shown }.

## The ledger
ledger-title = Ledger
ledger-lead = Everything recorded, in order, for good. Nothing is changed; what is taken back is taken back by a further entry.
field-log = Log
filter-kind-any = Any kind
kind-object-shared = Object shared
kind-object-recalled = Object taken back
kind-object-revoked = Revocation made
kind-object-versions-recalled = Versions taken back
kind-sighting-reported = Sighting reported
kind-sighting-kept = Sighting kept
kind-telemetry-taken = Telemetry taken
kind-warning-acknowledged = Warning acknowledged
kind-member-joined = Member joined
kind-group-formed = Group formed
entries-title = Entries
entries-none = No entry
entries-none-text = Nothing of this kind was recorded in this log.
entries-shown = { $count ->
    [one] { $shown } entry on this page, newest first
   *[other] { $shown } entries on this page, newest first
}
author-hub = The hub
entry-title = Entry { $sequence }
entry-body = Body
entry-body-long = This body is too long to show here, or is not JSON. The API has it.
entry-redacted = redacted
entry-redacted-text = This body was redacted. The entry keeps its place, and every proof still holds.
entry-covered = It is covered by the signed checkpoint of { $size } entries.
entry-uncovered = It is younger than the last signed checkpoint; the next one covers it.
checkpoint-title = Checkpoint
checkpoint-text = Signed by the hub over all entries up to its size. Keep a copy: who holds one notices when history is rewritten.
checkpoint-download = Download
checkpoint-none = none yet
checkpoint-none-text = None yet. One is signed within a minute of the first entry.
verify-title = Verify the log
verify-log = Verify this log
verify-agrees = The log verifies.
verify-agrees-text = { $count ->
    [one] { $shown } entry was hashed again; root and signature agree with the checkpoint.
   *[other] { $shown } entries were hashed again; root and signature agree with the checkpoint.
}
verify-differs = The log does not verify.
verify-differs-text = Stop trusting this copy. Compare with the checkpoints other members hold.
verify-entries = Entries hashed again
verify-root = Root of all entries (RFC 6962), recomputed now
verify-offline = The same without trusting this hub, on a copy of its data:

## Columns
column-actions = Actions
column-added = Received
column-change = Change
column-author = By
column-by-machine = By machine
column-by-person = By a person
column-country = Country
column-events = Events
column-expires = Until
column-first-seen = First seen
column-heard = Last heard
column-indicators = Indicators
column-kind = Kind
column-lag = Lag
column-last-seen = Last seen
column-last-used = Last used
column-matches = Matches
column-member = Member
column-members = Members
column-minute = Minute
column-note = Note
column-object = Object
column-owner = Owner
column-place = Place
column-property = Property
column-rate = Events/s
column-reason = Why
column-relation = Relation
column-sectors = Sectors
column-seen-by = Seen by
column-sensor = Sensor
column-sequence = Number
column-since = Since
column-size = Size
column-spool = Unsent
column-state = State
column-tactics = Tactics
column-technique = Technique
column-time = Time
column-updated = Updated
column-users = Users
column-warning = Warning
column-warnings = Warnings
column-watchlist = Watchlist

## Sectors (STIX 2.1 industry-sector vocabulary, section 10.7)
sector-aerospace = aerospace
sector-agriculture = agriculture
sector-automotive = automotive
sector-chemical = chemicals
sector-commercial = commerce
sector-communications = communications
sector-construction = construction
sector-dams = dams
sector-defense = defence
sector-defence = defence
sector-education = education
sector-emergency-services = emergency services
sector-energy = energy
sector-entertainment = entertainment
sector-financial-services = finance
sector-government = government
sector-government-emergency-services = emergency services
sector-government-local = local government
sector-government-national = national government
sector-government-public-services = public services
sector-government-regional = regional government
sector-health = health
sector-healthcare = health
sector-hospitality-leisure = hospitality and leisure
sector-infrastructure = infrastructure
sector-infrastructure-dams = dams
sector-infrastructure-nuclear = nuclear power
sector-infrastructure-water = water
sector-insurance = insurance
sector-manufacturing = manufacturing
sector-mining = mining
sector-non-profit = non-profit
sector-nuclear = nuclear power
sector-pharmaceuticals = pharmaceuticals
sector-retail = retail
sector-technology = technology
sector-telecommunications = telecommunications
sector-transport = transport
sector-transportation = transport
sector-utilities = utilities
sector-water = water

## Held back, and the life of an indicator
tab-held = Held back
held-title = Held back
held-lead = What came in and would harm everybody if it were wrong: nobody matches, blocks or finds it until a curator of another member has looked at it.
held-heading = Objects held back
held-none = Nothing is held back
held-none-text = An object whose date lies in the future, or an indicator that would block what everybody uses, would wait here.
held-why = Why
held-since = Since
held-release = Release
held-reject = Reject
held-reason = Why it is rejected
held-life-held-ahead = Dated in the future
held-life-held-warninglist = Known to be harmless
held-life-held-too-broad = Too broad
problem-held-release-own = Your own member sent this: a curator of another member releases it. You may reject it.
problem-curate-reason = Say in a few words why (at most 2,000 bytes).
life-title = Life
life-stage = Stage
life-score = Score (0 to 100)
life-sighted = Last seen
life-ends = Ends if nothing happens
life-disputes = False positive
life-disputed = { $count ->
    [one] one member says so
   *[other] { $shown } members say so
}
stage-quarantined = held back
stage-active = active
stage-sighted = seen
stage-decaying = fading
stage-expired = over
stage-recalled = taken back
dispute-title = False positive?
dispute-text = Says for your member that this is harmless. One member halves its score, a second ends it.
dispute-do = Say that it is a false positive
kind-object-held = Object held back
kind-object-released = Object released
kind-object-rejected = Object rejected
kind-indicator-disputed = Indicator called a false positive
# What shares something with an object
shared-title = Related, and why
shared-count = { $count ->
    [one] { $shown } object
   *[other] { $shown } objects
  }
shared-none = Nothing else you may see shares a value, a host, a network or a reference with this.
shared-by = { $count ->
    [one] { $shown } object shares it
   *[other] { $shown } objects share it
  }
shared-by-more = more than { $shown } objects share it
column-why = Why
column-tells = Tells
tie-strong = much
tie-fair = something
tie-weak = little
tie-common = too common to tell
tie-same-value = Same value
tie-same-host = Same host
tie-same-certificate = Same certificate
tie-in-network = Lies in the network
tie-holds-address = Lies in this network
tie-same-parent = Hosts under one name
tie-same-site = Same registered domain
tie-neighbours = Neighbours in one network
tie-same-vulnerability = Same vulnerability
tie-same-technique = Same technique

# The search language
search-help-title = How to search
search-help-lead = Write words that must all occur, a phrase in quotes, or fields with a value. All of it has to be so; the same field twice asks for either.
search-help-type = only this type of object
search-help-value = holds exactly this value; spellings such as hxxp and [.] are understood
search-help-under = hosts under a name, or addresses inside a network
search-help-mark = by marking, role or label
search-help-who = by who shared it, where, or who made it
search-help-state = active, expired, revoked or recalled
search-help-time = by when the hub took it, or when it was last sighted: a day, month, year or time, after >, >=, < or <=, or from..to
search-help-not = a minus sign says: not this
search-keep-this = Keep this search

## Feeds out
tab-feeds = Feeds out
feeds-title = Feeds out
feeds-lead = What your own devices may block, in the form each of them reads. Nothing that was taken back, is over, is held back, or would also block a kill switch or a victim is ever in them.
feeds-token = A device gives an API token as the password, with any user name, or as a Bearer token. Roles that take feeds: sensor, peer, analyst, officer. With If-None-Match a device fetches a feed again only when it has changed.
feeds-example = Example
feeds-heading = Feeds
feeds-listed = { $count ->
    [one] one value
   *[other] { $shown } values
}
feeds-address = Address
feeds-file = File name
feeds-how = How to use it
feeds-out = What is left out
feeds-out-none = Nothing is left out.
feeds-count = How many
feeds-filters = Add ?explain=1 to an address for the list of what is left out. Filters: kind, group, confidence, score, days, marking; since, with the X-Feed-Cursor of an earlier answer, gives the lines added and removed.
feed-how-plain = One value a line, for anything else.
feed-how-csv = A table with what is known of each value, for scripts and spreadsheets.
feed-how-hosts = For /etc/hosts or Pi-hole: each domain at an address nobody has.
feed-how-rpz = A response policy zone for BIND, Unbound, PowerDNS or Knot: load it as a primary zone of that name and name it in response-policy.
feed-how-suricata-rules = Rules for Suricata: put the file into rule-files. The numbers of the rules stay the same.
feed-how-suricata-domains = A dataset of domains, for the rules of suricata-datasets; a million fit.
feed-how-suricata-ips = A dataset of addresses, for the rules of suricata-datasets.
feed-how-suricata-ja3 = A dataset of JA3 fingerprints, for the rules of suricata-datasets.
feed-how-suricata-datasets = The rules that load the three datasets: put all four files into the rules directory.
feed-how-zeek = For Zeek: name the file in Intel::read_files.
feed-how-stix = The indicators as their owners sent them, as a STIX 2.1 bundle.
feed-how-misp = A MISP feed: add the address as a feed in MISP.
left-out-held = Held back until a curator has looked at it
left-out-expired = Over
left-out-recalled = Taken back
left-out-revoked = Revoked
left-out-no-values = A pattern that is no list of values
left-out-not-for-blocking = In a role that is never blocked
left-out-protected = Would block what must stay reachable
left-out-too-broad = Too broad, or local to every network
left-out-filtered = Not asked for
left-out-repeated = Listed already
left-out-no-place = Of a kind this format has no place for
left-out-unwritable = Not writable in this format
# Kept searches
tab-saved = Kept searches
saved-title = Kept searches
saved-lead = Searches you keep, and how you are told of new objects that fit. You are never told more than you may read at that moment.
saved-heading = Your searches
saved-none = You keep no search yet
saved-none-text = Search under Intelligence and keep what you would ask again, or write one below.
saved-name = Name
saved-told = You are told by
saved-log = Last deliveries
saved-log-none = none yet
saved-remove = Remove
saved-new = Keep a search
saved-query-hint = As in the search box: words, and fields such as type:indicator or value:"evil.example".
saved-stream = Tell me on the live stream
saved-webhook = Post to this address
saved-webhook-hint = An https address of yours. Each post is signed; the secret is shown once, after you keep the search. TLP:RED is never posted.
saved-email = Mail to this address
saved-email-hint = A mail says how much is new and where to look, not what it says.
saved-keep = Keep the search
saved-secret = The secret your posts are signed with.
saved-secret-text = It is shown this once. Compare the signature in X-Shieldwall-Signature with HMAC-SHA-256 over time, full stop and body.
saved-way-stream = live stream
saved-way-webhook = post
saved-way-email = mail
saved-outcome-delivered = delivered
saved-outcome-failed = failed, tried again
saved-outcome-given-up = given up
# Peers and sources

tab-peers = Peers
tab-sources = Sources
kind-exchange-received = Objects came from a peer
soon = soon
peers-title = Peers
peers-lead = Other hubs and servers your alliance exchanges with. RED and AMBER+STRICT never leave; AMBER leaves only from groups named for it.
peers-none = No peers yet
peers-none-text = An operator sets up another hub or a TAXII 2.1 server, and which groups are exchanged with it.
peer-add = Set up a peer
peer-kind-hub = Shieldwall hub
peer-kind-taxii = TAXII 2.1 server
peer-direction-pull = From the peer
peer-direction-push = To the peer
peer-direction-both = Both ways
peer-url-hint = A hub's address, or that of a TAXII API root.
peer-member = The member it acts for here
peer-member-hint = Admit a partner for it first; it sees what that member is party to.
peer-remote = The group or collection there
peer-remote-hint = Its id; the same as here when left empty.
peer-marking-max = The strictest marking that leaves
peer-marking-hint = An unmarked object counts for what its group may carry at most.
peer-amber = AMBER objects of this group may leave for this peer
peer-not-party = Figures are told to those party to the group.
exchange-paused = Paused
exchange-busy = At work
exchange-failed = Failed
exchange-good = Good
exchange-new = Not run yet
exchange-run = Run now
exchange-pause = Pause
exchange-resume = Go on
exchange-remove = Remove
column-peer = Peer
column-direction = Direction
column-done = Last done
column-next = Next
column-in = In
column-out = Out
column-stopped = Stopped
column-looped = By their way
column-group = Sharing group
field-url = Address
field-user = User
field-user-hint = For a password; leave it empty for a token.
field-secret = Token or password
field-secret-hint = It is kept sealed and never shown again.
sources-title = Sources
sources-lead = What your member takes in on its own: lists, reports and STIX, fetched on a schedule or handed in.
sources-none = No sources yet
sources-none-text = Set one up below, and look at what it would bring before anything is shared.
source-add = Set up a source
source-format = How it is written
source-format-plain = List, one value a line
source-format-csv = CSV
source-format-text = Prose
source-format-stix = STIX 2.1 or TAXII
source-url-hint = Leave it empty for a source whose content you hand in.
source-column = Column of values
source-column-hint = For CSV: its heading, or its number from 1; found by itself when left empty.
source-unmarked = Not marked
source-trust = Trust
source-trust-hint = 0 to 100; the confidence of its indicators.
source-expiry = Days an indicator holds after it was last listed
source-interval = How often it is fetched
source-every-0 = When asked
source-every-900 = Every quarter of an hour
source-every-3600 = Every hour
source-every-86400 = Every day
source-authoritative = What it no longer lists is taken back
source-preview = Look first
source-preview-title = What this source would bring
source-preview-lead = Nothing has been shared yet.
source-preview-figures = In figures
source-preview-shared = The first of what would be shared
source-preview-refused = The first of what would be refused
source-confirm = Take back what is gone even if it is more than half
source-take = Take it in
source-leave = Leave it
source-hand-in = Hand in its content
source-content = Content
column-source = Source
column-found = Found
column-new = New
column-known = Known
column-gone = Gone
column-refused = Refused
