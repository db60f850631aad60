//! The model's ring: which positions are claimed, and when there is room. It knows the promise (whatever a group still needs, and what
//! is retained behind it, is not overwritten) and nothing of how the engine keeps it.

use std::collections::BTreeMap;

/// What lies from a position on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Pad,
    /// Claimed and not finished.
    Open,
    /// A message of that number.
    Message(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub start: u64,
    pub first: u64,
    pub end: u64,
}

/// Is there room?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Yes,
    No,
    /// The engine may know that a message was passed over, or may not know it yet.
    Either,
}

#[derive(Clone, Debug)]
pub struct Ring {
    pub blocks: u64,
    pub block_size: u64,
    /// In blocks.
    pub retain: u64,
    /// The first position that nobody has claimed.
    pub tail: u64,
    /// What is below may have been overwritten: as the engine says, which is checked to be allowed.
    pub gate: u64,
    /// Ends and kinds, by start.
    pub spans: BTreeMap<u64, (u64, Span)>,
}

impl Ring {
    pub fn new(blocks: u64, block_size: u64, retain: u64, base: u64) -> Self {
        Self { blocks, block_size, retain, tail: base, gate: base, spans: BTreeMap::new() }
    }

    pub fn blocks_of(&self, bytes: usize) -> u64 {
        (bytes as u64).div_ceil(self.block_size).max(1)
    }
    pub fn max_blocks(&self) -> u64 {
        (self.blocks - self.retain) / 2
    }

    /// The next claim of so many blocks: a message never goes over the end of a lap.
    pub fn place(&self, blocks: u64) -> Claim {
        let left = self.blocks - self.tail % self.blocks;
        let first = if blocks <= left { self.tail } else { self.tail + left };
        Claim { start: self.tail, first, end: first + blocks }
    }

    /// What must not be needed any more before the claim can be written.
    pub fn wanted(&self, claim: Claim) -> u64 {
        claim.end.saturating_sub(self.blocks)
    }

    /// The oldest position that is needed or unfinished, if the groups need nothing below `floor`.
    fn oldest(&self, floor: Option<u64>) -> u64 {
        let open = self.spans.iter().find(|(_, (_, span))| *span == Span::Open);
        let oldest = floor.unwrap_or(self.tail).min(self.tail);
        open.map_or(oldest, |(start, _)| oldest.min(*start))
    }

    /// The highest position that the gate may go to for a claim: what is retained stays, but for a message that lies across the edge
    /// of that, if there is no room otherwise.
    pub fn allowed(&self, claim: Claim, floor: Option<u64>) -> u64 {
        let needed = floor.unwrap_or(claim.start).min(claim.start);
        let kept = needed.saturating_sub(self.retain);
        let wanted = self.wanted(claim);
        if wanted > kept {
            return self.gate;
        }
        let oldest = self.oldest(floor);
        match (wanted..=oldest).find(|position| self.is_boundary(*position)) {
            Some(next) => next.max(kept.min(oldest)),
            None => kept.min(oldest),
        }
    }

    pub fn is_boundary(&self, position: u64) -> bool {
        position == self.tail || self.spans.contains_key(&position)
    }

    /// `floors`: what the groups need at the most, and what they need for sure.
    pub fn room(&self, claim: Claim, floors: [Option<u64>; 2]) -> Room {
        let wanted = self.wanted(claim);
        if wanted <= self.gate {
            return Room::Yes;
        }
        let fits = floors.map(|floor| self.allowed(claim, floor) >= wanted);
        match fits {
            [true, _] => Room::Yes,
            [false, true] => Room::Either,
            [false, false] => Room::No,
        }
    }

    pub fn claim(&mut self, claim: Claim) {
        self.tail = claim.end;
        self.set(claim.start, claim.end, Span::Open);
    }

    /// Writes messages of these numbers and lengths into a claim; the rest is padding.
    pub fn fill(&mut self, claim: Claim, messages: &[(usize, u64)]) {
        if messages.is_empty() {
            return self.set(claim.start, claim.end, Span::Pad);
        }
        self.set(claim.start, claim.first, Span::Pad);
        let mut at = claim.first;
        for (number, blocks) in messages {
            self.set(at, at + blocks, Span::Message(*number));
            at += blocks;
        }
        self.set(at, claim.end, Span::Pad);
    }

    fn set(&mut self, from: u64, to: u64, span: Span) {
        if from != to {
            self.spans.insert(from, (to, span));
        }
    }

    /// Messages from a position on, up to the first claim that is not finished.
    pub fn readable(&self, from: u64) -> impl Iterator<Item = (u64, usize)> {
        let all = self.spans.range(from..).take_while(|(_, (_, span))| *span != Span::Open);
        all.filter_map(|(at, (_, span))| match span {
            Span::Message(number) => Some((*at, *number)),
            _ => None,
        })
    }

    /// All messages from a position on.
    pub fn messages(&self, from: u64) -> impl Iterator<Item = (u64, usize)> {
        self.spans.range(from..).filter_map(|(at, (_, span))| match span {
            Span::Message(number) => Some((*at, *number)),
            _ => None,
        })
    }

    /// Where a reader at `from` stops who finds no message: behind padding.
    pub fn stop(&self, from: u64) -> u64 {
        let open = self.spans.range(from..).find(|(_, (_, span))| *span == Span::Open);
        open.map_or(self.tail.max(from), |(at, _)| *at)
    }

    pub fn has_open(&self) -> bool {
        self.spans.values().any(|(_, span)| *span == Span::Open)
    }
}
