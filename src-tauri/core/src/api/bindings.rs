//! What is made from the Rust types of requests and answers: the window's types (`ui/src/backend/engine.ts`), a JSON
//! Schema (`docs/answers.schema.json`), that of the open format (`docs/open-session.schema.json`) and the tables of words
//! in `docs/cli.md`. A test fails if one of them is not what the types say; `cargo xtask docs` writes all of them.

use super::types::*;
use crate::session::{HistoryKind, ProblemCode, Reason, Role, SessionState};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use strum::{EnumMessage, VariantArray};
use ts_rs::{Config, TS, TypeVisitor};

const TYPES: &str = "../../ui/src/backend/engine.ts";
const SCHEMA: &str = "../../docs/answers.schema.json";
const PAGE: &str = "../../docs/cli.md";
/// The part of the page between these is made.
const MARKS: [&str; 2] = [
    "<!-- made from the code by `cargo xtask docs` -->\n",
    "<!-- up to here -->\n",
];
const HEAD: &str = "// Made from the types in src-tauri/core/src/api by `cargo xtask docs`; not written by hand.\n";

/// Every type that is needed, by name.
struct Types<'c> {
    config: &'c Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Types<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only types of this crate have a declaration; what is around them is spelt out.
        let name = T::name(self.config);
        let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric());
        if T::output_path().is_none() || !is_plain {
            T::visit_generics(self);
            return T::visit_dependencies(self);
        }
        if self.found.contains_key(&name) {
            return;
        }
        let about = T::docs().unwrap_or_default();
        let text = format!("{about}export {}\n", T::decl(self.config));
        self.found.insert(name, text);
        T::visit_dependencies(self);
    }
}

/// The answer to each request. A request without a line here does not compile.
macro_rules! replies {
    ($($request:ident: $reply:ty),* $(,)?) => {
        fn visit_replies(types: &mut Types<'_>) -> Vec<(&'static str, String)> {
            #[allow(dead_code)] // it only has to compile
            fn is_complete(request: &Request) {
                match request { $(Request::$request { .. } => {})* }
            }
            vec![$({
                types.visit::<$reply>();
                (stringify!($request), <$reply as TS>::name(types.config))
            }),*]
        }

        /// The schema of each answer, by command.
        fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
            let mut schemas = Map::new();
            $(schemas.insert(
                command(stringify!($request)),
                generator.subschema_for::<$reply>().to_value(),
            );)*
            schemas
        }
    };
}

replies! {
    Status: Status,
    Doctor: Doctor,
    Timing: Timing,
    TakeIn: TakenIn,
    Device: Device,
    Devices: Devices,
    ReadCode: Code,
    Pair: Pairing,
    Accept: Pairing,
    Dismiss: Done,
    Rename: Done,
    Approve: Done,
    Revoke: RevokeAnswer,
    Follow: Done,
    Unpair: Done,
    Tools: Vec<ToolRow>,
    ToolSwitch: Done,
    StoreSwitch: Done,
    StoresSaid: Done,
    Import: Done,
    ImportCancel: Done,
    ImportDismiss: Done,
    Projects: Vec<ProjectRow>,
    ProjectMap: Done,
    ProjectExclude: Done,
    CodeStatus: CodeStatus,
    CodeSwitch: Done,
    CodeForget: Done,
    CodeOffer: CodeOffer,
    CodeDiff: CodeDiff,
    CodeApply: CodeApplied,
    Sessions: Vec<SessionRow>,
    Search: Search,
    Show: Shown,
    ShowPart: PartBody,
    ShowDoc: DocPage,
    ShowDocPart: PartBody,
    Find: Occurrences,
    FilePlace: FilePlace,
    Resume: Resume,
    Splits: Vec<SplitRow>,
    Resolve: Done,
    Undo: Done,
    UndoSettingAside: Done,
    Undoable: Option<Undoable>,
    Diff: Diff,
    DiffWords: DiffWords,
    DiffPart: PartBody,
    DiffCommon: DiffCommon,
    DiffCommonPart: PartBody,
    Plan: Vec<StepRow>,
    History: Vec<HistoryRow>,
    Export: Exported,
    Journal: Vec<SegmentRow>,
    Vanished: Vec<SessionRow>,
    Restore: Done,
    Fork: Forked,
    RenameSession: Done,
    ForgetPreview: ForgetPreview,
    Forget: Vec<ForgottenRow>,
    Forgotten: Vec<ForgottenRow>,
    Release: Done,
    Apps: Vec<AppRow>,
    AppAllow: Done,
    AppDeny: Done,
    AppRemove: Done,
    AppAppend: AppAppended,
    AppLoad: AppPage,
    AppList: Vec<AppSession>,
    AppDelete: AppDeleted,
    AppSubkeys: Vec<String>,
    Preferences: Preferences,
    PreferencesSet: Done,
    Network: Network,
    NetworkSet: Done,
    Space: Space,
    Pause: Done,
    Continue: Done,
    Stop: Done,
}

/// `TakeIn` as the wire has it: `take_in`.
fn command(variant: &str) -> String {
    let mut command = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !command.is_empty() {
            command.push('_');
        }
        command.extend(letter.to_lowercase());
    }
    command
}

