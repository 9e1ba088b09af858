//! Pairings under way: what each device announces to the other until both are sure, step by step.
//! The announcements and their proofs are in `syncthing/proof.rs`; this file keeps the steps, and
//! nothing else decides that a device is let in.
//!
//! A step is saved in devices.json before it is announced, so that a restart in between continues
//! it.

use super::Engine;
use super::devices::{Attempt, DeviceRegistry, Paired, Step};
use crate::api::types::ApiError;
use crate::merge::Statement;
use crate::session::{DeviceId, Millis, Problem, ProblemCode, Remedy, decent_name};
use crate::syncthing::Asking;
use crate::syncthing::proof::{self, Bits, Token};
use std::collections::BTreeMap;

/// An unfinished attempt ends after this time: longer than a code is valid, so that the side that
/// entered the code still listens when the other user agrees at the last moment.
pub const ATTEMPT_LIFE_MS: i64 = 15 * 60 * 1000;
/// The most comparisons in one minute. Each gives an impostor one chance in a million.
const MAX_COMPARISONS: usize = 5;
/// The most unknown devices to keep and list; devices that know this device's code always are.
pub const MAX_ASKING: usize = 8;

impl Attempt {
    pub fn is_open(&self) -> bool {
        !matches!(self.step, Step::Ended { .. })
    }

    fn tokens(&self, own: &DeviceId, other: &DeviceId) -> Vec<Token> {
        match &self.step {
            Step::Asking { proof, .. } => vec![Token::Ask(*proof)],
            Step::Answering { answer } => vec![Token::Answer(*answer)],
            Step::Comparing {
                nonce, commitment, ..
            } => {
                let bound = Token::Commitment(proof::commitment(nonce, own, other));
                // No device learns the nonce before it is bound to its own.
                let revealed = commitment.as_ref().map(|_| Token::Nonce(*nonce));
                std::iter::once(bound).chain(revealed).collect()
            }
            Step::Ended { .. } => Vec::new(),
        }
    }

    /// The number of the latest announcement for the other device while this one waits for its
    /// answer.
    fn awaits(&self) -> Option<u64> {
        match &self.step {
            Step::Asking { .. } => Some(1),
            Step::Comparing {
                theirs: None,
                commitment,
                ..
            } => Some(2 + u64::from(commitment.is_some())),
            _ => None,
        }
    }

    fn ended(&mut self) {
        let spoiled = match &mut self.step {
            Step::Comparing {
                commitment,
                spoiled,
                ..
            } => commitment.take().or(spoiled.take()),
            Step::Ended { spoiled } => spoiled.take(),
            _ => None,
        };
        self.step = Step::Ended { spoiled };
    }
}

impl Paired {
    /// The digits both screens show, once both nonces are known.
    pub fn digits(&self, own: &DeviceId) -> Option<String> {
        match &self.attempt.as_ref()?.step {
            Step::Comparing {
                nonce,
                theirs: Some(theirs),
                ..
            } => Some(proof::digits((own, nonce), (&self.id, theirs))),
            _ => None,
        }
    }
}

/// What this device announces, and to which devices it must be announced again.
pub fn announcement(
    registry: &DeviceRegistry,
    name: &str,
    own: &DeviceId,
) -> (String, BTreeMap<DeviceId, u64>) {
    let open = || {
        registry
            .paired
            .iter()
            .filter_map(|paired| Some((&paired.id, paired.attempt.as_ref()?)))
    };
    let tokens: Vec<(DeviceId, Token)> = open()
        .flat_map(|(id, attempt)| {
            attempt
                .tokens(own, id)
                .into_iter()
                .map(|token| (id.clone(), token))
        })
        .collect();
    let again = open()
        .filter_map(|(id, attempt)| Some((id.clone(), attempt.awaits()?)))
        .collect();
    (proof::announce(name, own, &tokens), again)
}

