//! Sessions whose directory or store has changed or is ambiguous: repositories from one starter,
//! removed worktrees, renamed directories, second stores. The real Claude Code, Codex and OpenCode
//! write and resume them, the real `roam` and the real Syncthing sync them. Nothing is faked but
//! the model; what a tool knows is read from its requests, as in tests/real/clients.rs.

use serde_json::{Value, json};
use session_roam_testutils::device::{Device, PATIENCE, Resume, rows};
use session_roam_testutils::isolation::{alone, run_within, wait_for};
use session_roam_testutils::mock::context;
use session_roam_testutils::opencode;
use session_roam_testutils::story::{carried_by_roam, resumed};
use session_roam_testutils::terminal::Terminal;
use session_roam_testutils::tools::Tool;
use session_roam_testutils::transcripts::{projects, slug};
use session_roam_testutils::world::World;
use std::fs;
use std::path::{Path, PathBuf};

/// Field 03. OpenCode itself takes both for one project: it identifies a project by the oldest
/// commit.
#[test]
fn a_session_of_opencode_waits_where_only_another_repository_of_the_same_starter_is() {
    alone(|| {
        let mut devices = opencode::unpaired();
        is_of_another_repository(&devices.laptop);
        devices.meet();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let session = opencode::begin(desk, "Where is the basket?");
        waits_for_a_checkout(laptop, "opencode", &session);
        assert!(
            opencode::found(laptop, &session).is_none(),
            "it is in no store of the laptop"
        );

        let checkout = laptop.checkout.with_file_name("api");
        laptop.clone_into(&checkout, desk, API);
        let resume = opencode::carried(&session, desk, laptop);
        assert_eq!(resume.cwd, checkout);
        opencode::go_on(laptop, &resume, "And the till?");
        assert_eq!(
            mock.context_of("And the till?"),
            context(&["Where is the basket?", "And the till?"])
        );
        opencode::carried(&session, laptop, desk);
    });
}

/// Field 03.
#[test]
fn a_session_of_claude_code_waits_where_only_another_repository_of_the_same_starter_is() {
    alone(|| {
        let mut world = World::unpaired();
        is_of_another_repository(&world.laptop);
        world.meet();
        let World { desk, laptop, .. } = &world;
        let session = Tool::ClaudeCode.begin(desk, "Where is the basket?");
        waits_for_a_checkout(laptop, "claude-code", &session);
        assert!(
            Tool::ClaudeCode.file(laptop, &session).is_err(),
            "it is in no store of the laptop"
        );

        let checkout = laptop.checkout.with_file_name("api");
        laptop.clone_into(&checkout, desk, API);
        goes_on_everywhere(
            &world,
            Tool::ClaudeCode,
            &session,
            "Where is the basket?",
            [&desk.checkout, &checkout],
        );
    });
}

/// Field 01: the tool's directory of the session is named after a removed worktree.
#[test]
fn a_session_of_a_removed_worktree_opens_in_the_checkout_on_both_devices() {
    alone(|| {
        let mut world = World::unpaired();
        let tree = world.desk.checkout.with_file_name("api-fix");
        let session = begun_in_a_worktree(&world.desk, Tool::ClaudeCode, &tree);
        world.meet();
        let World { desk, laptop, .. } = &world;
        goes_on_everywhere(
            &world,
            Tool::ClaudeCode,
            &session,
            MEND,
            [&desk.checkout, &laptop.checkout],
        );
    });
}

/// Field 02: the rollout names the repository, whatever happened to the worktree.
#[test]
fn a_session_of_a_worktree_that_codex_made_and_removed_is_found_by_the_repositorys_url() {
    alone(|| {
        let mut world = World::unpaired();
        let tree = world.desk.home.join(".codex/worktrees/ab12/api");
        let session = begun_in_a_worktree(&world.desk, Tool::Codex, &tree);
        world.meet();
        let World { desk, laptop, .. } = &world;
        goes_on_everywhere(
            &world,
            Tool::Codex,
            &session,
            MEND,
            [&desk.checkout, &laptop.checkout],
        );
    });
}

/// Field 06: only the name of the tool's own directory shows where the session belongs now.
#[test]
fn a_session_of_claude_code_belongs_to_the_directory_that_its_own_was_renamed_to() {
    alone(|| {
        let mut world = World::unpaired();
        let [old, new, there] = [
            (&world.desk, "old"),
            (&world.desk, "new"),
            (&world.laptop, "new"),
        ]
        .map(|(device, name)| device.home.join("notes").join(name));
        [&old, &there]
            .into_iter()
            .for_each(|dir| fs::create_dir_all(dir).expect("a directory"));
        // A session outside any repository goes where the tool was used before.
        Tool::ClaudeCode.begin_in(&world.laptop, &there, "Of the laptop's own");
        let session = Tool::ClaudeCode.begin_in(&world.desk, &old, MEND);
        world.meet();
        let World { desk, laptop, .. } = &world;
        waits_for_a_checkout(laptop, "claude-code", &session);
        fs::rename(&old, &new).expect("renamed");
        let store = projects(desk);
        fs::rename(store.join(slug(&old)), store.join(slug(&new))).expect("renamed");
        goes_on_everywhere(&world, Tool::ClaudeCode, &session, MEND, [&new, &there]);
    });
}

