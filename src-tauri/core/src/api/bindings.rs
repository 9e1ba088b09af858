//! The window's types of requests and answers (`ui/src/backend/engine.ts`), made from the Rust types. A test fails if the
//! file is not what the types say; `cargo xtask docs` writes it.

use super::types::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use ts_rs::{Config, TS, TypeVisitor};

const FILE: &str = "../../ui/src/backend/engine.ts";
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
    };
}

replies! {
    Status: Status,
    Doctor: Doctor,
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
    Projects: Vec<ProjectRow>,
    ProjectMap: Done,
    ProjectExclude: Done,
    Sessions: Vec<SessionRow>,
    Show: Shown,
    ShowPart: PartBody,
    Resume: Resume,
    Splits: Vec<SplitRow>,
    Resolve: Done,
    Undo: Done,
    Diff: Diff,
    DiffWords: DiffWords,
    DiffPart: PartBody,
    DiffCommon: DiffCommon,
    DiffCommonPart: PartBody,
    Plan: Vec<StepRow>,
    History: Vec<HistoryRow>,
    Export: Exported,
    Journal: Vec<SegmentRow>,
    Restore: Done,
    ForgetPreview: ForgetPreview,
    Forget: Vec<ForgottenRow>,
    Forgotten: Vec<ForgottenRow>,
    Release: Done,
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
    text
}

#[test]
fn the_windows_types_are_those_of_the_engine() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let made = bindings();
    #[allow(clippy::disallowed_methods)] // `cargo xtask docs` says so
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &made).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        made == written,
        "ui/src/backend/engine.ts is not what the types say: run `cargo xtask docs`"
    );
}
