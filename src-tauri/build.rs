//! Embeds the window (ui/dist), the icons and the window's permissions into the tray app.

use tauri_build::{AppManifest, Attributes};

fn main() {
    // Tauri's own build step does not watch these at their paths here.
    for path in ["ui/dist", "src-tauri/capabilities", "src-tauri/permissions"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let manifest = AppManifest::new().permissions_path_pattern("src-tauri/permissions/*.toml");
    let attributes = Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/*.json")
        .app_manifest(manifest);
    tauri_build::try_build(attributes)
        .expect("tauri.conf.json, src-tauri/capabilities and ui/dist fit together");
}
