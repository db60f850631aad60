//! A group's only member works without read-modify-write; here is how that begins and ends. docs/design.md, section 5.

use super::{NO_PASS, Pause, Reader, Taken, taken_word};
use crate::layout::{Age, Claiming, Extent, Group, Kind, claim};
use crate::ring::{Ring, Span};
use crate::sync::{Relaxed, order, recheck};

/// Ends a sole member's solitude: whatever it took and has not acked gets the word it would have had in a shared group.
/// `state`: TAKEN for a live member, FREE for a dead one. Returns how many words it changed. Under the registry lock; can be done
/// again after a kill.
pub(crate) fn make_explicit(ring: &Ring, group: usize, former: usize, state: u64) -> Option<u64> {
    let row = ring.groups.get(group)?;
    row.set_mode(row.mode().next(Claiming::Switching(former)));
    if recheck!("group.switch.fence") {
        (ring.heavy_fence)();
    }
    let announced =
        ring.members.get(former)?.hot.announced.load(order!("group.announced", Acquire));
    let changed = write_words(ring, group, row.floor(), announced, (former, state))?;
    row.set_mode(row.mode().next(Claiming::Shared));
    Some(changed)
}

/// Gives the messages in a range that have no word of their lap the former sole member's.
fn write_words(
    ring: &Ring,
    group: usize,
    from: u64,
    to: u64,
    (former, state): (usize, u64),
) -> Option<u64> {
    let row = ring.groups.get(group)?;
    let (mut at, mut changed) = (from, 0);
    for _ in 0..ring.patience() {
        if at >= to {
            break;
        }
        let span = ring.span(at);
        if let Span::Message { .. } = span {
            let word = ring.claim_word(group, at)?;
            let seen = word.load(order!("explicit.load", Acquire));
            if recheck!("explicit.age") && claim::age(seen, ring.lap(at)) == Age::Older {
                let new = taken_word(ring, at, 1, former, state);
                let swap =
                    word.compare_exchange(seen, new, order!("explicit.claim", AcqRel), Relaxed);
                changed += u64::from(swap.is_ok());
            }
        }
        // What the former acked meanwhile may be overwritten: the floor is further on.
        let floor = row.floor();
        at = match span {
            _ if floor > at => floor,
            Span::Message { blocks, .. } | Span::Pad { blocks } => at.wrapping_add(blocks),
            _ => break,
        };
    }
    Some(changed)
}

impl Reader {
    /// The only member of a group, with nothing to read and so nothing in hand, which would lie above the floor: it may go on alone. Under
    /// the registry lock, which keeps others from joining.
    pub(crate) fn try_solitude(&self, ring: &Ring) -> bool {
        let Some(group) = ring.groups.get(self.group) else { return false };
        let mode = group.mode();
        let floor = group.floor();
        let ready = self.sole.get() == 0
            && matches!(mode.claiming(), Claiming::Shared | Claiming::Vacant)
            && self.cursor.get() == floor
            && ring.span(floor) == Span::Open;
        if ready {
            self.adopt(ring, group);
        }
        ready
    }

    /// Makes this member sole. Under the registry lock, with no other member and no claim word at or above the floor.
    pub(crate) fn adopt(&self, ring: &Ring, group: &Group) {
        let mode = group.mode().next(Claiming::Sole(self.row));
        let floor = group.floor();
        if let Some(member) = ring.members.get(self.row) {
            member.hot.announced.store(floor, order!("reader.begin", Release));
        }
        self.skip_to(floor);
        self.rewinds.set(group.info.rewinds.load(order!("rewinds.load", Acquire)));
        self.sole.set(mode.0);
        self.look_for_fast();
        group.set_mode(mode);
    }

    /// This member's solitude is over, whether it has noticed or not.
    pub(crate) fn leave_solitude(&self, ring: &Ring) {
        if self.sole.get() != 0 {
            self.end_solitude(ring);
        }
    }

    /// Before leaving: messages that the filter passed over behind one that is still in hand stay done.
    pub(crate) fn settle_passed(&self, ring: &Ring) {
        if self.passed.get() != 0 {
            self.leave_solitude(ring);
        }
    }

    /// From now on words tell what is in hand: whoever ended this solitude may not have written them yet. Messages that the filter passed
    /// over since were ours too, and done.
    pub(super) fn end_solitude(&self, ring: &Ring) {
        self.sole.set(0);
        self.fast.set(NO_PASS);
        if self.kind != Kind::Named {
            return;
        }
        if recheck!("solitude.holds") {
            let mine = (self.row, claim::TAKEN);
            write_words(ring, self.group, self.floor.get(), self.chain(), mine);
        }
        self.mark_acked(ring, self.chain(), self.cursor.get());
        self.passed.set(0);
        ring.help_floor(self.group);
    }

    /// A message that was announced in a solitude that has ended: ours, unless another member got there first.
    #[cold]
    pub(super) fn take_announced(
        &self,
        ring: &Ring,
        group: &Group,
        position: u64,
        end: u64,
        extent: Extent,
        accept: impl Fn(u64, Extent) -> bool,
    ) -> Result<Taken, Pause> {
        self.end_solitude(ring);
        if self.kind != Kind::Named {
            return Err(Pause::Damaged);
        }
        let word = ring.claim_word(self.group, position).ok_or(Pause::Damaged)?;
        let mine = taken_word(ring, position, 1, self.row, claim::TAKEN);
        let seen = word.load(order!("switch.load", Acquire));
        let taken = match claim::age(seen, ring.lap(position)) {
            Age::Older => match word.compare_exchange(
                seen,
                mine,
                order!("switch.claim", AcqRel),
                order!("switch.lost", Acquire),
            ) {
                Ok(_) => true,
                Err(now) => now == mine,
            },
            _ => seen == mine,
        };
        if taken {
            self.cursor.set(end);
            let taken = Taken { from: position, first: position, end, extent, count: 1 };
            if accept(position, extent) {
                return Ok(taken);
            }
            self.ack_shared(ring, &taken);
        }
        self.take_shared(ring, group, accept)
    }

    /// Marks messages in a range that is ours. The floor cannot pass them before.
    pub(super) fn mark_acked(&self, ring: &Ring, from: u64, to: u64) {
        let Some(group) = ring.groups.get(self.group) else { return };
        let mut at = from;
        while at < to {
            match ring.span(at) {
                Span::Message { blocks, .. } => {
                    if let Some(word) = ring.claim_word(self.group, at) {
                        word.store(
                            taken_word(ring, at, 1, self.row, claim::ACKED),
                            order!("ack.filtered", Release),
                        );
                    }
                    at = at.wrapping_add(blocks);
                }
                Span::Pad { blocks } => at = at.wrapping_add(blocks),
                // Padding that the floor has passed may be overwritten already.
                _ if group.floor() > at => at = group.floor(),
                _ => return,
            }
        }
    }
}
