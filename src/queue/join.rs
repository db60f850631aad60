//! How a consumer becomes a member: finding or making its group, and ending the solitude of the one before.

use std::sync::Arc;

use super::create::check_name;
use super::options::{ConsumerOptions, Start};
use super::shared::{Membership, Registry, Shared};
use crate::error::JoinError;
use crate::group::{Reader, make_explicit};
use crate::layout::{Claiming, Group, Kind, MAX_NAME, Role, claim};
use crate::ring::{Ring, Span};
use crate::sync::Relaxed;
use crate::sys;

/// What a new consumer starts from.
pub(crate) struct Joined {
    pub member: Membership,
    pub reader: Reader,
    pub dead_letter: Option<String>,
}

/// Joins as the options say.
pub(crate) fn join(options: &ConsumerOptions<'_>) -> Result<Joined, JoinError> {
    check(options)?;
    let shared = &options.queue.shared;
    let registry = shared.registry()?;
    registry.recover_all();
    let kind = match (&options.group, options.lossy) {
        (_, true) => Kind::Lossy,
        (Some(_), false) => Kind::Named,
        (None, false) => Kind::Anonymous,
    };
    let existing = options
        .group
        .as_deref()
        .filter(|_| kind == Kind::Named)
        .and_then(|name| find(shared, name));
    let (row, lock) = registry.free_row()?;
    let group = match existing {
        Some(group) => {
            decide(shared, group, options)?;
            agree(shared, group, options)?;
            registry.join(row, Role::Consumer { group })?;
            group
        }
        None => make(&registry, shared, row, kind, options)?,
    };
    let dead_letter = dead_letter_of(shared, group, options)?;
    let ring = shared.ring();
    let state = ring.groups.get(group).ok_or(JoinError::Corrupt)?;
    let filtered = shared.label(group).is_some_and(|label| label.filter.len.load(Relaxed) != 0);
    let plain = kind != Kind::Lossy && !filtered && options.prefetch == 1;
    let reader =
        Reader::new(ring, (row, group, kind), state.floor(), plain, crate::sys::fork::generation());
    // An error here drops the lock byte, and the row is repaired as a dead member's.
    settle(ring, state, group, &reader).ok_or(JoinError::Corrupt)?;
    drop(registry);
    Ok(Joined { member: Membership::new(Arc::clone(shared), row, lock)?, reader, dead_letter })
}

/// Where the group's dead letters go. A path elsewhere is taken from nobody but our own application: whoever can write the file
/// could otherwise make us create files where he cannot.
fn dead_letter_of(
    shared: &Shared,
    group: usize,
    options: &ConsumerOptions<'_>,
) -> Result<Option<String>, JoinError> {
    let label = shared.label(group).ok_or(JoinError::Corrupt)?;
    let Some(name) = label.dead_letter.get().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    if options.dead_letter.as_ref() != Some(&name)
        && check_name(&name, "dead-letter queue").is_err()
    {
        return Err(JoinError::Incompatible(format!(
            "the group's dead-letter queue is the path {name:?}; say the same to agree to it"
        )));
    }
    Ok(Some(name))
}

/// Makes the group's mode fit its new member.
fn settle(ring: &Ring, state: &Group, group: usize, reader: &Reader) -> Option<()> {
    match state.mode().claiming() {
        // Anonymous and lossy groups have one member for ever: nobody else writes their words.
        Claiming::Vacant if !ring.geometry.fenced || reader.kind() != Kind::Named => {
            reader.adopt(ring, state)
        }
        Claiming::Vacant => state.set_mode(state.mode().next(Claiming::Shared)),
        Claiming::Sole(former) | Claiming::Switching(former) => {
            #[cfg(feature = "tracing")]
            tracing::debug!(group, former, "a second member: the group is shared from now on");
            make_explicit(ring, group, former, claim::TAKEN)?;
        }
        Claiming::Shared => {}
    }
    Some(())
}

