//! The requirements of bundling beyond those of building the app.

use crate::proc;
use crate::setup::{self, Need};
use anyhow::Result;
use std::process::Command;

const TO_BUNDLE: &[Need] = &[
    Need {
        package: "libayatana-appindicator3-dev",
        there: || {
            proc::succeeds(
                Command::new("pkg-config").args(["--exists", "ayatana-appindicator3-0.1"]),
            )
        },
        why: "the bundler asks where the tray's library lies",
        elsewhere: "the development files of Ayatana AppIndicator 3",
    },
    Need {
        package: "file",
        there: || proc::find("file").is_some(),
        why: "linuxdeploy, which makes AppImages, asks it about libraries",
        elsewhere: "file",
    },
];

/// Other systems than Linux have everything except Node.
pub fn install() -> Result<()> {
    setup::to_build_app()?;
    match cfg!(target_os = "linux") {
        true => setup::install(TO_BUNDLE),
        false => Ok(()),
    }
}