/// A sibling of field 06: the checkout itself was renamed, and the tool's directory of the session
/// still has the former name.
#[test]
fn a_session_whose_checkout_was_renamed_opens_in_it_on_either_device() {
    alone(|| {
        let world = World::paired();
        let World { desk, laptop, .. } = &world;
        let session = Tool::ClaudeCode.begin(desk, MEND);
        carried_by_roam(Tool::ClaudeCode, &session, desk, laptop);
        let [there, here] = [laptop, desk].map(|device| {
            let renamed = device.checkout.with_file_name("renamed");
            fs::rename(&device.checkout, &renamed).expect("renamed");
            renamed
        });
        goes_on_everywhere(&world, Tool::ClaudeCode, &session, MEND, [&here, &there]);
    });
}

/// Field 09: the author may take back records that are the author's alone and that nobody
/// continued.
#[test]
fn an_end_that_claude_code_takes_back_is_taken_back_on_the_other_device() {
    alone(|| {
        let world = World::paired();
        let World { desk, laptop, .. } = &world;
        let session = Tool::ClaudeCode.begin(desk, MEND);
        resumed(&world, Tool::ClaudeCode, desk, &session, FOR_NOTHING);
        carried_by_roam(Tool::ClaudeCode, &session, desk, laptop);
        let file = Tool::ClaudeCode.file(desk, &session).expect("it was begun");
        let text = fs::read_to_string(&file).expect("text");
        let without_last = text.trim_end().rfind('\n').expect("several records");
        let without_turn = text[..text.find(FOR_NOTHING).expect("it was said")]
            .rfind('\n')
            .expect("several records");
        for end in [without_last, without_turn] {
            fs::write(&file, &text[..=end]).expect("written anew");
            carried_by_roam(Tool::ClaudeCode, &session, desk, laptop);
        }
        for device in [desk, laptop] {
            assert_eq!(
                device.roam(&["status"])["held"],
                json!([]),
                "on {}",
                device.name
            );
        }
        goes_on_everywhere(
            &world,
            Tool::ClaudeCode,
            &session,
            MEND,
            [&desk.checkout, &laptop.checkout],
        );
    });
}

/// Field 11: Codex opens no archived thread, so roam unarchives it first, on whichever device.
#[test]
fn an_archived_thread_of_codex_is_opened_by_roam() {
    alone(|| {
        let world = World::paired();
        let World {
            desk, laptop, mock, ..
        } = &world;
        let session = Tool::Codex.begin(desk, MEND);
        let told = run_within(
            PATIENCE,
            desk.command("codex", &["archive", &session]),
            desk.scratch(),
        );
        assert!(told.status.success(), "{}", told.told());
        let file = Tool::Codex.file(desk, &session).expect("it is somewhere");
        assert!(
            file.starts_with(desk.home.join(".codex/archived_sessions")),
            "{}",
            file.display()
        );
        carried_by_roam(Tool::Codex, &session, desk, laptop);
        let mut said = vec![MEND];
        for (from, to, prompt) in [
            (desk, laptop, "On the train"),
            (laptop, desk, "At home again"),
        ] {
            let argv = ["roam", "resume", &session].map(str::to_owned).to_vec();
            let by_roam = Resume {
                argv,
                ..Tool::Codex.resume_by_hand(&session, &to.checkout)
            };
            let mut terminal = Terminal::open(to, &by_roam);
            terminal.wait_for("Mend");
            said.push(prompt);
            let knows = terminal.enter(prompt, &format!("Codex to send {prompt:?}"), || {
                mock.heard(prompt)
            });
            terminal.leave();
            assert_eq!(knows, context(&said), "what Codex on {} knows", to.name);
            carried_by_roam(Tool::Codex, &session, to, from);
        }
    });
}

/// Field 16: the engine was started by the desktop, which does not know the variable.
#[test]
fn a_second_store_is_found_by_the_shell_that_resumes() {
    alone(|| {
        // The desk need not know the session yet.
        second_stores(|desk, session| drop(desk.end_of_roam(&["resume", session, "--print"])));
    });
}

