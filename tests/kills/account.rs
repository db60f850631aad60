//! The books: what the logs of all processes say together.

use super::board::{Board, Kind, NOWHERE, Record, SLOTS};
use super::load::{FAN, WORK};
use std::collections::{BTreeMap, HashMap, HashSet};

type Id = (u64, u64);

/// Sums over all checkpoints.
#[derive(Debug, Default)]
pub struct Sums {
    pub sent: u64,
    /// Cut short by a kill, and there.
    pub cut_but_there: u64,
    pub cut_and_gone: u64,
    pub aborted: u64,
    pub deliveries: u64,
    pub redeliveries: u64,
    pub acks: u64,
    /// Killed within `ack`, and not delivered again.
    pub ack_in_doubt: u64,
    pub anonymous: u64,
}

/// What the producers' logs say.
#[derive(Default)]
struct Sent {
    /// Where it is, if the call told.
    sent: HashMap<Id, u64>,
    aborted: HashSet<Id>,
    tried: HashMap<Id, u64>,
}

/// One position in one group.
#[derive(Default)]
struct History {
    holder: Option<u64>,
    acking: bool,
    acked: bool,
    deliveries: u64,
}

/// Checks the logs of a time between two checkpoints. `deaths`: the moment at which each killed process was still alive. `begin`:
/// what lies below was sent and acked before the earlier checkpoint.
pub fn check(
    board: &Board,
    deaths: &HashMap<u64, u64>,
    (begin, ahead): (u64, bool),
    sums: &mut Sums,
) {
    let mut records: Vec<Record> = (0..SLOTS).flat_map(|slot| board.records(slot)).collect();
    records.sort_by_key(|record| record.clock);
    // A new anonymous reader begins with the oldest message that is still there; a durable group never sees it again.
    let old = |record: &Record| record.kind == Kind::Got && record.position < begin;
    let back = records.iter().find(|record| old(record) && record.group <= FAN);
    assert!(back.is_none(), "acked before {begin}, then redelivered: {back:?}");
    records.retain(|record| record.group <= FAN || record.position >= begin);
    let sent = senders(&records);
    let places = places(&records);
    check_places(&sent, &places);
    check_cut_batches(&sent, &places);
    let groups = histories(&records, deaths, sums);
    for group in [WORK, FAN] {
        check_all_done(group, groups.get(&group), &sent, &places, deaths, sums);
    }
    check_order(&records, ahead);
    check_anonymous(&records, &places, sums);
    sums.sent += sent.sent.len() as u64;
    sums.aborted += sent.aborted.len() as u64;
    for id in sent.tried.keys().filter(|id| !sent.sent.contains_key(id)) {
        let there = places.values().any(|at| at == id);
        sums.cut_but_there += u64::from(there);
        sums.cut_and_gone += u64::from(!there && !sent.aborted.contains(id));
    }
}

fn senders(records: &[Record]) -> Sent {
    let mut all = Sent::default();
    for record in records {
        match record.kind {
            Kind::Try => drop(all.tried.insert(record.message, record.position)),
            Kind::Sent => {
                assert!(all.sent.insert(record.message, record.position).is_none(), "{record:?}");
            }
            Kind::Aborted => drop(all.aborted.insert(record.message)),
            _ => {}
        }
    }
    all
}

/// What lies where. All readers agree on it.
fn places(records: &[Record]) -> BTreeMap<u64, Id> {
    let mut places = BTreeMap::new();
    for record in records.iter().filter(|record| record.kind == Kind::Got) {
        let before = *places.entry(record.position).or_insert(record.message);
        assert_eq!(before, record.message, "two messages at one position: {record:?}");
    }
    places
}

/// No message is there twice, none that was given up or never sent; a producer's numbers grow with the position.
fn check_places(sent: &Sent, places: &BTreeMap<u64, Id>) {
    let mut last = HashMap::new();
    for (position, id) in places {
        assert!(sent.tried.contains_key(id), "never sent: {id:?} at {position}");
        assert!(!sent.aborted.contains(id), "given up, and there: {id:?} at {position}");
        let told = sent.sent.get(id).copied().unwrap_or(NOWHERE);
        assert!(told == NOWHERE || told == *position, "{id:?} at {position}, sent to {told}");
        let before = last.insert(id.0, id.1).unwrap_or(0);
        assert!(before < id.1, "out of order or twice: {id:?} after {before} at {position}");
    }
}

