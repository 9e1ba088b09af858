//! The requirements of bundling beyond those of building the app.

use crate::proc;
use crate::setup::{self, Need};
use anyhow::Result;

const TO_BUNDLE: &[Need] = &[Need {
    package: "file",
    there: || proc::find("file").is_some(),
    why: "linuxdeploy, which makes AppImages, asks it about libraries",
    elsewhere: "file",
}];

/// Other systems than Linux have everything except Node.
pub fn install() -> Result<()> {
    setup::to_build_app()?;
    match cfg!(target_os = "linux") {
        true => setup::install(TO_BUNDLE),
        false => Ok(()),
    }
}
