//! All that can happen in a simulation, and how a seed becomes a course of happenings. Numbers are
//! taken modulo the number of things that exist at the time, so any happening may be left out and
//! the rest still makes sense.

use super::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Claude,
    Codex,
}

/// The kinds of writes of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A question with its answer.
    Turn,
    /// A question; its answer is another write, here or nowhere.
    Prompt,
    Answer,
    /// The model calls a tool; the result is another write.
    Call,
    Result,
    /// The beginning of a line.
    Half,
    /// The user went back some records and asks something else.
    Rewind,
    Compact,
    /// A note of the tool that is not part of the conversation.
    Note,
    /// A line in a subagent's log.
    Subagent,
    /// The list of todos, rewritten.
    Todos,
}

/// Whether and how the engine is notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Not,
    /// The engine is notified; the work is still to be done.
    Queued,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Between two steps.
    Idle,
    /// A reconcile is done, but the loop never gets its result.
    Looked,
    /// The same, and only the first part of the new records reached the disk, in 256ths.
    Torn(u8),
    /// In addition, `state.sqlite` is lost.
    StateLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Approve,
    Unapprove,
    Revoke,
    // A session that is forgotten everywhere belongs beside these.
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A session begins.
    Begin {
        device: usize,
        kind: Kind,
        heard: Heard,
    },
    /// A session is opened; the tool holds it until it is closed.
    Open {
        device: usize,
        session: usize,
        notes: bool,
        heard: Heard,
    },
    /// A tool writes: one that has the session open, otherwise one that opens and closes it unseen.
    Write {
        device: usize,
        session: usize,
        what: What,
        heard: Heard,
    },
    /// A window is closed; or its process dies, and its mark stays.
    Close {
        device: usize,
        window: usize,
        dies: bool,
        heard: Heard,
    },
    /// The user's own tool removes the last lines of the session.
    Cut {
        device: usize,
        session: usize,
        lines: usize,
    },
    /// The session is deleted from this device's store: all of it, or the part that the tool's own
    /// list shows.
    Delete {
        device: usize,
        session: usize,
        all: bool,
    },
    Restore {
        device: usize,
        session: usize,
    },
    /// The user decides about a split that is listed here.
    Resolve {
        device: usize,
        split: usize,
        choice: usize,
        branch: usize,
    },
    /// The user wants the session gone everywhere.
    Forget {
        device: usize,
        session: usize,
    },
    /// The user undoes the last decision.
    Undo {
        device: usize,
    },
    /// A number of steps of the engine's work.
    Work {
        device: usize,
        pieces: usize,
    },
    Poll {
        device: usize,
    },
    Crash {
        device: usize,
        how: Crash,
    },
    /// The device is switched off, or on again.
    Switch {
        device: usize,
    },
    Clock {
        device: usize,
        minutes: i64,
    },
    /// The user approves another device again, stops syncing with it, or revokes it everywhere.
    Trust {
        device: usize,
        of: usize,
        how: Trust,
    },
    Part {
        way: usize,
    },
    Meet {
        way: usize,
    },
    /// Some of the files are delivered in one direction; their arrival is announced later.
    Carry {
        way: usize,
        pick: u8,
    },
    /// One arrival is announced; it may be announced again.
    Tell {
        which: usize,
        again: bool,
    },
    Deliver,
}

/// The number of devices, and the happenings.
pub struct Course {
    pub devices: usize,
    /// In the end the tools return to the sessions in which a process died in the middle of a line.
    pub tools_come_back: bool,
    pub happenings: Vec<Happening>,
}

impl Course {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let devices = dice.weighted(&[(6, 3), (2, 4), (1, 5)]);
        let length = 8 + dice.below(56);
        let mood = Mood::roll(&mut dice);
        let tools_come_back = dice.below(2) == 0;
        let happenings = (0..length)
            .map(|_| one(&mut dice, &mood, devices))
            .collect();
        Self {
            devices,
            tools_come_back,
            happenings,
        }
    }
}

/// The weights of one course: a rare event that happens in every course hides what happens without
/// it.
struct Mood {
    cuts: usize,
    deletes: usize,
    crashes: usize,
    clocks: usize,
    side_docs: usize,
    choices: usize,
    forgets: usize,
    trust: usize,
}

impl Mood {
    fn roll(dice: &mut Dice) -> Self {
        Self {
            cuts: dice.weighted(&[(5, 0), (1, 2)]),
            deletes: dice.weighted(&[(4, 0), (1, 2)]),
            crashes: dice.weighted(&[(1, 0), (2, 3), (1, 8)]),
            clocks: dice.weighted(&[(1, 0), (1, 3)]),
            side_docs: dice.weighted(&[(2, 0), (1, 4)]),
            choices: dice.weighted(&[(1, 0), (1, 3)]),
            forgets: dice.weighted(&[(3, 0), (1, 2)]),
            trust: dice.weighted(&[(2, 0), (1, 3)]),
        }
    }
}

