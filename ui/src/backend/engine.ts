// Made from the types in src-tauri/core/src/api by `cargo xtask docs`; not written by hand.

/**
 * The user's decision.
 */
export type Action = "keep-both" | "keep-left" | "keep-right" | "stitch" | "branches" | "undo";

/**
 * A failed command. `code` is stable; `message` says what failed, `hint` what to do next.
 */
export type ApiError = { code: ProblemCode, message: string, 
/**
 * Without commands and buttons.
 */
hint: string, 
/**
 * What the user can do about it.
 */
actions: Array<Remedy>, };

/**
 * What became of the entries of an app.
 */
export type AppAppended = { added: number, 
/**
 * Entries whose `uuid` was there already.
 */
known: number, };

/**
 * Whether there was something to delete.
 */
export type AppDeleted = { deleted: boolean, };

/**
 * Entries of an app's session.
 */
export type AppPage = { 
/**
 * Each as the app wrote it; none if there is no such session.
 */
entries: Array<string> | null, 
/**
 * Where the next page begins, if there is one.
 */
next: string | null, };

/**
 * An app that keeps sessions here, or asks to.
 */
export type AppRow = { 
/**
 * The name that it gives itself.
 */
app: string, state: AppState, 
/**
 * When the user decided.
 */
since: string | null, 
/**
 * Programs that ask under this name with a token that is not allowed.
 */
asking: number, 
/**
 * What it keeps on this device.
 */
sessions: number, bytes: number, };

/**
 * A session of an app.
 */
export type AppSession = { session: string, 
/**
 * Its last change on this device, in milliseconds since 1970.
 */
mtime: number, };

/**
 * What the user decided about an app.
 */
export type AppState = "allowed" | "asking" | "denied";

export type Approval = { id: string, 
/**
 * Approvals given on that device apply here, too.
 */
follow: boolean, 
/**
 * The device that forwarded the approval; `null` if it was given here.
 */
via: string | null, };

export type AskingDevice = { id: string, 
/**
 * Chosen by the device itself.
 */
name: string, address: string, 
/**
 * The device has proved that this device's code was entered on it.
 */
has_code: boolean, 
/**
 * The device asks to compare digits.
 */
compares: boolean, };

export type BranchRow = { 
/**
 * The chain id of its tip, in the doc that diverged.
 */
branch: string, 
/**
 * The session that holds the branch in the tool: the session itself, or a fork. Empty until
 * the user has chosen (tier C).
 */
session: string, 
/**
 * That session's title.
 */
title: string, device: string, updated: string, 
/**
 * Records after the common part.
 */
records: number, here: boolean, };

export type Check = { name: string, state: CheckState, message: string, hint: string, 
/**
 * What the user can do about it.
 */
actions: Array<Remedy>, };

/**
 * What a check of `roam doctor` found.
 */
export type CheckState = "ok" | "note" | "problem";

export type Choice = { id: Action, enabled: boolean, consequence: string, };

/**
 * The contents of a pairing code.
 */
export type Code = { id: string, name: string, 
/**
 * The code carries a secret, which proves the two devices to each other. Without a secret,
 * digits are compared.
 */
proves: boolean, 
/**
 * The other device has proved to know this device's code: pairing lets the other device in.
 */
has_code: boolean, paired: boolean, };

/**
 * Code that was applied.
 */
export type CodeApplied = { 
/**
 * The session's directory with the code.
 */
dir: string, 
/**
 * Whether it is a worktree that was made for it.
 */
worktree: boolean, 
/**
 * How many files changed.
 */
files: number, message: string, };

/**
 * How a file differs.
 */
export type CodeChange = "added" | "changed" | "deleted" | "permission" | "kind";

/**
 * The difference of one file as text.
 */
export type CodeDiff = { 
/**
 * As `git diff` prints it.
 */
text: string, 
/**
 * Whether there is more.
 */
cut: boolean, };

/**
 * A file that is not here what it is there.
 */
export type CodeFile = { 
/**
 * What `CodeDiff` wants to be named. Bytes that cannot be shown are written `%XX`.
 */
path: string, 
/**
 * The path for display: nothing in it hides or changes the reading direction.
 */
shown: string, change: CodeChange, 
/**
 * Programs may obey it without being asked: a setting, a hook, a build script.
 */
obeyed: boolean, };

/**
 * A file that stayed behind.
 */
export type CodeLeftOut = { 
/**
 * Bytes that cannot be shown are written `%XX`.
 */
path: string, 
/**
 * In words that continue the path.
 */
why: string, };

/**
 * The code of another device beside the checkout here.
 */
export type CodeOffer = { state: CodeState, 
/**
 * What `CodeApply` wants to be named.
 */
snapshot: string, 
/**
 * The name of the device that recorded it.
 */
device: string, 
/**
 * When, RFC 3339.
 */
at: string, 
/**
 * Whether that device wrote the session's last lines, too.
 */
is_last: boolean, 
/**
 * How many messages of the session came after it; that device recorded nothing new since.
 */
since: number, 
/**
 * The commit and the branch that were checked out there.
 */
commit?: string, branch?: string, 
/**
 * The checkout, or the worktree that would be made.
 */
dir?: string, 
/**
 * Why it is not applied in the checkout itself, or not at all; a sentence.
 */
why: string, 
/**
 * The files that would change; 500 at most.
 */
files: Array<CodeFile>, n_files: number, 
/**
 * Commits that come along because this repository lacks them. What they changed is among the files.
 */
commits: number, 
/**
 * What stayed on that device; 200 at most.
 */
left_out: Array<CodeLeftOut>, };

/**
 * A project with uncommitted changes about which the user has not decided yet. `CodeSwitch` with
 * this project, on or off, is the answer; it is asked once.
 */
export type CodeQuestion = { project: string, 
/**
 * How many files have changes that would go along now, and their bytes.
 */
files: number, bytes: number, };

/**
 * A project whose changes go along.
 */
export type CodeRow = { project: string, 
/**
 * The sessions with recorded states, the latest first.
 */
sessions: Array<CodeSession>, 
/**
 * The space of these states in this device's folder.
 */
bytes: number, };

/**
 * The last recorded state of a session's checkout.
 */
