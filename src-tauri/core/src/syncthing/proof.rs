//! How two devices that do not trust each other yet prove themselves, within the only channel that
//! Syncthing offers between them: the name that each announces. Pure: knows no network and no
//! clock.
//!
//! With a code, both ends prove that they know the code's one-time secret. Without a code, both
//! commit to a random nonce, then reveal it; the digits on both screens are derived from both
//! nonces. The reasons are in docs/architecture.md, "Trust".

use super::{MAX_ANNOUNCED, announced_name};
use crate::session::{DeviceId, Millis};
use data_encoding::{BASE32_NOPAD, Encoding};
use serde::{Deserialize, Serialize};
use std::fmt;

/// 128 random bits: safe against guessing with any number of attempts.
const SIZE: usize = 16;
/// The most exchanges in one name: more do not fit into [`MAX_ANNOUNCED`].
pub const MAX_OPEN: usize = 4;
/// Bytes of the plain name before the tokens.
const MAX_NAME_BYTES: usize = 96;
const MARK: &str = " #roam1:";

/// A secret, nonce or proof of 16 bytes; as text 26 letters and digits of base32.
#[derive(Clone, Copy)]
pub struct Bits([u8; SIZE]);

impl Bits {
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; SIZE];
        getrandom::fill(&mut bits)?;
        Ok(Self(bits))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base32().decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn of(hash: [u8; 32]) -> Self {
        let mut bits = [0; SIZE];
        bits.copy_from_slice(&hash[..SIZE]);
        Self(bits)
    }
}

/// Takes constant time, wherever the two values differ.
impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        let differ = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |differ, (one, other)| differ | (one ^ other));
        std::hint::black_box(differ) == 0
    }
}

impl Eq for Bits {}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32().encode(&self.0))
    }
}

/// Keeps secrets out of logs.
impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bits(…)")
    }
}

impl Serialize for Bits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 26 characters of base32"))
    }
}

fn base32() -> Encoding {
    BASE32_NOPAD
}

/// Announced by the device on which a code was entered: proves that it knows the secret of `to`'s
/// code.
pub fn ask(secret: &Bits, from: &DeviceId, to: &DeviceId) -> Bits {
    proof(secret, "ask", from, to)
}

/// Announced by the device that showed the code, once its user has accepted the other device.
pub fn answer(secret: &Bits, from: &DeviceId, to: &DeviceId) -> Bits {
    proof(secret, "answer", from, to)
}

fn proof(secret: &Bits, what: &str, from: &DeviceId, to: &DeviceId) -> Bits {
    let key = blake3::derive_key("session-roam v1 pairing proof", &secret.0);
    Bits::of(*blake3::keyed_hash(&key, format!("{what}\n{from}\n{to}").as_bytes()).as_bytes())
}

/// Binds `from` to its nonce before it knows the nonce of `to`.
pub fn commitment(nonce: &Bits, from: &DeviceId, to: &DeviceId) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("session-roam v1 pairing commitment");
    hasher
        .update(&nonce.0)
        .update(format!("{from}\n{to}").as_bytes());
    base32().encode(hasher.finalize().as_bytes())
}

/// Six digits, equal on both screens if both use the same two devices and nonces.
pub fn digits(one: (&DeviceId, &Bits), other: (&DeviceId, &Bits)) -> String {
    let (first, second) = if one.0 <= other.0 {
        (one, other)
    } else {
        (other, one)
    };
    let mut hasher = blake3::Hasher::new_derive_key("session-roam v2 pairing digits");
    for (id, nonce) in [first, second] {
        hasher.update(&nonce.0).update(id.as_str().as_bytes());
    }
    let mut head = [0; 8];
    head.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    format!("{:06}", u64::from_be_bytes(head) % 1_000_000)
}

/// An announcement from one device to one other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Ask(Bits),
    Answer(Bits),
    Commitment(String),
    Nonce(Bits),
}

impl Token {
    fn render(&self, address: &str) -> String {
        match self {
            Self::Ask(bits) => format!("a{address}{bits}"),
            Self::Answer(bits) => format!("b{address}{bits}"),
            Self::Commitment(text) => format!("c{address}{text}"),
            Self::Nonce(bits) => format!("n{address}{bits}"),
        }
    }

    fn parse(text: &str, address: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(1)?;
        let payload = rest.strip_prefix(address)?;
        match kind {
            "a" => Bits::parse(payload).map(Self::Ask),
            "b" => Bits::parse(payload).map(Self::Answer),
            "n" => Bits::parse(payload).map(Self::Nonce),
            "c" => base32()
                .decode(payload.as_bytes())
                .ok()
                .filter(|bytes| bytes.len() == 32)
                .map(|_| Self::Commitment(payload.into())),
            _ => None,
        }
    }
}