fn check(options: &ConsumerOptions<'_>) -> Result<(), JoinError> {
    let invalid = |text: String| Err(JoinError::Invalid(text));
    if let Some(name) = &options.group {
        check_name(name, "group").map_err(|error| JoinError::Invalid(error.to_string()))?;
    }
    if let Some(name) = options.dead_letter.as_ref().filter(|name| name.len() > MAX_NAME) {
        return invalid(format!("dead-letter queue {name:?}: at most {MAX_NAME} bytes"));
    }
    if let Some(name) = options.dead_letter.as_ref().filter(|name| !name.contains('/')) {
        let checked = if name.is_empty() { Ok(()) } else { check_name(name, "dead-letter queue") };
        checked.map_err(|error| JoinError::Invalid(error.to_string()))?;
    }
    if let Some(filter) =
        options.filter.as_ref().filter(|filter| filter.is_empty() || filter.len() > MAX_NAME)
    {
        return invalid(format!("filter {filter:?}: 1 to {MAX_NAME} bytes"));
    }
    if let Some(count) = options.max_deliveries.filter(|count| !(1..=254).contains(count)) {
        return invalid(format!("max_deliveries {count}: use 1 to 254"));
    }
    if !(1..=1024).contains(&options.prefetch) {
        return invalid(format!("prefetch {}: use 1 to 1024", options.prefetch));
    }
    let of_group = options.max_deliveries.is_some() || options.dead_letter.is_some();
    if of_group && (options.group.is_none() || options.lossy) {
        return invalid("max_deliveries and dead_letter are settings of a named group".into());
    }
    Ok(())
}

/// The row of a named group.
pub(crate) fn find(shared: &Shared, name: &str) -> Option<usize> {
    let ring = shared.ring();
    (0..ring.groups.len()).find(|group| {
        ring.groups.get(*group).is_some_and(|row| row.kind() == Some(Kind::Named))
            && shared
                .label(*group)
                .and_then(|label| label.name.get())
                .is_some_and(|text| text == name)
    })
}

/// The group that came with the queue gets its settings from its first member.
fn decide(shared: &Shared, group: usize, options: &ConsumerOptions<'_>) -> Result<(), JoinError> {
    let label = shared.label(group).ok_or(JoinError::Corrupt)?;
    if label.undecided.load(Relaxed) == 1 {
        label.filter.set(options.filter.as_deref().unwrap_or(""));
        label.dead_letter.set(options.dead_letter.as_deref().unwrap_or(""));
        label.max_deliveries.store(options.max_deliveries.map_or(0, u64::from), Relaxed);
        // Last: who is killed before leaves the decision to the next.
        label.undecided.store(0, Relaxed);
    }
    Ok(())
}

/// A member that says something about its group says the same as the group's maker.
fn agree(shared: &Shared, group: usize, options: &ConsumerOptions<'_>) -> Result<(), JoinError> {
    let label = shared.label(group).ok_or(JoinError::Corrupt)?;
    let differs = |what: &str, is: String| {
        Err(JoinError::Incompatible(format!(
            "the group exists with {what} {is:?}; leave the option out, or drop the group first"
        )))
    };
    let filter = label.filter.get().unwrap_or_default();
    if options.filter.as_ref().is_some_and(|wanted| *wanted != filter) {
        return differs("filter", filter);
    }
    let dead_letter = label.dead_letter.get().unwrap_or_default();
    if options.dead_letter.as_ref().is_some_and(|wanted| *wanted != dead_letter) {
        return differs("dead_letter", dead_letter);
    }
    let limit = label.max_deliveries.load(Relaxed);
    if options.max_deliveries.is_some_and(|wanted| u64::from(wanted) != limit) {
        return differs("max_deliveries", limit.to_string());
    }
    Ok(())
}