export type CodeSession = { session: string, title: string, 
/**
 * When it was recorded, RFC 3339.
 */
at: string, 
/**
 * Why the checkout was not recorded the last time.
 */
refused?: string, 
/**
 * What stayed behind; 200 at most.
 */
left_out: Array<CodeLeftOut>, };

/**
 * What applying another device's code would mean here.
 */
export type CodeState = "none" | "arriving" | "same" | "in_place" | "worktree" | "needs_commits" | "refused";

/**
 * Which projects' changes go along, and how far that is.
 */
export type CodeStatus = { 
/**
 * The switch of this device: without it nothing is recorded, whatever the projects say.
 */
on: boolean, 
/**
 * The projects that are switched on.
 */
projects: Array<CodeRow>, };

/**
 * An import of exported conversations. It has ended when there is `done` or `failed`.
 */
export type ConversationImport = { 
/**
 * The name of the first file or directory, and the number of the others.
 */
name: string, others: number, 
/**
 * Conversations read so far.
 */
conversations: number, 
/**
 * Bytes read so far, unpacked, and how many there are.
 */
bytes: number, total: number, done: Imported | null, failed: ApiError | null, };

/**
 * A conflict copy in a tool's store.
 */
export type CopyRow = { tool: string, session: string, path: string, lines: number, 
/**
 * Lines that the session's own file does not have.
 */
new: number, 
/**
 * The session is open, by whom; the copy is not ingested meanwhile.
 */
open: string | null, };

export type Device = { id: string, name: string, 
/**
 * `session-roam:1?id=…&name=…&addr=…&key=…`, with a secret that is valid for one pairing.
 */
code: string, 
/**
 * RFC 3339: the code's expiry. A new code is shown before that.
 */
code_until: string, addresses: Array<string>, };

export type DeviceSpace = { 
/**
 * The name of the device.
 */
device: string, bytes: number, };

export type Devices = { paired: Array<PairedDevice>, asking: Array<AskingDevice>, proposed: Array<ProposedDevice>, 
/**
 * The number of pairing requests that are not listed, since the list is limited.
 */
more_asking: number, 
/**
 * Devices on the same network that run Syncthing and are in none of the other lists.
 * Announcements prove nothing: the digits must be the same on both screens before a device is
 * paired.
 */
nearby: Array<NearbyDevice>, 
/**
 * Why no devices can be discovered there, if so.
 */
nearby_off: string | null, 
/**
 * What the device list records of the devices approved here.
 */
approvals: Array<Approval>, 
/**
 * Revoked devices.
 */
revoked: Array<RevokedDevice>, };

/**
 * The two branches of a split, aligned. `rows` is one page of `total`.
 */
export type Diff = { session: string, tool: string, title: string, 
/**
 * The doc that diverged.
 */
doc: string, class: Tier, reason: string, left: DiffSide, right: DiffSide, 
/**
 * No split, but a change by another device that is held: what is here stands left, what the
 * other device made of it right. `Release` accepts it.
 */
rewrite: boolean, prefix: DiffPrefix, stats: DiffStats, total: number, rows: Array<DiffRow>, 
/**
 * Only if requested.
 */
choices: Array<Choice>, };

/**
 * A page of the common part of both sides.
 */
export type DiffCommon = { 
/**
 * The number of all its messages.
 */
total: number, from: number, messages: Array<Message>, };

/**
 * The common part of both sides before the fork point.
 */
export type DiffPrefix = { records: number, messages: number, };

export type DiffRow = { i: number, 
/**
 * `same`, `changed`, `beside`, `left`, `right`.
 */
kind: Kind, left: Msg | null, right: Msg | null, 
/**
 * How similar the two are, 0 to 1.
 */
alike: number, 
/**
 * The turn after the common part, from 1; 0 continues the last common turn. A turn begins with
 * a message of the user.
 */
turn: number, 
/**
 * The other side has no such turn.
 */
alone: boolean, };

export type DiffSide = { device: string, 
/**
 * The chain id of its tip.
 */
branch: string, 
/**
 * After the common part.
 */
records: number, bytes: number, messages: number, 
/**
 * Messages of the user.
 */
turns: number, first: string | null, last: string | null, 
/**
 * Changes of what the tool may do, in the order of the records, the first [`MOST_CHANGES`];
 * empty unless choices were requested.
 */
changes: Array<SteeringRow>, 
/**
 * The number of all changes.
 */
n_changes: number, };

export type DiffStats = { same: number, changed: number, 
/**
 * Messages that are on this side only.
 */
left: number, right: number, };

export type DiffWords = { left: string, right: string, 
/**
 * Empty if the texts are too long to compare.
 */
spans: Array<Span>, };

/**
 * A page of the transcript of a sub-agent.
 */
export type DocPage = { 
/**
 * The number of all its messages; 0 if the session has no such doc.
 */
total: number, from: number, 
/**
 * Long bodies are truncated.
 */
messages: Array<Message>, };

export type Doctor = { checks: Array<Check>, 
/**
 * Each session that does not sync, and the reason.
 */
not_carried: Array<Waiting>, 
/**
 * Tool, level and the known versions.
 */
tools: Array<ToolRow>, 
/**
 * Conflict copies of sessions in the tools' stores.
 */
copies: Array<CopyRow>, 
/**
 * Paths in the tools' stores that do not sync, the first ones of each reason; the check `left
 * out` counts them all.
 */
left_out: Array<LeftOut>, };

export type Done = { done: boolean, message: string, 
/**
 * What the user can do next.
 */
actions?: Array<Remedy>, };

/**
 * What the engine does.
 */
export type EngineState = "running" | "paused" | "importing" | "stopping" | "stopped";

export type ExportFormat = "markdown" | "html" | "json" | "open" | "native";

export type Exported = { 
/**
 * The written files, or the text itself if no directory was given.
 */
files: Array<string>, text?: string, };

/**
 * A file that a session speaks of.
 */
export type FilePlace = { 
/**
 * The whole path on this device.
 */
path: string, };

/**
 * The effect of forgetting a session.
 */
export type ForgetPreview = { 
/**
 * The session first, then its versions that became sessions of their own: all are forgotten
 * together.
 */
sessions: Array<SessionRow>, 
/**
 * The devices that will remove the session.
 */
devices: Array<string>, 
/**
 * Devices that may have the session and cannot be notified: revoked, or no longer paired.
 */
cannot_be_told: Array<string>, 
/**
 * Minutes during which `undo` restores the session.
 */
minutes: number, };

