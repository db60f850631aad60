//! Reading without a say: lossy consumers and observers. Copy first, then see whether the copy was good.

use crate::layout::Extent;
use crate::ring::{Ring, Span};
use crate::sync::{fence, order};

/// What a look at a position brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A whole message was copied.
    Message {
        first: u64,
        end: u64,
        extent: Extent,
    },
    Nothing {
        next: u64,
    },
    /// An unfinished claim; its owner may be dead.
    Hole {
        owner: usize,
        at: u64,
    },
    /// Overrun: go on at `next`.
    Lagged {
        missed: u64,
        next: u64,
    },
    Damaged,
}

/// Copies the next message at or after `position` into `buffer` (payload, event, trailer).
pub(crate) fn look(ring: &Ring, position: u64, buffer: &mut Vec<u8>) -> Look {
    let mut at = position;
    for _ in 0..ring.patience() {
        let span = ring.span(at);
        let mut copied = Some(());
        if let Span::Message { extent, .. } = span {
            buffer.clear();
            buffer.resize(extent.bytes() as usize, 0);
            copied = ring.blocks.copy_racy(ring.index(at), 0, buffer);
        }
        // What the gate has not passed was not being overwritten while we copied it.
        fence(order!("lossy.fence", Acquire));
        let gate = ring.control.gate.load(order!("lossy.gate", Acquire));
        if gate > at {
            return Look::Lagged { missed: gate.wrapping_sub(at), next: gate };
        }
        match span {
            Span::Message { extent, blocks } if copied.is_some() => {
                return Look::Message { first: at, end: at.wrapping_add(blocks), extent };
            }
            Span::Pad { blocks } => at = at.wrapping_add(blocks),
            Span::Open => return Look::Nothing { next: at },
            Span::Claimed { owner, .. } => return Look::Hole { owner, at },
            _ => return Look::Damaged,
        }
    }
    Look::Damaged
}
