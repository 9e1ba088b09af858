//! What is signed and with which key, as set by the environment; and what is not signed, in words.
//! Secrets stay in the environment: this file only checks that they exist.

use super::target::Target;
use serde_json::{Value, json};

#[derive(Debug, Default, PartialEq)]
pub struct Signing {
    /// Settings to merge over those of the bundle.
    pub settings: Vec<Value>,
    /// Lines for the log.
    pub said: Vec<String>,
}

/// `var` is the environment; an empty variable counts as unset, as in a workflow without that
/// secret.
pub fn signing(target: &Target, var: impl Fn(&str) -> Option<String>) -> Signing {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    let mut signing = Signing::default();
    updates(&var, &mut signing);
    if target.triple.contains("apple") {
        apple(&var, &mut signing);
    }
    if target.is_windows() {
        windows(&var, &mut signing);
    }
    signing
}

/// Updates are accepted only from the holder of this key.
fn updates(var: &impl Fn(&str) -> Option<String>, signing: &mut Signing) {
    match (var("TAURI_SIGNING_PRIVATE_KEY"), var("SESSION_ROAM_UPDATE_PUBLIC_KEY")) {
        (Some(_), Some(public)) => signing.settings.push(json!({
            "bundle": { "createUpdaterArtifacts": true },
            "plugins": { "updater": { "pubkey": public, "endpoints": [] } },
        })),
        _ => signing.said.push(
            "NOT SIGNED for updates: TAURI_SIGNING_PRIVATE_KEY and SESSION_ROAM_UPDATE_PUBLIC_KEY are not both set."
                .into(),
        ),
    }
}

/// The bundler reads these itself: with a certificate it signs; with an account it also has Apple
/// notarise the app.
fn apple(var: &impl Fn(&str) -> Option<String>, signing: &mut Signing) {
    if var("APPLE_CERTIFICATE").is_none() && var("APPLE_SIGNING_IDENTITY").is_none() {
        signing
            .said
            .push("NOT SIGNED for macOS: no APPLE_CERTIFICATE. Gatekeeper will ask before the first start.".into());
    }
    if ["APPLE_ID", "APPLE_PASSWORD", "APPLE_TEAM_ID"]
        .iter()
        .any(|name| var(name).is_none())
    {
        signing.said.push(
            "NOT NOTARISED by Apple: APPLE_ID, APPLE_PASSWORD and APPLE_TEAM_ID are not all set."
                .into(),
        );
    }
}

fn windows(var: &impl Fn(&str) -> Option<String>, signing: &mut Signing) {
    match var("WINDOWS_CERTIFICATE_THUMBPRINT") {
        Some(thumbprint) => signing.settings.push(json!({ "bundle": { "windows": {
            "certificateThumbprint": thumbprint,
            "digestAlgorithm": "sha256",
            "timestampUrl": "http://timestamp.digicert.com",
        } } })),
        None => signing.said.push(
            "NOT SIGNED for Windows: no WINDOWS_CERTIFICATE_THUMBPRINT. SmartScreen will ask before the first start."
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(triple: &str, vars: &[(&str, &str)]) -> Signing {
        let target = Target {
            triple: triple.into(),
            is_here: false,
        };
        signing(&target, |name| {
            vars.iter()
                .find(|(var, _)| *var == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_not_signed_is_said() {
        let none = on(
            "x86_64-unknown-linux-gnu",
            &[
                ("TAURI_SIGNING_PRIVATE_KEY", ""),
                ("SESSION_ROAM_UPDATE_PUBLIC_KEY", "p"),
            ],
        );
        assert!(none.settings.is_empty(), "an empty secret is none");
        assert_eq!(none.said.len(), 1);
        assert_eq!(
            on(
                "aarch64-apple-darwin",
                &[("APPLE_CERTIFICATE", "c"), ("APPLE_ID", "i")]
            )
            .said
            .len(),
            2
        );
        assert_eq!(on("x86_64-pc-windows-msvc", &[]).said.len(), 2);
    }

    #[test]
    fn no_secret_gets_into_the_settings() {
        let vars = [
            ("TAURI_SIGNING_PRIVATE_KEY", "secret"),
            ("SESSION_ROAM_UPDATE_PUBLIC_KEY", "public"),
            ("WINDOWS_CERTIFICATE_THUMBPRINT", "ab12"),
        ];
        let all = on("x86_64-pc-windows-msvc", &vars);
        assert_eq!(all.said, [""; 0]);
        let text = format!("{:?}", all.settings);
        assert!(
            text.contains("public") && text.contains("ab12") && !text.contains("secret"),
            "{text}"
        );
    }
}