/**
 * A forgotten session.
 */
export type ForgottenRow = { 
/**
 * `<tool>/<hash>`: the only name that is kept.
 */
key: string, tool: string, 
/**
 * Its id and title, on the device that forgets it and only as long as `undo` is possible.
 */
session?: string, title?: string, 
/**
 * The devices that forgot the session.
 */
by: Array<string>, at: string, 
/**
 * The deadline for `undo`.
 */
undo_until?: string, 
/**
 * The guard holds the session here, and nothing was removed.
 */
held: boolean, receipts: Array<ReceiptRow>, };

/**
 * A session that continues another one from one of its messages.
 */
export type Forked = { 
/**
 * The new session's id.
 */
session: string, tool: string, title: string, 
/**
 * The number of its messages: more than asked for if a call would have been cut from its
 * result, fewer if the call has none.
 */
messages: number, 
/**
 * The number of messages of the other session.
 */
total: number, };

export type Held = { 
/**
 * The argument for `roam release`.
 */
what: string, code: HoldReason, message: string, hint: string, 
/**
 * What the user can do about it.
 */
actions: Array<Remedy>, };

/**
 * What happened to a session: a row of the history.
 */
export type HistoryKind = "recorded" | "arrived" | "checked_out" | "forked" | "united" | "taken_out" | "taken_back" | "moved" | "recognised" | "keep-both" | "keep-left" | "keep-right" | "stitch" | "branches" | "undo" | "renamed" | "code_applied" | "code_undone" | "forgotten" | "removed" | "excluded";

export type HistoryRow = { at: string, device: string, 
/**
 * The session's current title.
 */
title: string, what: HistoryKind, session: string, tool: string, doc: string, bytes: number, lines: number, 
/**
 * How many files changed, where code was applied or taken back.
 */
files: number, };

/**
 * Why something needs the user's word before it continues.
 */
export type HoldReason = "tool_emptied" | "mass_change" | "rewritten" | "steered" | "vault_lost" | "mass_forget" | "needed";

/**
 * What an import did.
 */
export type Imported = { 
/**
 * How many conversations are new, by the tool's id.
 */
new: { [key in string]: number }, 
/**
 * How many got more messages.
 */
grown: { [key in string]: number }, 
/**
 * How many were there already.
 */
known: { [key in string]: number }, 
/**
 * What was left out; a long list has its beginning only.
 */
left_out: Array<NotImported>, n_left_out: number, 
/**
 * The user ended it before all was read.
 */
is_cancelled: boolean, };

/**
 * How far the index is, in sessions.
 */
export type Indexing = { done: number, total: number, };

export type Kind = "same" | "changed" | "beside" | "left" | "right";

/**
 * A path in a tool's store that does not sync.
 */
export type LeftOut = { tool: string, path: string, code: LeftOutReason, why: string, };

/**
 * Why something in a tool's store is not carried.
 */
export type LeftOutReason = "link" | "name" | "kind" | "too_deep" | "unreadable" | "copy" | "not_downloaded" | "unfinished";

/**
 * A copy that stays in place.
 */
export type LeftRow = { tool: string, session: string, path: string, why: string, };

/**
 * The support for a tool's sessions; each level includes those before it.
 */
export type Level = "see" | "carry" | "resume" | "merge";

export type LiveSession = { session: string, tool: string, title: string, project: string, 
/**
 * The name of the device on which the session is open.
 */
device: string, here: boolean, 
/**
 * RFC 3339: the time of the last such report.
 */
seen: string, };

/**
 * A piece of a text; `hit` if it is what was looked for.
 */
export type Marked = { text: string, hit: boolean, };

export type Message = { role: Role, text: string, at: string | null, device: string | null, 
/**
 * The model that answered, and the tokens of the answer, if the tool writes them.
 */
model?: string, tokens?: Tokens, 
/**
 * The parts of the message.
 */
parts: Array<Part>, };

export type Moving = { 
/**
 * Sessions of the first import: done and total. Both 0 if there is none.
 */
import_done: number, import_total: number, import_bytes: number, 
/**
 * Sessions in the queue.
 */
queued: number, 
/**
 * Bytes that other devices still need from here, and that this device needs from them.
 */
out_bytes: number, in_bytes: number, };

/**
 * A message of a branch. The body is not copied; `line` says where to find it.
 */
export type Msg = { 
/**
 * Equal keys mean equal messages.
 */
key: string, 
/**
 * The line of the branch after the common part, from 0; `off` and `len` in bytes of that part.
 */
line: number, off: number, len: number, role: Role, at: string | null, 
/**
 * The first 200 characters.
 */
preview: string, 
/**
 * The kinds of its parts, with sizes in bytes.
 */
parts: Array<[string, number]>, 
/**
 * The same parts with names and beginnings. Empty for plain text: `preview` has its beginning.
 */
pieces: Array<Part>, 
/**
 * The name of the device that wrote the message.
 */
device?: string, };

export type NearbyDevice = { id: string, 
/**
 * The device's earlier name here; Syncthing does not report names.
 */
name: string | null, addresses: Array<string>, };

/**
 * How this device finds and reaches others.
 */
export type Network = { 
/**
 * Announces this device on the local network.
 */
local_discovery: boolean, 
/**
 * Announces this device to Syncthing's public discovery servers.
 */
global_discovery: boolean, 
/**
 * Uses Syncthing's public relays where no direct connection is possible.
 */
relays: boolean, };

/**
 * A conversation or a file that was not imported.
 */
export type NotImported = { name: string, why: string, };

/**
 * The kinds of notifications that are shown.
 */
export type NotificationKinds = { 
/**
 * A device asks to pair.
 */
pairing: boolean, 
/**
 * A session has two versions.
 */
versions: boolean, 
/**
 * Something is held until the user decides.
 */
held: boolean, 
/**
 * A session waits for something that the user can do.
 */
waiting: boolean, 
/**
 * Sessions of other devices are ready.
 */
arrived: boolean, };

/**
 * The kinds of notifications to switch on or off.
 */
export type NotificationsChange = { pairing?: boolean, versions?: boolean, held?: boolean, waiting?: boolean, arrived?: boolean, };

