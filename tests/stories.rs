//! Stories of two and three devices, in milliseconds and in one process: real engines and real
//! adapters over a transport that delivers when the story says. The behaviour of a real Syncthing
//! and the real tools is tested elsewhere.

#[path = "stories/antigravity.rs"]
mod antigravity;
#[path = "stories/apps.rs"]
mod apps;
#[path = "stories/authors.rs"]
mod authors;
#[path = "stories/bases.rs"]
mod bases;
#[path = "stories/bytes.rs"]
mod bytes;
#[path = "conformance/cases.rs"]
#[allow(dead_code)] // the conformance suite uses the rest
mod cases;
#[path = "stories/claude_desktop.rs"]
mod claude_desktop;
#[path = "stories/clones.rs"]
mod clones;
#[path = "stories/code.rs"]
mod code;
#[path = "stories/contract.rs"]
mod contract;
#[path = "stories/copilot.rs"]
mod copilot;
#[path = "stories/cursor.rs"]
mod cursor;
#[path = "stories/damaged.rs"]
mod damaged;
#[path = "stories/devices.rs"]
mod devices;
#[path = "stories/faults.rs"]
mod faults;
#[path = "stories/fixtures.rs"]
mod fixtures;
#[path = "stories/forget.rs"]
mod forget;
#[path = "stories/fork_at.rs"]
mod fork_at;
#[path = "stories/hops.rs"]
mod hops;
#[path = "stories/hostile.rs"]
mod hostile;
#[path = "stories/imported.rs"]
mod imported;
#[path = "stories/journals.rs"]
mod journals;
#[path = "stories/kiro.rs"]
mod kiro;
#[path = "stories/lists.rs"]
mod lists;
#[path = "stories/losses.rs"]
mod losses;
#[path = "stories/older_vaults.rs"]
mod older_vaults;
#[path = "stories/open_format.rs"]
mod open_format;
#[path = "stories/pairing.rs"]
mod pairing;
#[path = "stories/places.rs"]
mod places;
#[path = "stories/places_at_random.rs"]
mod places_at_random;
#[path = "stories/plans.rs"]
mod plans;
#[path = "stories/power.rs"]
mod power;
#[path = "stories/preferences.rs"]
mod preferences;
#[path = "stories/promises.rs"]
mod promises;
#[path = "stories/reading.rs"]
mod reading;
#[path = "stories/recorded.rs"]
mod recorded;
#[path = "stories/restarts.rs"]
mod restarts;
#[path = "stories/search.rs"]
mod search;
#[path = "stories/several.rs"]
mod several;
#[path = "stories/simulation/mod.rs"]
mod simulation;
#[path = "stories/sizes.rs"]
mod sizes;
#[path = "stories/splits.rs"]
mod splits;
#[path = "stories/takein.rs"]
mod takein;
#[path = "stories/taken_back.rs"]
mod taken_back;
#[path = "stories/talk.rs"]
mod talk;
#[path = "stories/twins.rs"]
mod twins;
#[path = "stories/windsurf.rs"]
mod windsurf;
#[path = "stories/wire.rs"]
mod wire;
#[path = "stories/world.rs"]
mod world;
#[path = "stories/zed.rs"]
mod zed;