/// The sender and receiver of a token, so that a device finds its own tokens among others. Proves
/// nothing.
fn address(from: &DeviceId, to: &DeviceId) -> String {
    let hash = blake3::derive_key(
        "session-roam v1 pairing address",
        format!("{from}\n{to}").as_bytes(),
    );
    base32().encode(&hash[..5])
}

/// The name that `from` announces, with the tokens for other devices.
pub fn announce(name: &str, from: &DeviceId, tokens: &[(DeviceId, Token)]) -> String {
    if tokens.is_empty() {
        return name.to_owned();
    }
    let end = (0..=MAX_NAME_BYTES.min(name.len()))
        .rev()
        .find(|at| name.is_char_boundary(*at))
        .unwrap_or(0);
    let tokens: Vec<String> = tokens
        .iter()
        .map(|(to, token)| token.render(&address(from, to)))
        .collect();
    let announced = format!("{}{MARK}{}", &name[..end], tokens.join(","));
    debug_assert!(
        announced.len() <= MAX_ANNOUNCED,
        "{} bytes",
        announced.len()
    );
    announced_name(&announced)
}

/// The name without its tokens.
pub fn plain_name(announced: &str) -> &str {
    announced
        .rsplit_once(MARK)
        .map_or(announced, |(name, _)| name)
}

/// The tokens from `from` to `to` in the announced name. The first of each kind counts.
pub fn heard(announced: &str, from: &DeviceId, to: &DeviceId) -> Vec<Token> {
    let Some((_, tokens)) = announced.rsplit_once(MARK) else {
        return Vec::new();
    };
    let address = address(from, to);
    tokens
        .split(',')
        .take(2 * MAX_OPEN)
        .filter_map(|token| Token::parse(token, &address))
        .collect()
}

/// How long a displayed code is valid.
pub const CODE_LIFE_MS: i64 = 10 * 60 * 1000;

/// The secrets of displayed codes that are neither used up nor expired. Kept in memory only.
#[derive(Debug, Default)]
pub struct Secrets(Vec<(Bits, Millis)>);

impl Secrets {
    /// The secret to show now and its expiry. Returns the same secret while at least half of its
    /// time is left.
    pub fn shown(&mut self, now: Millis) -> Result<(Bits, Millis), getrandom::Error> {
        self.0.retain(|(_, made)| is_fresh(*made, now));
        if let Some((secret, made)) = self
            .0
            .last()
            .filter(|(_, made)| now.0 - made.0 <= CODE_LIFE_MS / 2)
        {
            return Ok((*secret, Millis(made.0 + CODE_LIFE_MS)));
        }
        let secret = Bits::random()?;
        self.0.push((secret, now));
        Ok((secret, Millis(now.0 + CODE_LIFE_MS)))
    }

    /// The secret that `from` proves to know, if it belongs to one of this device's codes.
    pub fn proved(
        &self,
        proof: &Bits,
        from: &DeviceId,
        own: &DeviceId,
        now: Millis,
    ) -> Option<Bits> {
        let fresh = self.0.iter().filter(|(_, made)| is_fresh(*made, now));
        fresh
            .map(|(secret, _)| *secret)
            .find(|secret| ask(secret, from, own) == *proof)
    }

    /// A code is valid for one pairing.
    pub fn use_up(&mut self, used: &Bits) {
        self.0.retain(|(secret, _)| secret != used);
    }
}