/**
 * A part of a message that has the text.
 */
export type OccurrencePlace = { 
/**
 * The numbers in `show`.
 */
message: number, part: number, 
/**
 * How often.
 */
n: number, };

/**
 * Where a session has a text, whatever the case of its letters.
 */
export type Occurrences = { 
/**
 * The number of all occurrences.
 */
total: number, 
/**
 * In the order of the messages, the first 10,000.
 */
places: Array<OccurrencePlace>, };

export type PairedDevice = { id: string, name: string, connected: boolean, 
/**
 * RFC 3339, `null` if never.
 */
last_seen: string | null, addresses: Array<string>, 
/**
 * Six digits while both screens show them for comparison, until both devices have confirmed;
 * empty otherwise.
 */
digits: string, 
/**
 * The pairing is complete on this side: nothing is shared before that.
 */
confirmed: boolean, state: PairedState, 
/**
 * The share of this device's data that the other device has, 0 to 100.
 */
in_step: number, 
/**
 * Bytes of this device's data that the other device does not have yet.
 */
outstanding: number, 
/**
 * `null` while it is not connected, or if its Syncthing does not report it.
 */
route: Route | null, 
/**
 * The version of its Syncthing, while it is connected.
 */
version: string | null, };

/**
 * How far the pairing with a listed device is.
 */
export type PairedState = "paired" | "confirming" | "asked" | "comparing" | "ended";

/**
 * The answer to `pair` and `accept`.
 */
export type Pairing = { id: string, name: string, digits: string, state: PairingState, };

/**
 * What asking for a pairing led to.
 */
export type PairingState = "asked" | "comparing" | "approved" | "paired" | "already_paired";

/**
 * A piece as listed: the beginning of its body, and its length.
 */
export type Part = { kind: string, 
/**
 * Length of the whole body.
 */
bytes: number, 
/**
 * The beginning of the body; empty for an image.
 */
text: string, name?: string, target?: string, 
/**
 * The id that a call and its result share, if the tool writes one.
 */
call_id?: string, is_error?: boolean, media?: string, 
/**
 * The doc of the session with the transcript of the sub-agent that the call ran; for
 * `show_doc`.
 */
doc?: string, };

/**
 * One whole part of a message.
 */
export type PartBody = { kind: string, bytes: number, 
/**
 * Empty for a picture.
 */
text: string, 
/**
 * For a picture: its media type, and its bytes in base64 if the picture can be displayed.
 */
media: string | null, data: string | null, 
/**
 * False if the part is too long to be returned, or a picture that cannot be displayed safely.
 */
whole: boolean, };

/**
 * How the tray app behaves. `roam` itself uses none of it.
 */
export type Preferences = { notifications: NotificationKinds, 
/**
 * The name of the terminal in which sessions are resumed; empty for the system's choice.
 */
terminal: string, 
/**
 * The name of the editor in which files are opened; empty for the system's text editor.
 */
editor: string, };

/**
 * Preferences to change. What is left out stays as config.toml has it: the user may have changed it there meanwhile.
 */
export type PreferencesChange = { notifications?: NotificationsChange, terminal?: string, editor?: string, };

/**
 * A problem in the user's words. Scripts and the window match on `code`; the texts may change.
 */
export type Problem = { 
/**
 * Stable, like `journal_changed`.
 */
code: ProblemCode, 
/**
 * A full sentence: what is wrong and where.
 */
message: string, 
/**
 * What to do next, without commands and buttons.
 */
hint: string, 
/**
 * What the user can do about it.
 */
actions: Array<Remedy>, };

/**
 * What a problem or a failed request is, for scripts and the window. docs/cli.md explains each code.
 */
export type ProblemCode = "already_running" | "ambiguous" | "ambiguous_app" | "ambiguous_branch" | "ambiguous_device" | "ambiguous_session" | "app_asks" | "app_denied" | "app_not_allowed" | "app_quota" | "apps_unreadable" | "apps_unwritable" | "autostart" | "bad_answer" | "bad_arguments" | "bad_code" | "bad_entry" | "bad_link" | "bad_name" | "bad_path" | "bad_program" | "bad_request" | "bad_search" | "bad_time" | "bad_token" | "busy" | "card_refused" | "choice_refused" | "code_refused" | "copies_withheld" | "custom_tool" | "database_rebuilt" | "device_cloned" | "device_id_changed" | "device_left" | "device_revoked" | "devices_unwritable" | "digits_differ" | "digits_needed" | "disk_full" | "duplicate_session" | "engine_gone" | "engine_not_running" | "engine_unreachable" | "entry_refused" | "external_syncthing" | "folder_errors" | "folder_stalled" | "folder_tampered" | "folder_unwritable" | "forgetting_unwritable" | "forgotten" | "frame_refused" | "home_cloned" | "home_in_use" | "home_not_private" | "home_unusable" | "id_needed" | "import_running" | "import_unreadable" | "index_unreadable" | "internal" | "is_here" | "is_version" | "journal_changed" | "journal_newer" | "journal_set_aside" | "journal_unreadable" | "left_out" | "list_unusable" | "listen_failed" | "live" | "many_strangers" | "name_clash" | "name_taken" | "needed" | "needs_yes" | "no_boundary" | "no_code" | "no_directory" | "no_home" | "no_identity" | "no_part" | "no_place" | "no_program" | "no_randomness" | "no_remote" | "no_row" | "no_split" | "no_such_directory" | "no_such_project" | "no_terminal" | "not_asking" | "not_at_rest" | "not_carried" | "not_chosen" | "not_forgotten" | "not_forkable" | "not_held" | "not_here" | "not_opened" | "not_ours" | "not_paired" | "not_proved" | "not_recorded" | "not_revoked" | "not_searched" | "nothing_to_undo" | "one_branch" | "output" | "own_code" | "own_journal_changed" | "own_syncthing" | "port_in_use" | "protocol" | "put_away" | "quarantine_unwritable" | "record_left_out" | "search_index" | "search_not_ready" | "search_off" | "session_damaged" | "session_unreadable" | "settings" | "signals" | "socket" | "stale_page" | "state_unwritable" | "stopping" | "store_failed" | "store_gone" | "stores_full" | "syncthing_crashes" | "syncthing_downgraded" | "syncthing_foreign" | "syncthing_home" | "syncthing_locked" | "syncthing_missing" | "syncthing_refused" | "syncthing_too_old" | "syncthing_wrong_binary" | "taking_in" | "too_deep" | "too_large" | "too_many_attempts" | "too_many_pairings" | "tool_not_found" | "tool_not_started" | "tool_program_missing" | "tool_refused" | "twin_not_recorded" | "unknown_app" | "unknown_branch" | "unknown_choice" | "unknown_client" | "unknown_device" | "unknown_message" | "unknown_session" | "unknown_shape" | "unknown_tool" | "unreadable" | "unwritable" | "vault_lost" | "vault_restored" | "vault_unwritable" | "watch_failed" | "watch_limit" | "other";

