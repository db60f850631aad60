//! Figures of a queue, read from shared memory while others work: each is right for some moment, not all for the same.

use super::Queue;
use super::shared::Shared;
use crate::layout::{Kind, Role};
use crate::ring::{Ring, Span};
use crate::sync::{Acquire, Relaxed};

/// A queue's figures.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct QueueStats {
    /// The name or path it was opened by.
    pub name: String,
    /// The queue's random id.
    pub id: u128,
    /// Bytes of payload that the ring holds.
    pub capacity: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Bytes of history kept behind the slowest reader.
    pub retain: u64,
    /// Bytes that the slowest reliable group has not acked; 0 without one.
    pub used: u64,
    /// The oldest position that can still be read.
    pub earliest: u64,
    /// The position that the next message will have, or the padding before it.
    pub latest: u64,
    /// Messages sent, those of members that have left included.
    pub sent: u64,
    /// Messages delivered, to all groups together.
    pub received: u64,
    /// Dead members that were repaired.
    pub repaired: u64,
    /// Messages put into dead-letter queues.
    pub dead_lettered: u64,
    /// Messages given up without a dead-letter queue.
    pub dropped: u64,
    /// Closed to producers?
    pub closed: bool,
    /// Are fences used in place of membarrier?
    pub fenced: bool,
    /// Bits of who sleeps; for people who look for a lost wake.
    pub sleepers: u64,
    /// Groups that there can be.
    pub max_groups: u32,
    /// Members that there can be.
    pub max_members: u32,
    /// The groups.
    pub groups: Vec<GroupStats>,
    /// The members.
    pub members: Vec<MemberStats>,
}

/// A group's figures.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GroupStats {
    /// Its name; empty for an anonymous or lossy reader.
    pub name: String,
    /// `named`, `anonymous` or `lossy`.
    pub kind: &'static str,
    /// `vacant`, `sole`, `switching` or `shared`: how its members claim.
    pub mode: &'static str,
    /// Members attached.
    pub members: u64,
    /// Everything below this position is acked.
    pub floor: u64,
    /// Messages not acked yet; for a lossy reader 0.
    pub lag: u64,
    /// The lag was not counted to the end, but estimated from the bytes: see [`Queue::stats_within`].
    pub estimated: bool,
    /// Bytes of the ring not acked yet.
    pub lag_bytes: u64,
    /// Messages given back by their consumers.
    pub redelivered: u64,
    /// Messages put into the dead-letter queue.
    pub dead_lettered: u64,
    /// Messages given up without one.
    pub dropped: u64,
    /// The event filter; empty for none.
    pub filter: String,
    /// The dead-letter queue; empty for none.
    pub dead_letter: String,
    /// Deliveries after which a message is given up; 0 for no limit.
    pub max_deliveries: u64,
}

/// A member's figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberStats {
    /// Its row.
    pub row: usize,
    /// The process, as it calls itself in its own PID namespace.
    pub pid: u64,
    /// When it joined, in nanoseconds since 1970.
    pub joined_unix_ns: u64,
    /// What it does.
    pub role: RoleStats,
    /// Messages it has sent or received.
    pub count: u64,
    /// Does its process live? The dead are repaired by whoever they are in the way of, or by [`Queue::recover`].
    pub alive: bool,
}

/// What a member does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleStats {
    /// It sends.
    Producer,
    /// It receives, in the group of that index of [`QueueStats::groups`] or name.
    Consumer {
        /// The group's name; empty for an anonymous or lossy reader.
        group: String,
    },
}

impl Queue {
    /// The queue's figures.
    pub fn stats(&self) -> QueueStats {
        QueueStats::of(&self.shared, u64::MAX)
    }

    /// The queue's figures at a bounded cost: at most so many messages are counted for each group, and the lag of one that has more is estimated.
    pub fn stats_within(&self, messages: u64) -> QueueStats {
        QueueStats::of(&self.shared, messages)
    }
}

