//! What is searched, and where each planted mistake must be caught.

use crate::config::{Bug, Config};

/// Three producers, two consumers, two kills: everybody comes at any time, and the ring of two blocks is full before the
/// third message, so that the gate, the floor and a second lap are part of it.
pub fn all_together() -> Config {
    Config {
        quota: &[1, 1, 1],
        consumers: 2,
        crashes: 2,
        leave: false,
        ..Config::new("3 producers, 2 consumers, 2 kills")
    }
}

/// Smaller casts, each deeper in one room of the protocol. Together with [`all_together`] a minute or two.
pub fn rooms() -> Vec<Config> {
    vec![
        Config {
            quota: &[1, 1, 1],
            observer: true,
            crashes: 2,
            ..Config::new("3 producers come and go")
        },
        Config {
            quota: &[4, 1],
            observer: true,
            crashes: 1,
            ..Config::new("alone, together, alone")
        },
        lengths("lengths, batches, padding", &[2, 2], 2),
        Config { lag: true, ..lengths("the same, tail lags", &[2, 2], 1) },
        Config { lag: true, ..close("close, tail lags", 1) },
        consumers("2 consumers, retries", 1, 2),
        Config { quits: 1, ..consumers("2 consumers hold two", 2, 1) },
        padding("padding under a reader", 2),
        close("close, with a consumer", 2),
        rejoin("rows used again", 1),
        rejoin_consumers("consumers' rows used again", 1),
    ]
}

/// What takes longer.
pub fn soak() -> Vec<Config> {
    vec![
        Config {
            leave: true,
            name: "3 producers who leave, 2 consumers, 2 kills",
            ..all_together()
        },
        Config { blocks: 4, name: "the same in a larger ring", ..all_together() },
        Config { quota: &[2, 1, 1], name: "a message more", crashes: 1, ..all_together() },
        Config { retries: 1, name: "the same with a retry", ..all_together() },
        Config {
            quota: &[2, 2, 2],
            observer: true,
            crashes: 2,
            ..Config::new("3 producers, 2 each")
        },
        lengths("3 producers, lengths and batches", &[1, 2, 1], 2),
        lengths("3 claims each of other lengths", &[3, 3], 2),
        Config { quits: 1, ..consumers("2 consumers hold two, 2 kills", 2, 2) },
        rejoin("rows used again, 2 kills", 2),
        rejoin_consumers("consumers' rows used again, 2 kills", 2),
    ]
}

/// A claim of two blocks, or of one message and then another.
fn lengths(name: &'static str, quota: &'static [u8], crashes: u8) -> Config {
    let claims = &[&[2_u8] as &[u8], &[1, 1], &[1]];
    Config { blocks: 4, quota, claims, observer: true, crashes, ..Config::new(name) }
}

fn consumers(name: &'static str, hold: u8, crashes: u8) -> Config {
    Config { quota: &[3], consumers: 2, crashes, retries: 1, hold, ..Config::new(name) }
}

fn padding(name: &'static str, crashes: u8) -> Config {
    Config { quota: &[3, 1], consumers: 1, crashes, ..Config::new(name) }
}

fn close(name: &'static str, crashes: u8) -> Config {
    Config {
        quota: &[2, 1],
        consumers: 1,
        observer: true,
        close: true,
        crashes,
        ..Config::new(name)
    }
}

fn rejoin(name: &'static str, crashes: u8) -> Config {
    Config { quota: &[2, 2], observer: true, comebacks: 1, crashes, ..Config::new(name) }
}

fn rejoin_consumers(name: &'static str, crashes: u8) -> Config {
    Config { quota: &[3], consumers: 2, comebacks: 1, crashes, ..Config::new(name) }
}

/// Claims of one block and of two by turns, the last of one.
fn one_or_two(quota: &'static [u8]) -> Config {
    Config {
        blocks: 4,
        quota,
        claims: &[&[1], &[2], &[1]],
        observer: true,
        ..Config::new("one block or two")
    }
}

/// A configuration in which this mistake must show.
pub fn caught_in(bug: Bug) -> Config {
    use Bug::*;
    let config = match bug {
        NewcomerIgnoresAnnouncement
        | NewcomerReadsBeforeMode
        | FormerDoesNotReread
        | FormerDropsClaim
        | ModeWithoutEpoch
        | FreshRowSaysZero
        | ClaimWithoutOwner
        | FloorByStore => {
            Config { quota: &[2, 1], observer: true, crashes: 1, ..Config::new("2 producers") }
        }
        HelperDoesNotRecheck => Config { crashes: 0, ..one_or_two(&[2, 1]) },
        BatchInOrder | RepairIgnoresUnstamped => {
            let claims = &[&[1_u8] as &[u8], &[1, 1]];
            Config {
                blocks: 4,
                quota: &[2, 1],
                claims,
                observer: true,
                crashes: 1,
                ..Config::new("a batch")
            }
        }
        PadFirst => Config { blocks: 2, crashes: 1, ..one_or_two(&[3]) },
        LaterLapIsFree => {
            Config { quota: &[3, 1], observer: true, ..Config::new("a slow producer") }
        }
        SoleIgnoresFloor | CasFromFirstLook => padding("padding", 1),
        RepairDoesNotPad | RepairFreesRowFirst => rejoin("rows used again", 1),
        ClaimerIgnoresClose | CloserIgnoresAnnouncement | EndBeforeClose | CloseNotFinished => {
            close("close", 1)
        }
        RepairRewindsIfFreed => consumers("2 consumers, 2 kills", 1, 2),
        FormerForgetsHolds => consumers("2 consumers hold two", 2, 1),
        ProducerDoesNotRescan
        | JoinerDoesNotReread
        | JoinerDiesConfirmed
        | ConversionSkipped
        | ConversionBeforeMode
        | ConsumerDoesNotReread
        | AckAfterFloor
        | RetryWithoutRewind
        | RepairLeavesRow
        | RepairDoesNotFree
        | SoleAmongOthers
        | RowKeepsAnnouncement
        | AckByFloor => consumers("2 consumers", 1, 1),
    };
    Config { bug: Some(bug), ..config }
}