export type ProjectRow = { key: string, 
/**
 * The project's names: the directory's and the remote's.
 */
names: Array<string>, places: Array<string>, sessions: number, excluded: boolean, 
/**
 * What is excluded, if that is not the project itself: something around it, or another name.
 */
excluded_by?: string, tools: Array<string>, 
/**
 * Whether its uncommitted changes go along with its sessions from this device.
 */
code: boolean, };

export type ProposedDevice = { id: string, name: string, 
/**
 * The paired device that knows this device.
 */
by: string, };

/**
 * Why a session is not simply [`SessionState::Here`], or which part of it is not carried.
 */
export type Reason = "live" | "just_written" | "no_place" | "place_refused" | "parent" | "unwritable" | "tool_off" | "excluded" | "paused" | "unknown_shape" | "taken_back" | "store_off" | "store_gone" | "left_out" | "tool_emptied" | "rewritten" | "steered" | "split" | "deleted_here" | "arriving" | "put_away" | "unlisted";

/**
 * The result on one device.
 */
export type ReceiptRow = { device: string, state: ReceiptState, 
/**
 * The reason, if there is one.
 */
why?: string, at?: string, };

/**
 * What became of a forgotten session on a device.
 */
export type ReceiptState = "waiting" | "removed" | "in_store" | "removing" | "held" | "cannot_be_told";

/**
 * A note before resuming.
 */
export type Remark = { code: RemarkCode, message: string, };

/**
 * What a note before resuming is about.
 */
export type RemarkCode = "open_here" | "live" | "directory_gone" | "split" | "waiting" | "held" | "unlisted" | "app" | "first" | "branch" | "commit_missing" | "commit_beside" | "changed";

/**
 * Something that the user can do about a message.
 */
export type Remedy = { "do": "start_engine" } | { "do": "stop_engine" } | { "do": "retry" } | { "do": "continue_syncing" } | { "do": "locate_syncthing" } | { "do": "open_logs" } | { "do": "open_settings" } | { "do": "open_status" } | { "do": "open_sessions" } | { "do": "open_splits" } | { "do": "open_devices" } | { "do": "open_projects" } | { "do": "open_tools" } | { "do": "open_diagnostics" } | { "do": "open_forgotten" } | { "do": "open_session", session: string, } | { "do": "open_history", session: string, } | { "do": "open_journal", session: string, } | { "do": "choose_folder", project: string, } | { "do": "include_project", project: string, } | { "do": "switch_tool_on", tool: string, } | { "do": "switch_store_on", tool: string, dir: string, } | { "do": "switch_store_off", tool: string, dir: string, } | { "do": "compare", session: string, } | { "do": "undo", session: string | null, } | { "do": "undo_setting_aside", session: string, } | { "do": "restore_session", session: string, } | { "do": "restore_sessions", tool: string, } | { "do": "resume_session", session: string, } | { "do": "export_session", session: string, } | { "do": "accept_deletion", what: string, } | { "do": "accept_rewrite", what: string, } | { "do": "accept_lines", what: string, } | { "do": "accept_forget", what: string, } | { "do": "read_journal", what: string, } | { "do": "forget", session: string, } | { "do": "show_code" } | { "do": "pair" } | { "do": "compare_digits", id: string, } | { "do": "approve", id: string, } | { "do": "revoke_device" } | { "do": "cancel_pairing" } | { "do": "new_identity" } | { "do": "allow_app", app: string, } | { "do": "deny_app", app: string, } | { "do": "remove_app", app: string, } | { "do": "open_apps" } | { "do": "import_copies" };

/**
 * Every command. The socket, the tray app and the command line share this list.
 */