/// Of a batch all is there or nothing.
fn check_cut_batches(sent: &Sent, places: &BTreeMap<u64, Id>) {
    let there: HashSet<Id> = places.values().copied().collect();
    for (id, rest) in sent.tried.iter().filter(|(_, rest)| **rest > 1) {
        let next = (id.0, id.1 + 1);
        if sent.tried.get(&next) == Some(&(rest - 1)) {
            assert_eq!(there.contains(id), there.contains(&next), "half a batch: {id:?}");
        } else {
            assert!(!there.contains(id), "sent before it was logged: {id:?}");
        }
    }
}

/// Follows each message through each group.
fn histories(
    records: &[Record],
    deaths: &HashMap<u64, u64>,
    sums: &mut Sums,
) -> HashMap<u64, BTreeMap<u64, History>> {
    let mut groups: HashMap<u64, BTreeMap<u64, History>> = HashMap::new();
    for record in records.iter().filter(|record| record.group != 0) {
        let history = groups.entry(record.group).or_default().entry(record.position).or_default();
        match record.kind {
            Kind::Got => {
                assert!(!history.acked, "acked, then redelivered: {record:?}");
                if let Some(holder) = history.holder {
                    let died = deaths.get(&holder).is_some_and(|clock| *clock <= record.clock);
                    assert!(died, "taken from {holder}, who lives: {record:?}");
                }
                assert!(
                    record.deliveries > history.deliveries.min(254),
                    "not marked as redelivered ({} before): {record:?}",
                    history.deliveries
                );
                sums.deliveries += 1;
                sums.redeliveries += u64::from(record.deliveries > 1);
                *history = History {
                    holder: Some(record.writer),
                    deliveries: record.deliveries,
                    ..History::default()
                };
            }
            Kind::Acking => history.acking = true,
            Kind::Acked => {
                assert!(!history.acked, "acked twice: {record:?}");
                assert_eq!(history.holder, Some(record.writer), "{record:?}");
                history.acked = true;
                sums.acks += 1;
            }
            _ => history.holder = None,
        }
    }
    groups
}

/// A durable group has acked all that was sent and all that anybody saw.
fn check_all_done(
    group: u64,
    histories: Option<&BTreeMap<u64, History>>,
    sent: &Sent,
    places: &BTreeMap<u64, Id>,
    deaths: &HashMap<u64, u64>,
    sums: &mut Sums,
) {
    for (position, id) in places {
        let history = histories.and_then(|all| all.get(position));
        let Some(history) = history else { panic!("lost in group {group}: {id:?} at {position}") };
        let in_doubt = history.acking && history.holder.is_some_and(|at| deaths.contains_key(&at));
        assert!(history.acked || in_doubt, "not acked in group {group}: {id:?} at {position}");
        sums.ack_in_doubt += u64::from(!history.acked);
    }
    let there: HashSet<Id> = places.values().copied().collect();
    for (id, position) in &sent.sent {
        assert!(there.contains(id), "lost: {id:?}, sent to {position}");
    }
}

/// First deliveries to a reader come in the order of positions, unless others of its group had claimed ahead.
fn check_order(records: &[Record], ahead: bool) {
    let mut last: HashMap<(u64, u64), u64> = HashMap::new();
    for record in records.iter().filter(|record| record.kind == Kind::Got) {
        if record.deliveries > 1 || (record.group == WORK && ahead) {
            continue;
        }
        let before = last.insert((record.group, record.writer), record.position);
        assert!(
            before.is_none_or(|before| before < record.position),
            "{record:?} after {before:?}"
        );
    }
}

/// An anonymous reader misses nothing between the first and the last it saw.
fn check_anonymous(records: &[Record], places: &BTreeMap<u64, Id>, sums: &mut Sums) {
    let mut seen: HashMap<u64, HashSet<u64>> = HashMap::new();
    for record in records.iter().filter(|record| record.group > FAN) {
        seen.entry(record.group).or_default().insert(record.position);
    }
    for (group, seen) in seen {
        let first = *seen.iter().min().unwrap();
        let last = *seen.iter().max().unwrap();
        for position in places.range(first..=last).map(|(position, _)| position) {
            assert!(seen.contains(position), "reader {group} missed {position}");
        }
        sums.anonymous += seen.len() as u64;
    }
}