/// Makes a group and its first member. The member's row comes first: if we are killed between, its repair frees the group.
fn make(
    registry: &Registry<'_>,
    shared: &Shared,
    row: usize,
    kind: Kind,
    options: &ConsumerOptions<'_>,
) -> Result<usize, JoinError> {
    let ring = shared.ring();
    let group = (0..ring.groups.len())
        .find(|group| ring.groups.get(*group).is_some_and(|row| row.kind().is_none()));
    let group = group.ok_or_else(|| {
        JoinError::Limit(format!(
            "{}: all {} groups are in use; drop one (`slipring group drop`) or create the queue with a larger max_groups",
            shared.name,
            ring.groups.len()
        ))
    })?;
    let start = starting_point(ring, options.start)?;
    if kind == Kind::Named {
        reserve_claims(shared, group)?;
        clear_claims(ring, group, start)?;
    }
    let label = shared.label(group).ok_or(JoinError::Corrupt)?;
    label.name.set(options.group.as_deref().unwrap_or(""));
    label.undecided.store(1, Relaxed);
    decide(shared, group, options)?;
    for counter in [&label.dead_lettered, &label.dropped, &label.redelivered] {
        counter.store(0, Relaxed);
    }
    registry.join(row, Role::Consumer { group })?;
    let begun = ring.activate_group(group, kind, start).ok_or(JoinError::Corrupt)?;
    if begun > start && matches!(options.start, Start::Position(_)) {
        ring.free_group(group);
        ring.release(row);
        return Err(JoinError::Lagged { earliest: begun });
    }
    Ok(group)
}

/// A group's claim words get their memory with the group, so that a full file system is an error now and not a SIGBUS later.
fn reserve_claims(shared: &Shared, group: usize) -> Result<(), JoinError> {
    let stride = shared.offsets.claims_stride as u64;
    let at = shared.offsets.claims as u64 + group as u64 * stride;
    Ok(sys::file::reserve(&shared.file, at, stride)?)
}

/// An earlier group of this row left its words. Those of positions that are still to come cannot be taken for current ones.
fn clear_claims(ring: &Ring, group: usize, start: u64) -> Result<(), JoinError> {
    let end = ring.frontier(0).ok_or(JoinError::Corrupt)?;
    let count = end.saturating_sub(start).min(ring.geometry.ring());
    for position in start..start.saturating_add(count) {
        ring.claim_word(group, position).ok_or(JoinError::Corrupt)?.store(0, Relaxed);
    }
    Ok(())
}

/// The message boundary at which a new group starts, or an observer goes on.
pub(super) fn starting_point(ring: &Ring, start: Start) -> Result<u64, JoinError> {
    let gate = || ring.control.gate.load(crate::sync::Acquire);
    match start {
        Start::Earliest => Ok(gate()),
        Start::Latest => ring.frontier(0).ok_or(JoinError::Corrupt),
        Start::Position(wanted) => {
            let earliest = gate();
            if wanted < earliest {
                return Err(JoinError::Lagged { earliest });
            }
            let mut at = earliest;
            for _ in 0..ring.patience() {
                if at >= wanted {
                    break;
                }
                let span = ring.span(at);
                // What lies below the gate may have been overwritten while we read.
                let earliest = gate();
                if earliest > wanted {
                    return Err(JoinError::Lagged { earliest });
                }
                if earliest > at {
                    at = earliest;
                    continue;
                }
                match span {
                    Span::Message { blocks, .. }
                    | Span::Pad { blocks }
                    | Span::Claimed { blocks, .. } => at = at.wrapping_add(blocks),
                    Span::Open => break,
                    Span::Passed | Span::Damaged => return Err(JoinError::Corrupt),
                }
            }
            Ok(at)
        }
    }
}

/// Drops a named group without members.
pub(crate) fn drop_group(shared: &Shared, name: &str) -> Result<(), JoinError> {
    let registry = shared.registry()?;
    registry.recover_all();
    let group = find(shared, name)
        .ok_or_else(|| JoinError::NotFound(format!("{}: no group {name:?}", shared.name)))?;
    let ring = shared.ring();
    let members = ring.consumers_of(group).count();
    if members > 0 {
        return Err(JoinError::Incompatible(format!(
            "group {name:?} has members ({members}); stop them first"
        )));
    }
    ring.free_group(group);
    drop(registry);
    shared.wake_producers_now();
    Ok(())
}