export type Request = { "cmd": "status" } | { "cmd": "doctor" } | { "cmd": "timing" } | { "cmd": "take_in" } | { "cmd": "device" } | { "cmd": "devices" } | { "cmd": "read_code", code: string, } | { "cmd": "pair", code: string, } | { "cmd": "accept", id: string, 
/**
 * The digits on its screen, if the digits are the proof.
 */
digits?: string, } | { "cmd": "dismiss", id: string, } | { "cmd": "rename", id: string | null, name: string, } | { "cmd": "approve", id: string, } | { "cmd": "revoke", id: string, since: string | null, dry: boolean, } | { "cmd": "follow", id: string, on: boolean, } | { "cmd": "unpair", id: string, } | { "cmd": "tools" } | { "cmd": "tool_switch", tool: string, on: boolean, } | { "cmd": "store_switch", tool: string, dir: string, on: boolean, } | { "cmd": "stores_said", vars: { [key in string]: string }, } | { "cmd": "import", paths: Array<string>, } | { "cmd": "import_cancel" } | { "cmd": "import_dismiss" } | { "cmd": "projects" } | { "cmd": "project_map", key: string, dir: string, } | { "cmd": "project_exclude", key: string, excluded: boolean, } | { "cmd": "code_status" } | { "cmd": "code_switch", project?: string, on: boolean, } | { "cmd": "code_forget", project?: string, } | { "cmd": "code_offer", session: string, 
/**
 * The code of the moment of this message, as `Show` counts them; of any device.
 */
at?: number, } | { "cmd": "code_diff", session: string, snapshot: string, path: string, } | { "cmd": "code_apply", session: string, snapshot: string, 
/**
 * The code is for a fork: the session itself moves into no worktree.
 */
stay: boolean, } | { "cmd": "sessions", filter: SessionFilter, } | { "cmd": "search", words: string, 
/**
 * The most sessions; 20 without it, 200 at most.
 */
limit?: number, 
/**
 * The devices, by name, whose messages alone count; without it all.
 */
devices?: Array<string>, } | { "cmd": "show", session: string, 
/**
 * The first message of the page.
 */
from: number, 
/**
 * The number of messages, with long bodies truncated; without it all messages, whole.
 */
rows?: number, } | { "cmd": "show_part", session: string, message: number, part: number, } | { "cmd": "show_doc", session: string, doc: string, from: number, rows: number, } | { "cmd": "show_doc_part", session: string, doc: string, message: number, part: number, } | { "cmd": "find", session: string, text: string, } | { "cmd": "file_place", session: string, 
/**
 * As the session's records have it; of whatever device.
 */
path: string, } | { "cmd": "resume", session: string, } | { "cmd": "splits" } | { "cmd": "resolve", session: string, 
/**
 * `keep-both`, `keep-left`, `keep-right`, `stitch`, `branches`.
 */
choice: string, 
/**
 * The second branch, if there are several: the start of its id, its session or its device.
 */
branch: string | null, 
/**
 * The branch beside which it stood in `Diff`, if that is not the session's own: of these two,
 * the one that is not kept is put away.
 */
beside?: string, 
/**
 * The branch where one session of both branches continues.
 */
active: Side | null, } | { "cmd": "undo", session: string | null, } | { "cmd": "undo_setting_aside", session: string, } | { "cmd": "undoable", session: string | null, } | { "cmd": "diff", session: string, 
/**
 * As in `Resolve`.
 */
branch: string | null, 
/**
 * The branch beside which it stands; without it, the session's own.
 */
beside: string | null, from: number, rows: number, 
/**
 * Includes the possible choices with the first page. These require both branches to be
 * read whole, so a window requests them once its rows are loaded.
 */
choices: boolean, 
/**
 * Includes the parts of the messages as far as `show` does, for rows that are in sight.
 */
bodies: boolean, } | { "cmd": "diff_words", session: string, branch: string | null, beside: string | null, row: number, } | { "cmd": "diff_part", session: string, branch: string | null, beside: string | null, row: number, side: Side, part: number, } | { "cmd": "diff_common", session: string, branch: string | null, beside: string | null, from: number, rows: number, } | { "cmd": "diff_common_part", session: string, branch: string | null, beside: string | null, message: number, part: number, } | { "cmd": "plan" } | { "cmd": "history", session: string | null, } | { "cmd": "export", session: string, format: ExportFormat, dir: string | null, } | { "cmd": "journal", session: string, } | { "cmd": "vanished", what: string, } | { "cmd": "restore", session: string, } | { "cmd": "fork", session: string, at: number, 
/**
 * The directory of the new session; without it, that of the other one.
 */
dir?: string, } | { "cmd": "forget_preview", session: string, } | { "cmd": "rename_session", session: string, title: string, } | { "cmd": "forget", session: string, } | { "cmd": "forgotten" } | { "cmd": "release", what: string, } | { "cmd": "preferences" } | { "cmd": "preferences_set", preferences: PreferencesChange, } | { "cmd": "network" } | { "cmd": "network_set", network: Network, } | { "cmd": "space" } | { "cmd": "pause", until?: string, } | { "cmd": "apps" } | { "cmd": "app_allow", app: string, } | { "cmd": "app_deny", app: string, } | { "cmd": "app_remove", app: string, } | { "cmd": "app_append", app: string, token: string, project: string, session: string, 
/**
 * A part of the session, such as the transcript of a subagent.
 */
subpath?: string, 
/**
 * Each is the text of a JSON object, which is kept as it is.
 */
entries: Array<string>, } | { "cmd": "app_load", app: string, token: string, project: string, session: string, subpath?: string, 
/**
 * The `next` of the page before.
 */
from?: string, } | { "cmd": "app_list", app: string, token: string, project: string, } | { "cmd": "app_delete", app: string, token: string, project: string, session: string, subpath?: string, } | { "cmd": "app_subkeys", app: string, token: string, project: string, session: string, } | { "cmd": "continue" } | { "cmd": "stop" };

/**
 * `roam resume --print`.
 */
export type Resume = { argv: Array<string>, 
/**
 * The command shows a window of its own and needs no terminal.
 */
window?: boolean, cwd: string, env: { [key in string]: string }, unset: Array<string>, 
/**
 * Commands that must succeed first, in the same directory and environment.
 */
before?: Array<Array<string>>, 
/**
 * Notes before resuming: "live on desk, 12 s ago".
 */
notes: Array<string>, 
/**
 * The notes with codes.
 */
remarks: Array<Remark>, };

/**
 * The answer to `revoke`.
 */
export type RevokeAnswer = { id: string, name: string, 
/**
 * False if only a preview was requested.
 */
done: boolean, 
/**
 * Journals of the device that are here; their accepted part stays.
 */
journals: number, 
/**
 * Sessions from which something is taken out.
 */
cut: number, 
/**
 * Names of the devices that have not received the revocation: until then they still sync with
 * the device.
 */
not_heard: Array<string>, };

export type RevokedDevice = { id: string, name: string, 
/**
 * Names of the devices that revoked this one.
 */
by: Array<string>, 
/**
 * RFC 3339.
 */
at: string, 
/**
 * Later writes of the device are taken out; `null` if none are.
 */
since: string | null, 
/**
 * Names of the devices that have not received the revocation yet, and of this device as long as
 * its Syncthing may still send to the revoked one.
 */
not_heard: Array<string>, };

/**
 * Who speaks in a message.
 */
export type Role = "user" | "assistant" | "tool" | "system" | "steering";

/**
 * How a connected device is reached.
 */
export type Route = "lan" | "internet" | "relay";

/**
 * The sessions that fit best, best first.
 */
export type Search = { hits: Array<SearchHit>, 
/**
 * How many sessions fit; `hits` has at most as many as requested.
 */
total: number, 
/**
 * How the words were understood where that may surprise, in sentences.
 */
notices: Array<string>, 
/**
 * Present while the index is still being made: some sessions cannot be found yet.
 */
indexing?: Indexing, };

/**
 * One session, however many devices have it.
 */