fn bindings() -> String {
    let config = Config::new().with_large_int("number");
    let mut types = Types {
        config: &config,
        found: BTreeMap::new(),
    };
    let replies = visit_replies(&mut types);
    types.visit::<Request>();
    types.visit::<ApiError>();
    let mut text = String::from(HEAD);
    for declared in types.found.values() {
        write!(text, "\n{declared}").expect("text");
    }
    text.push_str("\n/** The answer to each request, by its `cmd`. */\nexport type Replies = {\n");
    for (request, reply) in replies {
        writeln!(text, "  {}: {reply};", command(request)).expect("text");
    }
    text.push_str("};\n");
    for (about, name, codes) in [
        (
            "Nothing is recorded or sent while a problem of one of these kinds lasts.",
            "BLOCKING",
            ProblemCode::BLOCKING.as_slice(),
        ),
        (
            "Something could not be recorded, read or sent while everything else goes on.",
            "INCOMPLETE",
            ProblemCode::INCOMPLETE.as_slice(),
        ),
    ] {
        let lines: String = codes
            .iter()
            .map(|code| format!("  \"{}\",\n", code.as_str()))
            .collect();
        writeln!(
            text,
            "\n/** {about} */\nexport const {name}: readonly ProblemCode[] = [\n{lines}];"
        )
        .expect("text");
    }
    for (about, name, reasons) in [
        (
            "Waits that somebody has to end; all others pass by themselves, or are what the user chose.",
            "ENDED_BY_USER",
            Reason::ENDED_BY_USER.as_slice(),
        ),
        (
            "Waits that last as long as what the user chose.",
            "CHOSEN",
            Reason::CHOSEN.as_slice(),
        ),
    ] {
        let lines: String = reasons
            .iter()
            .map(|reason| format!("  \"{}\",\n", reason.as_str()))
            .collect();
        writeln!(
            text,
            "\n/** {about} */\nexport const {name}: readonly Reason[] = [\n{lines}];"
        )
        .expect("text");
    }
    text
}

/// One object of all answers by command, with the types they share.
fn schema() -> String {
    let mut generator = SchemaGenerator::default();
    let answers = schemas(&mut generator);
    let error = generator.subschema_for::<ApiError>().to_value();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers of session-roam, by command",
        "properties": answers,
        "error": error,
        "$defs": generator.take_definitions(true),
    });
    serde_json::to_string_pretty(&schema).expect("JSON") + "\n"
}

/// The words of an enum as a table.
fn table<T>(page: &mut String, heading: &str)
where
    T: VariantArray + EnumMessage + Copy + Into<&'static str>,
{
    writeln!(page, "\n### {heading}\n\n| word | meaning |\n|---|---|").expect("text");
    for word in T::VARIANTS {
        let text: &'static str = (*word).into();
        let meaning = word.get_documentation().unwrap_or_default();
        // Links of the code's own documentation lead nowhere on the page.
        let meaning = meaning.replace("[`", "`").replace("`]", "`");
        let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        let meaning = if meaning.is_empty() {
            "as it says"
        } else {
            meaning.trim_end_matches('.')
        };
        writeln!(page, "| `{text}` | {meaning} |").expect("text");
    }
}

fn tables() -> String {
    let mut page = String::new();
    table::<SessionState>(&mut page, "`state` of a session");
    table::<Reason>(&mut page, "`code` of what waits or is not carried");
    table::<HoldReason>(&mut page, "`code` of what is held");
    table::<HistoryKind>(&mut page, "`what` of the history");
    table::<EngineState>(&mut page, "`engine`");
    table::<SyncthingState>(&mut page, "`state` of Syncthing");
    table::<PairedState>(&mut page, "`state` of a paired device");
    table::<Route>(&mut page, "`route` of a paired device");
    table::<PairingState>(&mut page, "`state` of a pairing");
    table::<ReceiptState>(&mut page, "`state` of a receipt");
    table::<RemarkCode>(&mut page, "`code` of a note before resuming");
    table::<CodeState>(&mut page, "`state` of another device's code");
    table::<CodeChange>(&mut page, "`change` of a file of that code");
    table::<StepKind>(&mut page, "`step` of a plan");
    table::<LeftOutReason>(
        &mut page,
        "`code` of what lies in a store and is not carried",
    );
    table::<SegmentState>(&mut page, "`state` of a segment");
    table::<Level>(&mut page, "`level` of a tool");
    table::<Role>(&mut page, "`role` of a message");
    page.push('\n');
    page
}

/// Compares a file with what is made, or writes it if that is asked for.
fn check(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    #[allow(clippy::disallowed_methods)] // `cargo xtask docs` says so
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    // Git may have checked it out with other line ends.
    let same = made == written.replace("\r\n", "\n");
    assert!(
        same,
        "{file} is not what the types say: run `cargo xtask docs`"
    );
}

#[test]
fn the_windows_types_are_those_of_the_engine() {
    check(TYPES, &bindings());
}

#[test]
fn the_schema_is_that_of_the_answers() {
    check(SCHEMA, &schema());
}

#[test]
fn the_pages_words_are_those_of_the_types() {
    let page = include_str!("../../../../docs/cli.md").replace("\r\n", "\n");
    let [begin, end] = MARKS.map(|mark| page.find(mark).expect("the page has its marks"));
    let begin = begin + MARKS[0].len();
    check(PAGE, &[&page[..begin], &tables(), &page[end..]].concat());
}