/// After the clock was set back, a secret from the future is invalid.
fn is_fresh(made: Millis, now: Millis) -> bool {
    (0..CODE_LIFE_MS).contains(&(now.0.saturating_sub(made.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncthing::device_id::from_cert_der;
    use proptest::prelude::*;

    fn device(seed: u64) -> DeviceId {
        from_cert_der(&seed.to_be_bytes())
    }

    /// F6: an attacker who chooses its certificate freely, and sees the other's nonce only after
    /// fixing its own, matches the digits of two screens no more often than chance. Each attempt
    /// costs a person's click.
    #[test]
    fn digits_cannot_be_ground() {
        const ATTEMPTS: u64 = 2_000;
        let (a, b) = (device(1), device(2));
        let mut hits = 0;
        for attempt in 0..ATTEMPTS {
            // The best of many certificates by anything that depends on ids alone: here any will
            // do.
            let mallory = device(1_000 + attempt);
            let (to_a, to_b) = (bits(2 * attempt), bits(2 * attempt + 1));
            // Mallory commits before it knows either honest nonce.
            let bound = [
                commitment(&to_a, &mallory, &a),
                commitment(&to_b, &mallory, &b),
            ];
            let (of_a, of_b) = (
                Bits::random().expect("random"),
                Bits::random().expect("random"),
            );
            assert_eq!(
                bound,
                [
                    commitment(&to_a, &mallory, &a),
                    commitment(&to_b, &mallory, &b)
                ]
            );
            let (on_a, on_b) = (
                digits((&a, &of_a), (&mallory, &to_a)),
                digits((&b, &of_b), (&mallory, &to_b)),
            );
            hits += u64::from(on_a == on_b);
        }
        assert!(hits <= 2, "{hits} of {ATTEMPTS}: chance gives 0.002");
        // A nonce other than the committed one is detected.
        let (nonce, other) = (bits(7), bits(8));
        assert_ne!(commitment(&nonce, &a, &b), commitment(&other, &a, &b));
        // Ids alone decide nothing: the same two devices show different digits at each attempt.
        let shown: std::collections::BTreeSet<String> = (0..100)
            .map(|n| digits((&a, &bits(n)), (&b, &bits(1000))))
            .collect();
        assert!(
            90 < shown.len(),
            "the digits depend on the nonce: {} of 100",
            shown.len()
        );
    }

    fn bits(seed: u64) -> Bits {
        Bits::of(*blake3::hash(&seed.to_be_bytes()).as_bytes())
    }

    #[test]
    fn a_secret_is_proved_by_the_device_and_to_the_device_that_it_names_only() {
        let (a, b, other) = (device(1), device(2), device(3));
        let mut secrets = Secrets::default();
        let (secret, until) = secrets.shown(Millis(1000)).expect("random");
        assert_eq!(until, Millis(1000 + CODE_LIFE_MS));
        let proof = ask(&secret, &a, &b);
        assert_eq!(secrets.proved(&proof, &a, &b, Millis(2000)), Some(secret));
        assert_eq!(
            secrets.proved(&proof, &other, &b, Millis(2000)),
            None,
            "replayed by another device"
        );
        assert_eq!(
            secrets.proved(&proof, &a, &other, Millis(2000)),
            None,
            "replayed to another device"
        );
        assert_eq!(
            secrets.proved(&answer(&secret, &a, &b), &a, &b, Millis(2000)),
            None,
            "an answer asks nothing"
        );
        assert_eq!(
            secrets.proved(&ask(&bits(1), &a, &b), &a, &b, Millis(2000)),
            None,
            "a wrong secret"
        );
        assert_eq!(
            secrets.proved(&proof, &a, &b, Millis(999)),
            None,
            "the clock was set back"
        );
        assert_eq!(secrets.proved(&proof, &a, &b, until), None, "expired");
        secrets.use_up(&secret);
        assert_eq!(
            secrets.proved(&proof, &a, &b, Millis(2000)),
            None,
            "used up"
        );
    }

    #[test]
    fn a_code_shown_again_is_the_same_until_half_of_its_time_is_over() {
        let mut secrets = Secrets::default();
        let (first, _) = secrets.shown(Millis(0)).expect("random");
        assert_eq!(
            secrets.shown(Millis(CODE_LIFE_MS / 2)).expect("random").0,
            first
        );
        let (second, _) = secrets.shown(Millis(CODE_LIFE_MS / 2 + 1)).expect("random");
        assert_ne!(second, first);
        let (a, b) = (device(1), device(2));
        for secret in [first, second] {
            assert!(
                secrets
                    .proved(&ask(&secret, &a, &b), &a, &b, Millis(CODE_LIFE_MS - 1))
                    .is_some()
            );
        }
    }

    #[test]
    fn an_older_name_carries_nothing() {
        let (a, b) = (device(1), device(2));
        for name in [
            "desk",
            "",
            " #roam1:",
            "desk #roam1:a",
            "desk #roam1:é,,n",
            "a,b",
        ] {
            assert_eq!(heard(name, &a, &b), []);
        }
        assert_eq!(
            (plain_name("desk"), plain_name("desk #roam1:xyz")),
            ("desk", "desk")
        );
    }

    proptest! {
        #[test]
        fn a_name_carries_what_is_put_into_it(name in "\\PC{0,64}", n in 1usize..=MAX_OPEN, seed in any::<u64>()) {
            let from = device(seed);
            let to: Vec<DeviceId> = (0..n as u64).map(device).collect();
            let tokens: Vec<(DeviceId, Token)> = to.iter().flat_map(|to| {
                let nonce = bits(seed);
                let commitment = Token::Commitment(commitment(&nonce, &from, to));
                [(to.clone(), commitment), (to.clone(), Token::Nonce(nonce))]
            }).collect();
            let announced = announce(&name, &from, &tokens);
            prop_assert!(announced.len() <= MAX_ANNOUNCED);
            for to in &to {
                let mine: Vec<Token> = tokens.iter().filter(|(id, _)| id == to).map(|(_, token)| token.clone()).collect();
                prop_assert_eq!(heard(&announced, &from, to), mine);
            }
            prop_assert_eq!(heard(&announced, &from, &device(99)), []);
            prop_assert!(name.starts_with(plain_name(&announced)));
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = heard(&text, &device(1), &device(2));
            let _ = heard(&format!("x{MARK}{text}"), &device(1), &device(2));
            let _ = plain_name(&text);
            let _ = Bits::parse(&text);
        }
    }
}