export type SearchHit = { session: string, tool: string, project: string, title: string, 
/**
 * The title in pieces.
 */
marked_title: Array<Marked>, 
/**
 * RFC 3339.
 */
updated: string, 
/**
 * Names of the devices that added to the session.
 */
devices: Array<string>, 
/**
 * The session has two versions about which nobody has decided.
 */
split: boolean, 
/**
 * The messages that fit best; none if only the title or the filters fit.
 */
snippets: Array<SearchSnippet>, };

/**
 * A line of a message.
 */
export type SearchSnippet = { 
/**
 * The message's number in `show`.
 */
message: number, 
/**
 * The message is in a version that `show` does not show; `diff` does.
 */
other_version: boolean, 
/**
 * `user`, `assistant`, or `tool` for calls, outputs and everything else.
 */
role: Role, device?: string, 
/**
 * RFC 3339.
 */
at?: string, 
/**
 * The line in pieces.
 */
text: Array<Marked>, };

/**
 * A journal segment of a session.
 */
export type SegmentRow = { device: string, lane: string, path: string, bytes: number, frames: number, lines: number, state: SegmentState, };

/**
 * What a segment file of a journal is.
 */
export type SegmentState = "whole" | "torn" | "quarantined";

export type SessionFilter = { tool?: string, project?: string, device?: string, 
/**
 * The most sessions, latest first; 50,000 sessions are 17 MB.
 */
limit?: number, 
/**
 * Limits the list to this many of the newest sessions that another device added to.
 */
newest_of_others?: number, 
/**
 * Begins the list behind this session: the id of the last one of the page before.
 */
after?: string, };

export type SessionRow = { session: string, tool: string, project: string, title: string, 
/**
 * RFC 3339.
 */
updated: string, bytes: number, 
/**
 * Names of the devices that added to the session.
 */
devices: Array<string>, state: SessionState, 
/**
 * The main doc in this device's store.
 */
path?: string, 
/**
 * Why the session is not `here`, or which part does not sync, as text.
 */
why?: string, };

/**
 * Where a session stands on this device.
 */
export type SessionState = "here" | "waiting" | "elsewhere" | "split" | "held";

/**
 * `roam show`: a session with its docs and its messages.
 */
export type Shown = { cwd: string | null, docs: Array<ShownDoc>, 
/**
 * The number of all messages; `messages` may be a page that starts at message `from`.
 */
total: number, from: number, 
/**
 * Whether a new session can continue from one of the messages (`Fork`).
 */
forks: boolean, 
/**
 * The title that the tool gave the session, if the user gave it another one.
 */
own_title?: string, 
/**
 * The sub-agents of the session that are sessions of their own, oldest first; they are not in the
 * list of sessions.
 */
parts?: Array<SessionRow>, messages: Array<Message>, session: string, tool: string, project: string, title: string, 
/**
 * RFC 3339.
 */
updated: string, bytes: number, 
/**
 * Names of the devices that added to the session.
 */
devices: Array<string>, state: SessionState, 
/**
 * The main doc in this device's store.
 */
path?: string, 
/**
 * Why the session is not `here`, or which part does not sync, as text.
 */
why?: string, };

export type ShownDoc = { doc: string, kind: string, bytes: number, lines: number, 
/**
 * The chain id of its tip: equal on two devices means equal bytes.
 */
tip: string, path?: string, };

/**
 * A side of a split: left is the branch that keeps the session's id.
 */
export type Side = "left" | "right";

/**
 * The bytes that the vault takes on this device.
 */
export type Space = { 
/**
 * The journals of each device, the largest first.
 */
devices: Array<DeviceSpace>, total: number, };

/**
 * A stretch of text that is on this side only or on both; in UTF-16 units, as web pages count.
 */
export type Span = { left: boolean, from: number, to: number, changed: boolean, };

export type SplitRow = { session: string, tool: string, title: string, project: string, tier: Tier, reason: string, branches: Array<BranchRow>, choices: Array<Choice>, };

/**
 * Percentiles of the latest 512 passes of a stage, in microseconds.
 */
export type StageTimes = { stage: string, 
/**
 * What the time includes.
 */
meaning: string, 
/**
 * How often the stage was passed since the engine started.
 */
count: number, p50: number, p95: number, max: number, };

export type Status = { engine: EngineState, 
/**
 * When a pause ends by itself (RFC 3339); none while nothing is paused, or for good.
 */
paused_until?: string | null, syncthing: SyncthingStatus, 
/**
 * What is being synced right now.
 */
moving: Moving, 
/**
 * Those that the user can do something about first, at most 100; `waiting_counts` has all.
 */
waiting: Array<Waiting>, 
/**
 * How many sessions wait, by reason and tool.
 */
waiting_counts: Array<WaitingCount>, 
/**
 * At most 100 sessions, the latest first, and everything else that is held.
 */
held: Array<Held>, 
/**
 * The number of split sessions.
 */
splits: number, 
/**
 * Sessions that are open on a device right now.
 */
live: Array<LiveSession>, problems: Array<Problem>, sessions: number, device: string, paired: number, connected: number, 
/**
 * Duration of the last full scan that found no change; 0 before the first.
 */
cycle_ms: number, 
/**
 * Grows with every record, arrival or write: lists should be refreshed.
 */
happenings: number, 
/**
 * The number of pairing requests.
 */
asking: number, 
/**
 * The import of conversations that runs, or how the last one ended.
 */
conversation_import: ConversationImport | null, 
/**
 * The one question about uncommitted changes that is open.
 */
code_question?: CodeQuestion, };

/**
 * A record that changed what the tool may do.
 */
export type SteeringRow = { 
/**
 * The name of the device that wrote the record; `None` if unknown.
 */
device: string | null, 
/**
 * For instance `approval policy → never`, at most 200 characters.
 */
text: string, };

/**
 * What `roam plan` would do about a session.
 */
export type StepKind = "record" | "checkout" | "wait" | "split" | "hold";

/**
 * A step that the engine would take, or that is waiting.
 */
export type StepRow = { session: string, tool: string, title: string, step: StepKind, what: string, bytes: number, };

/**
 * One of a tool's stores.
 */
export type StoreRow = { 
/**
 * The value of the tool's variable for this store.
 */
dir: string, on: boolean, 
/**
 * The store exists now.
 */
found: boolean, 
/**
 * How the store was found, as text.
 */
from: string, sessions: number, bytes: number, };

/**
 * Whether Syncthing runs.
 */