/// Field 16.
#[test]
fn a_second_store_is_found_by_the_profile_of_the_shell() {
    alone(|| {
        second_stores(|desk, _| {
            let line = |tool: Tool| {
                format!(
                    "export {}=\"$HOME/work/{}\"\n",
                    tool.store_variable(),
                    tool.id()
                )
            };
            fs::write(desk.home.join(".bashrc"), Tool::ALL.map(line).concat()).expect("a profile");
        });
    });
}

/// A session in a second store of each tool on the desk, whose engine was started without the
/// variables.
fn second_stores(say: impl Fn(&Device, &str)) {
    let mut world = World::paired();
    for tool in Tool::ALL {
        let dir = tool.second_store(&world.desk);
        fs::create_dir_all(&dir).expect("a directory");
        world
            .desk
            .variables
            .insert(tool.store_variable().to_owned(), dir.display().to_string());
    }
    let config = Path::new("config.toml");
    let usual = world.desk.home.join(".codex").join(config);
    fs::copy(usual, Tool::Codex.second_store(&world.desk).join(config)).expect("a copy");
    let sessions = Tool::ALL.map(|tool| (tool, tool.begin(&world.desk, MEND)));
    sessions
        .iter()
        .for_each(|(_, session)| say(&world.desk, session));
    for (tool, session) in &sessions {
        carried_by_roam(*tool, session, &world.desk, &world.laptop);
    }
    world
        .desk
        .variables
        .retain(|name, _| Tool::ALL.iter().all(|tool| tool.store_variable() != name));
    for (tool, session) in &sessions {
        let file = tool.file(&world.desk, session).expect("it was begun");
        assert!(
            file.starts_with(tool.second_store(&world.desk)),
            "{}",
            file.display()
        );
        let resume = world.desk.roam(&["resume", session, "--print"]);
        let dir = tool.second_store(&world.desk).display().to_string();
        assert_eq!(resume["env"][tool.store_variable()], dir, "{resume}");
        goes_on_everywhere(
            &world,
            *tool,
            session,
            MEND,
            [&world.desk.checkout, &world.laptop.checkout],
        );
    }
}

const FOR_NOTHING: &str = "What nobody goes on with";
const MEND: &str = "Mend it beside the rest";
/// The remote of the desk's checkout.
const API: &str = "git@git.example.com:acme/api.git";

/// The laptop's clone has the same first commit, but a remote of its own.
fn is_of_another_repository(laptop: &Device) {
    laptop.git(&[
        "remote",
        "set-url",
        "origin",
        "git@git.example.com:acme/blog.git",
    ]);
}

fn waits_for_a_checkout(device: &Device, tool: &str, session: &str) {
    wait_for(
        &format!("{} to say that {session} waits", device.name),
        PATIENCE,
        || {
            let row = device.session(tool, session)?;
            assert_ne!(row["state"], "here", "there is no checkout of it: {row}");
            let status = device.roam(&["status"]);
            let waits = |row: &Value| row["code"] == "no_place" || row["code"] == "place_refused";
            if row["state"] == "waiting" && rows(&status["waiting"]).any(waits) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        },
    );
}

/// A session in a worktree of the desk's repository, which is removed before any engine has seen
/// it.
fn begun_in_a_worktree(desk: &Device, tool: Tool, tree: &Path) -> String {
    let dir = tree.to_str().expect("UTF-8");
    desk.git(&["worktree", "add", "--quiet", "-b", "fix", dir]);
    let session = tool.begin_in(desk, tree, MEND);
    desk.git(&["worktree", "remove", dir]);
    session
}

/// The tool resumes the session on the laptop and then on the desk, in these directories and with
/// everything from `said`, which was said on the desk.
fn goes_on_everywhere(
    world: &World,
    tool: Tool,
    session: &str,
    said: &str,
    [here, there]: [&PathBuf; 2],
) {
    let World {
        desk, laptop, mock, ..
    } = world;
    let (on_laptop, on_desk) = ("And on the train", "And at home again");
    let resume = carried_by_roam(tool, session, desk, laptop);
    assert_eq!(resume.cwd, *there, "{tool:?} on the laptop");
    tool.go_on(laptop, &resume, on_laptop).expect("it goes on");
    assert_eq!(
        mock.context_of(on_laptop),
        context(&[said, on_laptop]),
        "what {tool:?} on the laptop knows"
    );
    let resume = carried_by_roam(tool, session, laptop, desk);
    assert_eq!(resume.cwd, *here, "{tool:?} on the desk");
    assert_eq!(
        resumed(world, tool, desk, session, on_desk),
        context(&[said, on_laptop, on_desk])
    );
    carried_by_roam(tool, session, desk, laptop);
}