#[derive(Clone, Copy)]
enum Face {
    Begin,
    Open,
    Write,
    Close,
    Cut,
    Delete,
    Restore,
    Resolve,
    Forget,
    Undo,
    Work,
    Poll,
    Crash,
    Switch,
    Clock,
    Trust,
    Part,
    Meet,
    Carry,
    Tell,
    Deliver,
}

fn one(dice: &mut Dice, mood: &Mood, devices: usize) -> Happening {
    let device = dice.below(devices);
    let (session, way) = (dice.below(64), dice.below(64));
    match dice.weighted(&[
        (2, Face::Begin),
        (5, Face::Open),
        (24, Face::Write),
        (5, Face::Close),
        (mood.cuts, Face::Cut),
        (mood.deletes, Face::Delete),
        (mood.deletes, Face::Restore),
        (2 * mood.choices, Face::Resolve),
        (mood.forgets, Face::Forget),
        (mood.choices, Face::Undo),
        (4, Face::Work),
        (3, Face::Poll),
        (mood.crashes, Face::Crash),
        (2, Face::Switch),
        (mood.clocks, Face::Clock),
        (mood.trust, Face::Trust),
        (5, Face::Part),
        (5, Face::Meet),
        (10, Face::Carry),
        (8, Face::Tell),
        (8, Face::Deliver),
    ]) {
        Face::Begin => Happening::Begin {
            device,
            kind: kind(dice),
            heard: heard(dice),
        },
        Face::Open => Happening::Open {
            device,
            session,
            notes: dice.below(2) == 0,
            heard: heard(dice),
        },
        Face::Write => Happening::Write {
            device,
            session,
            what: what(dice, mood),
            heard: heard(dice),
        },
        Face::Close => Happening::Close {
            device,
            window: session,
            dies: dice.below(4) == 0,
            heard: heard(dice),
        },
        Face::Cut => Happening::Cut {
            device,
            session,
            lines: 1 + dice.below(3),
        },
        Face::Delete => Happening::Delete {
            device,
            session,
            all: dice.below(2) == 0,
        },
        Face::Restore => Happening::Restore { device, session },
        Face::Resolve => Happening::Resolve {
            device,
            split: session,
            choice: dice.below(5),
            branch: way,
        },
        Face::Forget => Happening::Forget { device, session },
        Face::Undo => Happening::Undo { device },
        Face::Work => Happening::Work {
            device,
            pieces: 1 + dice.below(3),
        },
        Face::Poll => Happening::Poll { device },
        Face::Crash => Happening::Crash {
            device,
            how: crash(dice),
        },
        Face::Switch => Happening::Switch { device },
        Face::Clock => Happening::Clock {
            device,
            minutes: dice.below(6001) as i64 - 3000,
        },
        Face::Trust => Happening::Trust {
            device,
            of: session,
            how: trust(dice),
        },
        Face::Part => Happening::Part { way },
        Face::Meet => Happening::Meet { way },
        Face::Carry => Happening::Carry {
            way,
            pick: dice.roll() as u8,
        },
        Face::Tell => Happening::Tell {
            which: way,
            again: dice.below(3) == 0,
        },
        Face::Deliver => Happening::Deliver,
    }
}

fn trust(dice: &mut Dice) -> Trust {
    dice.weighted(&[
        (2, Trust::Approve),
        (1, Trust::Unapprove),
        (2, Trust::Revoke),
    ])
}

fn kind(dice: &mut Dice) -> Kind {
    dice.weighted(&[(2, Kind::Claude), (1, Kind::Codex)])
}

fn heard(dice: &mut Dice) -> Heard {
    dice.weighted(&[(2, Heard::Not), (1, Heard::Queued), (4, Heard::Done)])
}

fn what(dice: &mut Dice, mood: &Mood) -> What {
    dice.weighted(&[
        (8, What::Turn),
        (3, What::Prompt),
        (2, What::Answer),
        (2, What::Call),
        (2, What::Result),
        (2, What::Half),
        (3, What::Rewind),
        (1, What::Compact),
        (4, What::Note),
        (mood.side_docs, What::Subagent),
        (mood.side_docs, What::Todos),
    ])
}

fn crash(dice: &mut Dice) -> Crash {
    let cut = dice.roll() as u8;
    dice.weighted(&[
        (2, Crash::Idle),
        (2, Crash::Looked),
        (2, Crash::Torn(cut)),
        (1, Crash::StateLost),
    ])
}