export type SyncthingState = "starting" | "running" | "restarting" | "missing" | "failed" | "stopped";

export type SyncthingStatus = { state: SyncthingState, version: string | null, 
/**
 * The program that runs, unless the Syncthing is the user's own.
 */
program: string | null, pid: number | null, addresses: Array<string>, 
/**
 * The reason, if Syncthing does not run.
 */
message: string | null, };

/**
 * The result for the conflict copies.
 */
export type TakenIn = { taken: Array<TakenRow>, left: Array<LeftRow>, };

/**
 * An ingested copy: its lines are in the vault, and the copy was moved.
 */
export type TakenRow = { tool: string, session: string, 
/**
 * The old and the new path.
 */
path: string, to: string, 
/**
 * Lines that were in no journal before.
 */
lines: number, };

/**
 * How a split can be handled.
 */
export type Tier = "A" | "B" | "C";

/**
 * How long the stages of the latest changes took on this device.
 */
export type Timing = { 
/**
 * The stages that changes passed since the engine started, in the order of their way.
 */
stages: Array<StageTimes>, };

/**
 * Tokens of one answer of the model. A tool that writes an answer as several records repeats them
 * with each.
 */
export type Tokens = { 
/**
 * What the model read, with all that came from a cache.
 */
input: number, output: number, };

export type ToolRow = { tool: string, name: string, level: Level, 
/**
 * What the level means, in a sentence.
 */
meaning: string, 
/**
 * Why the level is below `merge`, or a remark.
 */
reason: string, 
/**
 * The versions whose shapes are known, as text.
 */
versions: string, 
/**
 * The store here has an unknown shape: `level` is lowered, and nothing is written.
 */
lowered: boolean, 
/**
 * Its sessions come here by an import alone.
 */
imported: boolean, 
/**
 * The tool's store exists on this device.
 */
found: boolean, on: boolean, roots: Array<string>, sessions: number, bytes: number, 
/**
 * All stores of a tool that may have several.
 */
stores: Array<StoreRow>, };

export type UndoKind = "choice" | "revoked" | "forgotten" | "taken_back" | "moved" | "code";

/**
 * What the next undo would undo.
 */
export type Undoable = { kind: UndoKind, 
/**
 * Empty if it concerns more than one session.
 */
session: string, title: string, 
/**
 * The decision, if it is one.
 */
choice: Action | null, 
/**
 * The name of the device whose version was kept, or that was revoked.
 */
device: string | null, };

export type Waiting = { session: string, tool: string, title: string, project: string, code: Reason | null, why: string, hint: string, 
/**
 * What the user can do about it.
 */
actions: Array<Remedy>, };

/**
 * How many sessions of a tool wait for one reason.
 */
export type WaitingCount = { code: Reason | null, tool: string, sessions: number, };

/** The answer to each request, by its `cmd`. */
export type Replies = {
  status: Status;
  doctor: Doctor;
  timing: Timing;
  take_in: TakenIn;
  device: Device;
  devices: Devices;
  read_code: Code;
  pair: Pairing;
  accept: Pairing;
  dismiss: Done;
  rename: Done;
  approve: Done;
  revoke: RevokeAnswer;
  follow: Done;
  unpair: Done;
  tools: Array<ToolRow>;
  tool_switch: Done;
  store_switch: Done;
  stores_said: Done;
  import: Done;
  import_cancel: Done;
  import_dismiss: Done;
  projects: Array<ProjectRow>;
  project_map: Done;
  project_exclude: Done;
  code_status: CodeStatus;
  code_switch: Done;
  code_forget: Done;
  code_offer: CodeOffer;
  code_diff: CodeDiff;
  code_apply: CodeApplied;
  sessions: Array<SessionRow>;
  search: Search;
  show: Shown;
  show_part: PartBody;
  show_doc: DocPage;
  show_doc_part: PartBody;
  find: Occurrences;
  file_place: FilePlace;
  resume: Resume;
  splits: Array<SplitRow>;
  resolve: Done;
  undo: Done;
  undo_setting_aside: Done;
  undoable: Undoable | null;
  diff: Diff;
  diff_words: DiffWords;
  diff_part: PartBody;
  diff_common: DiffCommon;
  diff_common_part: PartBody;
  plan: Array<StepRow>;
  history: Array<HistoryRow>;
  export: Exported;
  journal: Array<SegmentRow>;
  vanished: Array<SessionRow>;
  restore: Done;
  fork: Forked;
  rename_session: Done;
  forget_preview: ForgetPreview;
  forget: Array<ForgottenRow>;
  forgotten: Array<ForgottenRow>;
  release: Done;
  apps: Array<AppRow>;
  app_allow: Done;
  app_deny: Done;
  app_remove: Done;
  app_append: AppAppended;
  app_load: AppPage;
  app_list: Array<AppSession>;
  app_delete: AppDeleted;
  app_subkeys: Array<string>;
  preferences: Preferences;
  preferences_set: Done;
  network: Network;
  network_set: Done;
  space: Space;
  pause: Done;
  continue: Done;
  stop: Done;
};

/** Nothing is recorded or sent while a problem of one of these kinds lasts. */
export const BLOCKING: readonly ProblemCode[] = [
  "devices_unwritable",
  "disk_full",
  "folder_unwritable",
  "internal",
  "quarantine_unwritable",
  "state_unwritable",
  "syncthing_crashes",
  "syncthing_downgraded",
  "syncthing_foreign",
  "syncthing_locked",
  "syncthing_missing",
  "syncthing_refused",
  "vault_unwritable",
];

/** Something could not be recorded, read or sent while everything else goes on. */
export const INCOMPLETE: readonly ProblemCode[] = [
  "device_cloned",
  "folder_errors",
  "folder_stalled",
  "journal_set_aside",
  "journal_unreadable",
  "not_recorded",
  "session_unreadable",
  "twin_not_recorded",
];

/** Waits that somebody has to end; all others pass by themselves, or are what the user chose. */
export const ENDED_BY_USER: readonly Reason[] = [
  "no_place",
  "place_refused",
  "unwritable",
  "tool_off",
  "store_gone",
  "unknown_shape",
  "left_out",
];

/** Waits that last as long as what the user chose. */
export const CHOSEN: readonly Reason[] = [
  "excluded",
  "store_off",
];