impl Engine {
    /// Takes the devices that ask. Only a few that do not know this device's code are kept.
    pub(super) fn knocked(&mut self, asking: Vec<Asking>) {
        for one in &asking {
            self.hear(&one.id, &one.announced);
        }
        let (proved, others): (Vec<_>, Vec<_>) = asking
            .into_iter()
            .partition(|one| self.secret_of(one).is_some());
        let (bound, plain): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|one| self.offers_digits(one));
        let all = bound.len() + plain.len();
        self.peer_state.more_asking = all.saturating_sub(MAX_ASKING) as u64;
        self.peer_state.asking = proved
            .into_iter()
            .chain(bound.into_iter().chain(plain).take(MAX_ASKING))
            .collect();
    }

    /// A device in the registry connected and announced this.
    pub(super) fn greeted_by(&mut self, device: &DeviceId, announced: &str) {
        if !self.registry.is_paired(device) {
            return;
        }
        self.peer_state
            .greeted
            .insert(device.clone(), announced.to_owned());
        self.hear(device, announced);
    }

    /// Processes a device's tokens: here a pairing advances.
    fn hear(&mut self, id: &DeviceId, announced: &str) {
        let own = self.context.device.clone();
        let tokens = proof::heard(announced, id, &own);
        if tokens.is_empty() {
            return;
        }
        let now = self.context.clock.now();
        for token in tokens {
            let Some(paired) = self
                .registry
                .paired
                .iter_mut()
                .find(|paired| paired.id == *id)
            else {
                return;
            };
            let confirmed = paired.confirmed;
            let Some(attempt) = &mut paired.attempt else {
                // The device lost its data, or was set up anew, and its user entered this device's
                // code there.
                if let (true, Token::Ask(proof)) = (confirmed, &token) {
                    self.answer_proved(id, proof, now);
                }
                continue;
            };
            match (&mut attempt.step, token) {
                (Step::Asking { answer, .. }, Token::Answer(heard)) if *answer == heard => {
                    let approved = self.approve_paired(id);
                    self.settle(id, approved);
                }
                // Both users entered the code that the other device shows: both agreed.
                (Step::Asking { .. }, Token::Ask(proof)) => self.answer_proved(id, &proof, now),
                (_, Token::Ask(proof)) if confirmed => self.answer_proved(id, &proof, now),
                (
                    Step::Comparing {
                        commitment,
                        theirs,
                        spoiled,
                        ..
                    },
                    Token::Commitment(heard),
                ) => {
                    if spoiled.as_ref() == Some(&heard) || commitment.as_ref() == Some(&heard) {
                        continue;
                    }
                    match commitment {
                        None => *commitment = Some(heard),
                        // The device has seen this one's nonce: it could have chosen any new
                        // commitment to match.
                        Some(_) if !confirmed => {
                            *theirs = None;
                            attempt.ended();
                        }
                        Some(_) => {}
                    }
                    self.attempts_changed();
                }
                (
                    Step::Comparing {
                        commitment: Some(bound),
                        theirs: theirs @ None,
                        ..
                    },
                    Token::Nonce(heard),
                ) => {
                    if proof::commitment(&heard, id, &own) == *bound {
                        *theirs = Some(heard);
                    } else {
                        attempt.ended();
                    }
                    self.attempts_changed();
                }
                _ => {}
            }
        }
    }

    fn answer_proved(&mut self, id: &DeviceId, proof: &Bits, now: Millis) {
        if let Some(secret) = self.secrets.proved(proof, id, &self.context.device, now) {
            let approved = self.let_in(id, &secret);
            self.report_refusal(approved);
        }
    }

    /// The device answered with the right proof: the attempt is over, unless saving the approval
    /// failed.
    fn settle(&mut self, id: &DeviceId, approved: Result<(), ApiError>) {
        if approved.is_ok() {
            self.row_of(id).attempt = None;
            self.attempts_changed();
        }
        self.report_refusal(approved);
    }

    fn report_refusal(&mut self, approved: Result<(), ApiError>) {
        let problem = approved.err().map(Problem::from);
        self.set_problem("pairing", problem);
    }

    /// The device proved that it knows this secret, and the user wants to let it in.
    pub(super) fn let_in(&mut self, id: &DeviceId, secret: &Bits) -> Result<(), ApiError> {
        self.refuse_revoked(id)?;
        let begun = self.context.clock.now();
        let step = Step::Answering {
            answer: proof::answer(secret, &self.context.device, id),
        };
        let since = self.last_presence_at(id);
        let row = self.row_of(id);
        row.attempt = Some(Attempt { begun, step });
        row.since = row.since.max(since);
        self.approve_paired(id)?;
        self.secrets.use_up(secret);
        Ok(())
    }

    /// The secret of this device's code that the device proves to know.
    pub(super) fn secret_known_to(&self, id: &DeviceId) -> Option<Bits> {
        let asking = self
            .peer_state
            .asking
            .iter()
            .find(|asking| asking.id == *id);
        let announced = asking
            .map(|asking| &asking.announced)
            .or_else(|| self.peer_state.greeted.get(id))?;
        self.secret_in(id, announced)
    }

    fn secret_of(&self, asking: &Asking) -> Option<Bits> {
        self.secret_in(&asking.id, &asking.announced)
    }

    fn secret_in(&self, id: &DeviceId, announced: &str) -> Option<Bits> {
        let (own, now) = (&self.context.device, self.context.clock.now());
        proof::heard(announced, id, own)
            .iter()
            .find_map(|token| match token {
                Token::Ask(proof) => self.secrets.proved(proof, id, own, now),
                _ => None,
            })
    }

    /// Whether the device asks to compare digits.
    pub(super) fn offers_digits(&self, asking: &Asking) -> bool {
        let tokens = proof::heard(&asking.announced, &asking.id, &self.context.device);
        tokens
            .iter()
            .any(|token| matches!(token, Token::Commitment(_)))
    }

    /// Whether a device that asks has begun a pairing. One that only connects was told to by its
    /// user, who approved this device there.
    pub(super) fn begins_pairing(&self, id: &DeviceId) -> bool {
        let asking = self
            .peer_state
            .asking
            .iter()
            .find(|asking| asking.id == *id);
        let heard = |asking: &Asking| proof::heard(&asking.announced, id, &self.context.device);
        asking.is_some_and(|asking| !heard(asking).is_empty())
    }

    /// Begins to ask a device whose code was entered here.
    pub(super) fn ask_with(&mut self, id: &DeviceId, secret: &Bits) -> Result<(), ApiError> {
        self.check_room(id)?;
        let own = self.context.device.clone();
        let (proof, answer) = (
            proof::ask(secret, &own, id),
            proof::answer(secret, id, &own),
        );
        self.begin(id, Step::Asking { proof, answer });
        Ok(())
    }

    /// Begins to compare digits with a device.
    pub(super) fn compare_with(&mut self, id: &DeviceId) -> Result<(), ApiError> {
        self.check_room(id)?;
        let now = self.context.clock.now();
        self.comparisons
            .retain(|at| (0..60_000).contains(&(now.0.saturating_sub(at.0))));
        if MAX_COMPARISONS <= self.comparisons.len() {
            return Err(ApiError::new(
                ProblemCode::TooManyAttempts,
                "Digits were compared too often within a minute.",
                "Wait a minute, or use the code of the other device.",
            )
            .offer(Remedy::Pair));
        }
        let nonce = random()?;
        self.comparisons.push(now);
        let spoiled = match self
            .registry
            .paired
            .iter_mut()
            .find(|paired| paired.id == *id)
            .and_then(|row| row.attempt.as_mut())
        {
            Some(attempt) => {
                attempt.ended();
                match &mut attempt.step {
                    Step::Ended { spoiled } => spoiled.take(),
                    _ => None,
                }
            }
            None => None,
        };
        self.begin(
            id,
            Step::Comparing {
                nonce,
                commitment: None,
                theirs: None,
                spoiled,
            },
        );
        Ok(())
    }

    /// Checks for room: more exchanges at once do not fit into a name.
    fn check_room(&self, id: &DeviceId) -> Result<(), ApiError> {
        let is_open = |paired: &&Paired| {
            paired.id != *id && paired.attempt.as_ref().is_some_and(Attempt::is_open)
        };
        if self.registry.paired.iter().filter(is_open).count() < proof::MAX_OPEN {
            return Ok(());
        }
        Err(ApiError::new(
            ProblemCode::TooManyPairings,
            format!("{} pairings are already in progress.", proof::MAX_OPEN),
            "Finish or cancel one of them.",
        )
        .offer(Remedy::CancelPairing))
    }

    fn begin(&mut self, id: &DeviceId, step: Step) {
        let (begun, since) = (self.context.clock.now(), self.last_presence_at(id));
        // A goodbye that is still on its way is cancelled; statements up to now belong to an
        // earlier pairing.
        self.leaving.remove(id);
        let row = self.row_of(id);
        row.attempt = Some(Attempt { begun, step });
        row.since = row.since.max(since);
        // The awaited token may be in what the device announced before this began.
        let asking = self
            .peer_state
            .asking
            .iter()
            .find(|asking| asking.id == *id);
        let announced = asking
            .map(|asking| asking.announced.clone())
            .or_else(|| self.peer_state.greeted.get(id).cloned());
        if let Some(announced) = announced {
            self.hear(id, &announced);
        }
        self.attempts_changed();
    }

    /// Returns the device's row in the registry; adds one if it is missing.
    fn row_of(&mut self, id: &DeviceId) -> &mut Paired {
        let at = match self
            .registry
            .paired
            .iter()
            .position(|paired| paired.id == *id)
        {
            Some(at) => at,
            None => {
                let asking = self
                    .peer_state
                    .asking
                    .iter()
                    .find(|asking| asking.id == *id);
                let name = asking.map(asking_name).unwrap_or_else(|| unnamed(id));
                self.registry.paired.push(Paired {
                    id: id.clone(),
                    name,
                    addresses: Vec::new(),
                    confirmed: false,
                    since: self
                        .peer_state
                        .presences
                        .get(&id.short())
                        .map(|presence| presence.at)
                        .unwrap_or_default(),
                    attempt: None,
                    follow: false,
                });
                self.registry.paired.len() - 1
            }
        };
        &mut self.registry.paired[at]
    }

    /// The pairing with this device is complete on this side: from now on folders are shared with
    /// it. Only this function decides that. Devices that it approves are approved here too if the
    /// user chose that before.
    pub(super) fn approve_paired(&mut self, id: &DeviceId) -> Result<(), ApiError> {
        self.refuse_revoked(id)?;
        let name = self.row_of(id).name.clone();
        self.declare_approved(id, &name)?;
        if self.row_of(id).follow {
            self.declare(vec![Statement::Follow { device: id.clone() }])?;
        }
        let row = self.row_of(id);
        (row.confirmed, row.follow) = (true, false);
        self.registry.parted.retain(|parted| parted != id);
        self.peer_state.asking.retain(|asking| asking.id != *id);
        let short = id.short();
        self.set_problem(&format!("left {short}"), None);
        self.context.change().names.entry(short).or_insert(name);
        self.publish_presence();
        self.attempts_changed();
        Ok(())
    }

    /// The digits on the two screens differ, or an attempt failed.
    pub(super) fn end_attempt(&mut self, id: &DeviceId) {
        if let Some(attempt) = self
            .registry
            .paired
            .iter_mut()
            .find(|row| row.id == *id)
            .and_then(|row| row.attempt.as_mut())
        {
            attempt.ended();
        }
        self.attempts_changed();
    }

    /// A device whose own card lists this one has let it in: nothing more needs to be proved to it.
    pub(super) fn heard_in_full(&mut self, id: &DeviceId) {
        let row = self
            .registry
            .paired
            .iter_mut()
            .find(|row| row.id == *id && row.confirmed && row.attempt.is_some());
        if let Some(row) = row {
            row.attempt = None;
            self.attempts_changed();
        }
    }

    /// Ends attempts that took too long.
    pub(super) fn end_old_attempts(&mut self) {
        let now = self.context.clock.now();
        let mut changed = false;
        for paired in &mut self.registry.paired {
            let Some(attempt) = &mut paired.attempt else {
                continue;
            };
            let age = now.0.saturating_sub(attempt.begun.0);
            if attempt.is_open() && !(0..ATTEMPT_LIFE_MS).contains(&age) {
                attempt.ended();
                changed = true;
            }
            if paired.confirmed && !paired.attempt.as_ref().is_some_and(Attempt::is_open) {
                paired.attempt = None;
                changed = true;
            }
        }
        if changed {
            self.attempts_changed();
        }
    }

    /// Saves, then announces, the steps for devices that are not paired yet.
    pub(super) fn attempts_changed(&mut self) {
        self.save_registry();
        self.announce_attempts();
        self.arrange();
    }

    pub(super) fn announce_attempts(&mut self) {
        let (called, again) = announcement(&self.registry, &self.name, &self.context.device);
        if self.announced_name.as_ref() != Some(&called) {
            self.transport.set_announced_name(called.clone());
            self.announced_name = Some(called);
        }
        self.transport.reconnect_until_named(again);
    }
}

/// A name for an asking device, made safe to show: the device chose it itself.
pub fn asking_name(asking: &Asking) -> String {
    let name = decent_name(proof::plain_name(&asking.announced));
    if name.is_empty() {
        unnamed(&asking.id)
    } else {
        name
    }
}

pub fn unnamed(id: &DeviceId) -> String {
    id.as_str().chars().take(7).collect()
}

pub fn random() -> Result<Bits, ApiError> {
    Bits::random().map_err(no_randomness)
}

pub fn no_randomness(error: getrandom::Error) -> ApiError {
    ApiError::new(
        ProblemCode::NoRandomness,
        format!("The system gave no random bytes: {error}."),
        "",
    )
    .offer(Remedy::Retry)
}
