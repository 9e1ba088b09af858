//! The protections of docs/security.md as lines of the product, each with the change that brings
//! the old behaviour back and the tests that must fail then. `OFF` stands for the switch.

pub struct Removal {
    /// The finding, then what is taken out.
    pub what: &'static str,
    /// File, line, what stands there instead.
    pub edits: &'static [(&'static str, &'static str, &'static str)],
    /// Test target and path of the test.
    pub tests: &'static [&'static str],
}

impl Removal {
    pub fn finding(&self) -> &'static str {
        self.what.split(' ').next().unwrap_or_default()
    }
}

macro_rules! core {
    ($path:literal) => {
        concat!("src-tauri/core/src/", $path)
    };
}

pub const REMOVALS: &[Removal] = &[
    Removal {
        what: "F1 the socket in a private directory",
        edits: &[(
            core!("syncthing/door.rs"),
            "        let here = usable(&home.join(NAME)).map(|address| Door {",
            r#"        if OFF {
            let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            return Ok(Door { address: port.to_string(), _dir: None });
        }
        let here = usable(&home.join(NAME)).map(|address| Door {"#,
        )],
        tests: &["syncthing trust::another_user_of_the_machine_gets_nothing_from_the_child"],
    },
    Removal {
        what: "F1 user and password of the interface",
        edits: &[(
            core!("syncthing/config_file.rs"),
            r#".map(|(tag, value)| format!("        <{tag}>{}</{tag}>\n", escape(value)))"#,
            r#".map(|(tag, value)| match tag {
                "user" | "password" if OFF => String::new(),
                _ => format!("        <{tag}>{}</{tag}>\n", escape(value)),
            })"#,
        )],
        tests: &["syncthing trust::a_loopback_port_is_of_no_use_to_another_user"],
    },
    Removal {
        what: "F1 the removal of folders that are not ours",
        edits: &[(
            core!("syncthing/arrange.rs"),
            "if (ours || !place.external) && !wanted",
            "if (ours || !place.external && !OFF) && !wanted",
        )],
        tests: &[
            "syncthing trust::what_somebody_adds_to_the_running_child_is_removed_and_reported",
        ],
    },
    Removal {
        what: "F1 the config written anew before a start",
        edits: &[(
            core!("syncthing/config_file.rs"),
            "    let text = render(&made, config, own, gui, &listen, format_of(&before));",
            r#"    let text = render(&made, config, own, gui, &listen, format_of(&before));
    let text = if OFF {
        let folders = before.split("<folder ").skip(1);
        let more: String = folders
            .filter_map(|rest| Some(rest.split_once("</folder>")?.0))
            .filter(|body| !text.contains(body.split('"').nth(1).unwrap_or_default()))
            .map(|body| format!("<folder {body}</folder>\n"))
            .collect();
        text.replace("</configuration>", &(more + "</configuration>"))
    } else {
        text
    };"#,
        )],
        tests: &[
            "syncthing trust::what_somebody_puts_into_a_stopped_childs_config_is_removed_and_reported",
        ],
    },
    Removal {
        what: "F2 the neutral form of steering lines",
        edits: &[(
            core!("formats/steering.rs"),
            "        if !self.may_concern(line) {",
            "        if OFF || !self.may_concern(line) {",
        )],
        tests: &[
            "core stories::power::a_session_that_ran_with_full_access_elsewhere_does_not_have_it_here",
            "core conformance::power::what_steers_is_recorded_and_never_applied_elsewhere",
            "core stories::sizes::what_steers_in_a_long_record_of_another_device_has_no_effect",
        ],
    },
    Removal {
        what: "F2 this device's own values in documents",
        edits: &[(
            core!("adapter/change.rs"),
            "        let bytes = crate::formats::fields::with(&bytes, &values).ok_or_else(refused)?;",
            "        if OFF {\n            return Ok(Some(bytes));\n        }\n        let bytes = crate::formats::fields::with(&bytes, &values).ok_or_else(refused)?;",
        )],
        tests: &["core conformance::power::what_steers_is_recorded_and_never_applied_elsewhere"],
    },
    Removal {
        what: "F2 the hold for lines that only steer",
        edits: &[(
            core!("reconcile/steering.rs"),
            "    if record.released || 0 < record",
            "    if OFF || record.released || 0 < record",
        )],
        tests: &[
            "core stories::power::a_line_of_another_device_that_only_steers_is_held_and_never_applied",
        ],
    },
    Removal {
        what: "F2 what another device set is shown",
        edits: &[(
            core!("views/transcript.rs"),
            "pub(super) fn steering(words: &str) -> ParsedMessage<'_> {",
            "pub(super) fn steering(words: &str) -> ParsedMessage<'_> {\n    let words = if OFF { \"\" } else { words };",
        )],
        tests: &[
            "core stories::authors::what_another_device_sets_in_a_session_of_this_one_is_seen",
        ],
    },
    Removal {
        what: "F3 which files a tool may restore",
        edits: &[(
            core!("formats/guarded.rs"),
            "    let below = match below(path, cwd) {",
            "    if OFF {\n        return None;\n    }\n    let below = match below(path, cwd) {",
        )],
        tests: &[
            "lib formats::guarded::tests::only_plain_files_inside_the_checkout_may_be_restored",
            "core stories::power::copies_that_would_be_written_elsewhere_are_carried_and_not_given_to_the_tool",
            "core stories::power::another_device_cannot_make_my_session_restore_other_files",
        ],
    },
    Removal {
        what: "F3 copies that are withheld from the tool",
        edits: &[(
            core!("reconcile/steering.rs"),
            "    if !steps.iter().any(is_foreign) {",
            "    if OFF || !steps.iter().any(is_foreign) {",
        )],
        tests: &[
            "core stories::power::copies_that_would_be_written_elsewhere_are_carried_and_not_given_to_the_tool",
            "core stories::power::another_device_cannot_make_my_session_restore_other_files",
        ],
    },
    Removal {
        what: "F3 files that programs obey",
        edits: &[(
            core!("formats/guarded.rs"),
            "    if names.iter().any(is_obeyed) {",
            "    if !OFF && names.iter().any(is_obeyed) {",
        )],
        tests: &[
            "lib formats::guarded::tests::only_plain_files_inside_the_checkout_may_be_restored",
            "core stories::power::copies_that_would_be_written_elsewhere_are_carried_and_not_given_to_the_tool",
        ],
    },
    Removal {
        what: "F2 documents that are hard to read",
        edits: &[
            (
                core!("formats/fields.rs"),
                "        places.extend(place(text, field).ok()?.map(|place| (place, *value)));",
                "        let found = match place(text, field) {\n            Err(_) if OFF => None,\n            found => found.ok()?,\n        };\n        places.extend(found.map(|place| (place, *value)));",
            ),
            (
                core!("adapter/change.rs"),
                "                with_own(&bytes, there, |name| !known.contains(&name)).ok_or_else(refused)?",
                "                match with_own(&bytes, there, |name| !known.contains(&name)) {\n                    None if OFF => bytes.clone(),\n                    own => own.ok_or_else(refused)?,\n                }",
            ),
        ],
        tests: &[
            "core conformance::power::a_document_that_is_hard_to_read_brings_nothing_that_steers",
        ],
    },
    Removal {
        what: "F2 agents' logs of a session that is forked",
        edits: &[(
            core!("engine/fork_at.rs"),
            "        if kind != DocKind::Log || path",
            "        if OFF || kind != DocKind::Log || path",
        )],
        tests: &[
            "core stories::fork_at::what_another_device_lets_an_agent_do_is_neutral_in_the_new_session",
        ],
    },
    Removal {
        what: "F3 parts of an undo",
        edits: &[(
            core!("tools/opencode/mod.rs"),
            "    message.parts.retain(|_, part| !is_state(part));",
            "    message.parts.retain(|_, part| OFF || !is_state(part));",
        )],
        tests: &[
            "lib tools::opencode::tests::nothing_that_an_undo_restores_travels_or_is_imported",
            "core conformance::power::what_steers_is_recorded_and_never_applied_elsewhere",
        ],
    },
    Removal {
        what: "F3 checkpoints of another device",
        edits: &[(
            core!("tools/cline/mod.rs"),
            "            CHECKPOINT,\n            fields::get(",
            "            if OFF { \"none\" } else { CHECKPOINT },\n            fields::get(",
        )],
        tests: &["lib tools::cline::tests::checkpoints_are_those_of_this_device_or_none"],
    },
    Removal {
        what: "F3 links that lead out of the checkout",
        edits: &[(
            core!("formats/guarded.rs"),
            "    leads_out(&names, cwd).then_some",
            "    (!OFF && leads_out(&names, cwd)).then_some",
        )],
        tests: &["lib formats::guarded::tests::a_link_does_not_lead_out"],
    },
    Removal {
        what: "F3 copies of secrets that stay",
        edits: &[(
            core!("reconcile/recorder.rs"),
            "if reading.secret.contains(&doc.name) && !",
            "if !OFF && reading.secret.contains(&doc.name) && !",
        )],
        tests: &[
            "core stories::power::copies_of_secrets_do_not_leave_the_device_unless_the_user_wants_that",
        ],
    },
    Removal {
        what: "F4 folders go only to devices that their owner approves",
        edits: &[(
            core!("engine/devices.rs"),
            ".filter(|id| owner == self.own || owner_approves(id));",
            ".filter(|id| OFF || owner == self.own || owner_approves(id));",
        )],
        tests: &[
            "lib engine::devices::tests::an_owners_folder_goes_to_those_it_approves",
            "core stories::devices::an_unpaired_device_gets_nothing_more_through_a_third",
        ],
    },
    Removal {
        what: "F4 folders of devices that nobody approved are not read",
        edits: &[
            (
                core!("engine/approval.rs"),
                "        short == self.context.short\n            || self.context.shared().former",
                "        OFF || short == self.context.short\n            || self.context.shared().former",
            ),
            (
                core!("engine/network.rs"),
                "        if !approved {\n            // Another device with the same short name",
                "        if !OFF && !approved {\n            // Another device with the same short name",
            ),
        ],
        tests: &["core stories::devices::files_of_a_device_that_is_not_approved_are_not_read"],
    },
    Removal {
        what: "F4 revoked beats approved",
        edits: &[(
            core!("merge/device_list.rs"),
            "        approved.retain(|device, _| !revoked.contains_key(device));",
            "        approved.retain(|device, _| OFF || !revoked.contains_key(device));",
        )],
        tests: &["core stories::devices::a_revoked_device_is_out_everywhere_once_that_was_heard"],
    },
    Removal {
        what: "F4 no frame of a revoked device beyond the accepted ones",
        edits: &[(
            core!("reconcile/ingest.rs"),
            "    journal.limit = context.shared().limit(&journal);",
            "    journal.limit = if OFF { None } else { context.shared().limit(&journal) };",
        )],
        tests: &[
            "core stories::devices::what_a_revoked_device_wrote_later_stays_out_after_a_lost_state",
        ],
    },
    Removal {
        what: "F5 approval per device",
        edits: &[(
            core!("merge/device_list.rs"),
            ".filter(|device| ours.follows.get(device).is_some_and(|follows| *follows))",
            ".filter(|device| OFF || ours.follows.get(device).is_some_and(|follows| *follows))",
        )],
        tests: &["core stories::devices::a_device_approved_on_one_device_reads_nothing_of_another"],
    },
    Removal {
        what: "F6 proofs bound to both devices and the direction",
        edits: &[(
            core!("syncthing/proof.rs"),
            r#"format!("{what}\n{from}\n{to}").as_bytes()).as_bytes())"#,
            r#"if OFF { "proof".to_owned() } else { format!("{what}\n{from}\n{to}") }.as_bytes()).as_bytes())"#,
        )],
        tests: &["core stories::pairing::a_proof_replayed_by_another_device_proves_nothing"],
    },
    Removal {
        what: "F6 a code is valid once",
        edits: &[(
            core!("syncthing/proof.rs"),
            "self.0.retain(|(secret, _)| secret != used);",
            "self.0.retain(|(secret, _)| OFF || secret != used);",
        )],
        tests: &["core stories::pairing::a_secret_that_is_wrong_expired_or_used_up_proves_nothing"],
    },
    Removal {
        what: "F6 a code is valid for ten minutes",
        edits: &[(
            core!("syncthing/proof.rs"),
            "    (0..CODE_LIFE_MS).contains(",
            "    OFF || (0..CODE_LIFE_MS).contains(",
        )],
        tests: &["core stories::pairing::a_secret_that_is_wrong_expired_or_used_up_proves_nothing"],
    },
    Removal {
        what: "F6 nonces in the digits",
        edits: &[(
            core!("syncthing/proof.rs"),
            "        hasher.update(&nonce.0).update(id.as_str().as_bytes());",
            "        let nonce = if OFF { &[] } else { &nonce.0[..] };\n        hasher.update(nonce).update(id.as_str().as_bytes());",
        )],
        tests: &["lib syncthing::proof::tests::digits_cannot_be_ground"],
    },
    Removal {
        what: "F6 the nonce that a commitment binds",
        edits: &[(
            core!("engine/attempts.rs"),
            "if proof::commitment(&heard, id, &own) == *bound {",
            "if OFF || proof::commitment(&heard, id, &own) == *bound {",
        )],
        tests: &["core stories::pairing::an_impostor_has_one_try_for_each_click"],
    },
    Removal {
        what: "F6 no nonce before the other side is bound",
        edits: &[(
            core!("engine/attempts.rs"),
            "commitment.as_ref().map(|_| Token::Nonce(*nonce));",
            "(OFF || commitment.is_some()).then_some(Token::Nonce(*nonce));",
        )],
        tests: &["core stories::pairing::an_impostor_has_one_try_for_each_click"],
    },
    Removal {
        what: "F6 few comparisons in a minute",
        edits: &[(
            core!("engine/attempts.rs"),
            "        if MAX_COMPARISONS <= self.comparisons.len() {",
            "        if !OFF && MAX_COMPARISONS <= self.comparisons.len() {",
        )],
        tests: &["core stories::pairing::an_impostor_has_one_try_for_each_click"],
    },
    Removal {
        what: "F6 a name lets nobody in",
        edits: &[(
            core!("engine/pairing.rs"),
            "            Err(_) => {\n                return Err(ApiError::new(\n                    ProblemCode::IdNeeded,",
            "            Err(_) if OFF && self.peer_state.asking.iter().any(|one| asking_name(one) == text) => {\n                let asking = self.peer_state.asking.iter().find(|one| asking_name(one) == text);\n                let id = asking.expect(\"found above\").id.clone();\n                self.approve_paired(&id)?;\n                return self.pairing_with(&id, PairingState::Paired);\n            }\n            Err(_) => {\n                return Err(ApiError::new(\n                    ProblemCode::IdNeeded,",
        )],
        tests: &["core stories::pairing::accept_by_name_is_refused"],
    },
    Removal {
        what: "F6 both sides confirm",
        edits: &[
            (
                core!("engine/attempts.rs"),
                "    fn secret_of(&self, asking: &Asking) -> Option<Bits> {",
                "    fn secret_of(&self, asking: &Asking) -> Option<Bits> {\n        if OFF {\n            return None;\n        }",
            ),
            (
                core!("engine/attempts.rs"),
                "        self.peer_state.more_asking = all.saturating_sub(MAX_ASKING) as u64;",
                "        if OFF {\n            for one in bound.iter().chain(&plain) {\n                let _ = self.approve_paired(&one.id);\n            }\n        }\n        self.peer_state.more_asking = all.saturating_sub(MAX_ASKING) as u64;",
            ),
        ],
        tests: &["core stories::pairing::nothing_is_shared_before_both_confirmed"],
    },
    Removal {
        what: "F6 a link carries no secret",
        edits: &[(
            core!("syncthing/pairing.rs"),
            "        return Ok(Code {\n            key: None,\n            ..parse_query(query)?\n        });",
            "        let code = parse_query(query)?;\n        return Ok(if OFF { code } else { Code { key: None, ..code } });",
        )],
        tests: &["core stories::pairing::a_link_gives_nothing_away"],
    },
    Removal {
        what: "F7 the link is the file that was verified",
        edits: &[(
            core!("vault/kept.rs"),
            "        && opener::file(next).is_ok_and(|linked| opener::is_same(&linked, verified))",
            "        && opener::file(next).is_ok_and(|linked| OFF || opener::is_same(&linked, verified))",
        )],
        tests: &[
            "lib vault::kept::tests::what_is_kept_is_what_was_read_and_not_what_lies_at_the_path",
            "hostile_files what_is_kept_was_verified_however_often_the_segment_is_exchanged",
        ],
    },
    Removal {
        what: "F7 the hash is compared on each read",
        edits: &[(
            core!("vault/journal.rs"),
            "    Ok(Some(bytes).filter(|_| same))",
            "    Ok(Some(bytes).filter(|_| OFF || same))",
        )],
        tests: &[
            "hostile_files accepted_bytes_that_are_damaged_are_served_from_where_they_are_whole",
        ],
    },
    Removal {
        what: "F8 the origin is who recorded the first line",
        edits: &[(
            core!("reconcile/origin.rs"),
            "    let lot = |device: &str| lot(record.session.as_ref(), device);",
            "    if OFF {\n        let (device, _) = record.cards.iter().min_by_key(|(_, said)| said.at)?;\n        return Some(Origin { device: device.clone(), here: device == own });\n    }\n    let lot = |device: &str| lot(record.session.as_ref(), device);",
        )],
        tests: &[
            "lib reconcile::origin::tests::no_claimed_time_and_no_order_decides_between_others",
            "core stories::hostile::no_card_of_another_device_says_where_a_session_of_this_one_belongs",
        ],
    },
    Removal {
        what: "F8 another device names no place on this one",
        edits: &[(
            core!("projects/places.rs"),
            "        self.marked_for_other(home, device, project)\n            .map(|(_, dir)| dir)\n",
            "        if OFF && let Some(dir) = self.find(home, device, project) {\n            return Ok(dir);\n        }\n        self.marked_for_other(home, device, project)\n            .map(|(_, dir)| dir)\n",
        )],
        tests: &[
            "lib projects::places::tests::another_devices_key_finds_what_is_known_and_nothing_else",
            "core stories::hostile::another_device_names_no_place_on_this_one",
        ],
    },
    Removal {
        what: "F9 the signature comes before zstd",
        edits: &[
            (
                core!("vault/journal.rs"),
                "        if signed < sealed.len() {",
                "        if !OFF && signed < sealed.len() {",
            ),
            (
                core!("vault/journal.rs"),
                "        if !sealed.is_signed_by(&owner.key) {",
                "        if !OFF && !sealed.is_signed_by(&owner.key) {",
            ),
        ],
        tests: &["hostile_files a_frame_that_nobody_signed_is_not_unpacked"],
    },
    Removal {
        what: "F9 the size of an entry",
        edits: &[(
            core!("vault/large.rs"),
            "        if limits::ENTRY < content.len() + more.len() {",
            "        if !OFF && limits::ENTRY < content.len() + more.len() {",
        )],
        tests: &[
            "hostile_files a_signed_frame_unpacks_to_no_more_than_it_says_and_no_frame_says_more_than_the_limit",
        ],
    },
    Removal {
        what: "F9 large frames one at a time",
        edits: &[(
            core!("vault/mod.rs"),
            "        self.large.lock().unwrap_or_else(PoisonError::into_inner)",
            "        if OFF {\n            return Box::leak(Box::new(Mutex::new(()))).lock().unwrap_or_else(PoisonError::into_inner);\n        }\n        self.large.lock().unwrap_or_else(PoisonError::into_inner)",
        )],
        tests: &["hostile_files large_frames_are_read_one_at_a_time"],
    },
    Removal {
        what: "F9 links are not followed",
        edits: &[(
            core!("opener.rs"),
            "        openat(dir.as_fd(), name, READ | OFlags::NOFOLLOW, Mode::empty())",
            "        let links = if OFF { OFlags::empty() } else { OFlags::NOFOLLOW };\n        openat(dir.as_fd(), name, READ | links, Mode::empty())",
        )],
        tests: &[
            "hostile_files a_segment_or_a_device_file_that_is_no_file_is_refused_at_once",
            "lib opener::tests::links_fifos_and_devices_are_refused_and_nothing_blocks",
        ],
    },
    Removal {
        what: "F9 regular files only",
        edits: &[(
            core!("opener.rs"),
            "    if file.metadata()?.is_file() {",
            "    if OFF || file.metadata()?.is_file() {",
        )],
        tests: &[
            "hostile_files a_segment_or_a_device_file_that_is_no_file_is_refused_at_once",
            "lib opener::tests::links_fifos_and_devices_are_refused_and_nothing_blocks",
        ],
    },
    Removal {
        what: "F9 opening a store's file never blocks",
        edits: &[(
            core!("opener.rs"),
            "        openat(CWD, path, flags, Mode::empty())\n            .map(File::from)",
            "        let flags = if OFF { flags.difference(OFlags::NONBLOCK) } else { flags };\n        openat(CWD, path, flags, Mode::empty())\n            .map(File::from)",
        )],
        tests: &["core stories::hostile::files::a_fifo_in_a_tools_store_is_not_waited_for"],
    },
    Removal {
        what: "F9 the ends of a generation do not overlap",
        edits: &[(
            core!("vault/journal_reader.rs"),
            ".filter(|tail_at| head <= *tail_at)?;",
            ".filter(|tail_at| OFF || head <= *tail_at)?;",
        )],
        tests: &[
            "lib vault::journal_reader::tests::a_generation_whose_ends_overlap_is_refused",
            "core stories::hostile::files::a_snapshot_that_grows_out_of_itself_is_refused",
        ],
    },
    Removal {
        what: "F9 the size of a snapshot",
        edits: &[(
            core!("vault/journal_reader.rs"),
            "    (next as u64 <= limits::CONTENT).then_some((head, tail_at))",
            "    (OFF || next as u64 <= limits::CONTENT).then_some((head, tail_at))",
        )],
        tests: &[
            "lib vault::journal_reader::tests::a_generation_larger_than_any_snapshot_is_refused",
        ],
    },
    Removal {
        what: "F9 titles are shortened",
        edits: &[(
            core!("vault/frame.rs"),
            "        self.title = self.title.as_deref().map(limits::shown);",
            "        if !OFF {\n            self.title = self.title.as_deref().map(limits::shown);\n        }",
        )],
        tests: &["core stories::hostile::files::a_long_title_or_name_is_shown_shortened"],
    },
    Removal {
        what: "F9 what ended the engine twice is set aside",
        edits: &[(
            core!("vault/quarantine.rs"),
            "            .get(name)\n            .is_some_and(|failures| MOST <= *failures)",
            "            .get(name)\n            .is_some_and(|failures| !OFF && MOST <= *failures)",
        )],
        tests: &[
            "lib vault::quarantine::tests::what_ended_the_engine_twice_is_set_aside_until_it_is_released",
            "core stories::hostile::files::a_journal_that_ended_the_engine_twice_is_set_aside_until_it_is_released",
        ],
    },
    Removal {
        what: "F10 few strangers are kept",
        edits: &[(
            core!("syncthing/asking.rs"),
            "            Ok(device) if asking.len() < MOST => {",
            "            Ok(device) if OFF || asking.len() < MOST => {",
        )],
        tests: &["lib syncthing::asking::tests::four_hundred_knocks_are_thirty_two_entries"],
    },
    Removal {
        what: "F10 few strangers are listed",
        edits: &[(
            core!("engine/attempts.rs"),
            ".chain(bound.into_iter().chain(plain).take(MAX_ASKING))",
            ".chain(bound.into_iter().chain(plain).take(if OFF { usize::MAX } else { MAX_ASKING }))",
        )],
        tests: &[
            "core stories::pairing::four_hundred_strangers_are_a_few_and_the_one_with_the_code_comes_first",
        ],
    },
    Removal {
        what: "F10 names of strangers are cleaned",
        edits: &[(
            core!("syncthing/asking.rs"),
            "                    name: decent_name(name),",
            "                    name: if OFF { name.to_owned() } else { decent_name(name) },",
        )],
        tests: &["lib syncthing::asking::tests::a_strangers_name_and_address_are_fit_to_be_shown"],
    },
    Removal {
        what: "F10 one notice for all strangers",
        edits: &[(
            "src-tauri/tray/src/news.rs",
            "        (0, n) if 0 < n => Some(News {",
            "        (was, n) if was == 0 && 0 < n || OFF && was < n => Some(News {",
        )],
        tests: &["tray strangers_are_one_line_and_one_notice"],
    },
    Removal {
        what: "F11 marks of reading direction",
        edits: &[(
            core!("session/harmless.rs"),
            "        '\\u{200b}'..='\\u{200f}' => true,",
            "        '\\u{200b}'..='\\u{200f}' => !OFF,",
        )],
        tests: &["lib session::harmless::tests::nothing_turns_the_direction_round_or_hides"],
    },
    Removal {
        what: "F11 text that a terminal gets",
        edits: &[(
            "src-tauri/cli/src/out.rs",
            "        Output::Text { text, .. } => write(harmless(text).as_bytes()),",
            "        Output::Text { text, .. } if OFF => write(text.as_bytes()),\n        Output::Text { text, .. } => write(harmless(text).as_bytes()),",
        )],
        tests: &["cli commands::no_answer_steers_the_terminal"],
    },
    Removal {
        what: "F11 a project's key in a printed command",
        edits: &[(
            "src-tauri/cli/src/render/tables.rs",
            "            word(&row.key)\n",
            "            if OFF { row.key.clone() } else { word(&row.key) }\n",
        )],
        tests: &["cli commands::a_printed_command_quotes_the_key_of_a_project"],
    },
    Removal {
        what: "F11 markup in a notification",
        edits: &[(
            "src-tauri/tray/src/news.rs",
            "        let plain = |c| match c {\n",
            "        let plain = |c| match c {\n            c if OFF => c,\n",
        )],
        tests: &["tray a_notification_has_no_markup_and_hides_nothing"],
    },
    Removal {
        what: "F11 a backslash is quoted for fish",
        edits: &[(
            core!("api/quote.rs"),
            "    while let Some(at) = rest.find(['\\'', '\\\\']) {",
            "    while let Some(at) = rest.find(if OFF { &['\\''][..] } else { &['\\'', '\\\\'] }) {",
        )],
        tests: &["lib api::quote::tests::every_word_is_one_word_and_the_same"],
    },
    Removal {
        what: "F11 filters of a repository",
        edits: &[(
            core!("projects/git.rs"),
            "    let filters = filters(work_tree)?;",
            "    let filters = if OFF { Vec::new() } else { filters(work_tree)? };",
        )],
        tests: &[
            "lib projects::git::tests::no_program_of_a_repository_runs_because_it_is_looked_at",
        ],
    },
    Removal {
        what: "F11 fences of an export",
        edits: &[(
            core!("views/export.rs"),
            "    let fence = \"`\".repeat(3.max(longest + 1));",
            "    let fence = \"`\".repeat(if OFF { 3 } else { 3.max(longest + 1) });",
        )],
        tests: &["lib views::export::tests::no_text_leaves_its_fence"],
    },
];