impl QueueStats {
    pub(crate) fn of(shared: &Shared, most: u64) -> Self {
        let ring = shared.ring();
        let geometry = &ring.geometry;
        let [low, high] = shared.header.id;
        let latest = ring.frontier(0).unwrap_or_else(|| ring.control.tail.load(Relaxed));
        let members = member_stats(shared);
        let groups = 0..ring.groups.len();
        let groups: Vec<GroupStats> =
            groups.filter_map(|group| group_stats(shared, group, latest, most)).collect();
        let totals = &ring.control.totals;
        let total = |base: &crate::sync::AtomicU64, sends: bool| {
            let counts = members
                .iter()
                .filter(|member| (member.role == RoleStats::Producer) == sends)
                .map(|member| member.count);
            counts.fold(base.load(Relaxed), u64::wrapping_add)
        };
        Self {
            name: shared.name.clone(),
            id: u128::from(low) | u128::from(high) << 64,
            capacity: geometry.ring() << geometry.block_shift,
            block_size: 1 << geometry.block_shift,
            retain: geometry.retain << geometry.block_shift,
            used: groups
                .iter()
                .filter(|group| group.kind != "lossy")
                .map(|group| group.lag_bytes)
                .max()
                .unwrap_or(0),
            earliest: ring.control.gate.load(Acquire),
            latest,
            sent: total(&totals.sent, true),
            received: total(&totals.received, false),
            repaired: totals.repaired.load(Relaxed),
            dead_lettered: totals.dead_lettered.load(Relaxed),
            dropped: totals.dropped.load(Relaxed),
            closed: ring.mode().is_closed(),
            fenced: geometry.fenced,
            sleepers: ring.control.doors.sleepers.load(Relaxed),
            max_groups: geometry.max_groups,
            max_members: geometry.max_members,
            groups,
            members,
        }
    }
}

fn group_stats(shared: &Shared, group: usize, latest: u64, most: u64) -> Option<GroupStats> {
    let ring = shared.ring();
    let row = ring.groups.get(group)?;
    let kind = row.kind()?;
    let label = shared.label(group)?;
    let floor = row.floor();
    let behind = if kind == Kind::Lossy {
        0
    } else {
        latest.saturating_sub(floor).min(ring.geometry.ring())
    };
    let (lag, estimated) = if kind == Kind::Lossy {
        (0, false)
    } else {
        let group = Some(group).filter(|_| kind == Kind::Named);
        match count_messages(ring, floor, group, most) {
            (count, Some(end)) => extrapolate(count, end.wrapping_sub(floor), behind),
            (count, None) => (count, false),
        }
    };
    Some(GroupStats {
        name: label.name.get().unwrap_or_default(),
        kind: match kind {
            Kind::Named => "named",
            Kind::Anonymous => "anonymous",
            Kind::Lossy => "lossy",
        },
        mode: match row.mode().claiming() {
            crate::layout::Claiming::Vacant => "vacant",
            crate::layout::Claiming::Sole(_) => "sole",
            crate::layout::Claiming::Switching(_) => "switching",
            crate::layout::Claiming::Shared => "shared",
        },
        members: ring.consumers_of(group).count() as u64,
        floor,
        lag,
        estimated,
        lag_bytes: behind << ring.geometry.block_shift,
        redelivered: label.redelivered.load(Relaxed),
        dead_lettered: label.dead_lettered.load(Relaxed),
        dropped: label.dropped.load(Relaxed),
        filter: label.filter.get().unwrap_or_default(),
        dead_letter: label.dead_letter.get().unwrap_or_default(),
        max_deliveries: label.max_deliveries.load(Relaxed),
    })
}

fn member_stats(shared: &Shared) -> Vec<MemberStats> {
    let ring = shared.ring();
    let members = ring.members.iter().enumerate().filter_map(|(row, member)| {
        let role = match ring.member_state(row).role()? {
            Role::Producer => RoleStats::Producer,
            Role::Consumer { group } => RoleStats::Consumer {
                group: shared.label(group).and_then(|label| label.name.get()).unwrap_or_default(),
            },
        };
        Some(MemberStats {
            row,
            pid: member.info.pid.load(Relaxed),
            joined_unix_ns: member.info.joined_unix_ns.load(Relaxed),
            role,
            count: member.hot.count.load(Relaxed),
            alive: shared.is_alive(row),
        })
    });
    members.collect()
}

/// Messages from a position on, without those that the group has acked, of the first `most`; and where the count was given up, if it was.
pub(crate) fn count_messages(
    ring: &Ring,
    from: u64,
    group: Option<usize>,
    most: u64,
) -> (u64, Option<u64>) {
    let (mut at, mut count) = (from, 0);
    for _ in 0..ring.patience().min(most) {
        match ring.span(at) {
            Span::Message { blocks, .. } => {
                count += u64::from(!group.is_some_and(|group| ring.is_acked(group, at)));
                at = at.wrapping_add(blocks);
            }
            Span::Pad { blocks } | Span::Claimed { blocks, .. } => at = at.wrapping_add(blocks),
            _ => return (count, None),
        }
    }
    (count, Some(at))
}

/// The count of all blocks, from that of the first of them; and whether it is an estimate.
fn extrapolate(count: u64, counted: u64, all: u64) -> (u64, bool) {
    if counted >= all {
        return (count, false);
    }
    let estimate = u128::from(count) * u128::from(all) / u128::from(counted.max(1));
    (u64::try_from(estimate).unwrap_or(u64::MAX), true)
}
