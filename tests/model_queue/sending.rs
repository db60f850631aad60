//! Producers: what they are told, where their messages lie, and that nothing needed is overwritten.

use proptest::prelude::*;
use slipring::{JoinError, Producer, SendError};

use super::both::{Both, Check, bytes_of, name_of, pick};
use super::ops::{Draft, EVENTS, Op};
use super::ring::{Claim, Room};

impl Both<'_> {
    pub fn join_producer(&mut self) -> Check {
        let joined = self.queue.producer();
        let name = name_of(&joined);
        match joined {
            Ok(producer) => {
                prop_assert!(!self.model.closed && self.model.members_left());
                self.producers.push(producer);
                self.model.producers += 1;
            }
            Err(JoinError::Closed) => prop_assert!(self.model.closed),
            Err(JoinError::Limit(_)) => {
                prop_assert!(!self.model.members_left() && !self.model.closed);
                self.note("no more members");
            }
            Err(_) => prop_assert!(false, "{}", name),
        }
        Ok(())
    }

    /// The draft's bytes, its event and the blocks it takes.
    fn compose(&mut self, draft: Draft) -> (Vec<u8>, &'static str, u64) {
        let ring = &self.model.ring;
        let most = (ring.max_blocks() * ring.block_size) as usize;
        self.numbers += 1;
        let payload = bytes_of(self.numbers, draft.len.min(most + 1));
        let event = EVENTS[draft.event];
        let blocks = ring.blocks_of(payload.len() + event.len());
        (payload, event, blocks)
    }

    /// Compares an outcome with what the model has to say of it. True: the claim was made, and the model has it too.
    fn agree<T>(
        &mut self,
        blocks: u64,
        result: &Result<T, SendError>,
    ) -> Result<bool, TestCaseError> {
        let most = self.model.ring.max_blocks();
        if blocks > most {
            let too_large = matches!(result, Err(SendError::TooLarge { .. }));
            prop_assert!(too_large, "{} of {} blocks: {}", blocks, most, name_of(result));
            self.note("too large");
            return Ok(false);
        }
        if self.model.closed {
            prop_assert!(matches!(result, Err(SendError::Closed)), "{}", name_of(result));
            return Ok(false);
        }
        let claim = self.model.ring.place(blocks);
        let room = self.model.room(claim);
        let made = match result {
            Ok(_) => true,
            Err(SendError::Full) => false,
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        };
        let right = match room {
            Room::Yes => made,
            Room::No => !made,
            Room::Either => true,
        };
        prop_assert!(right, "made {}, but room {:?} for {:?}", made, room, claim);
        self.note(if made { "claimed" } else { "full" });
        self.follow_gate(claim, made)?;
        if made {
            self.model.ring.claim(claim);
        }
        Ok(made)
    }

    /// The gate may have moved: to a message's start, far enough, and not over what somebody needs or what is retained.
    fn follow_gate(&mut self, claim: Claim, made: bool) -> Check {
        let wanted = self.model.ring.wanted(claim);
        if wanted <= self.model.ring.gate {
            return Ok(());
        }
        let [_, sure] = self.model.floors();
        let allowed = self.model.ring.allowed(claim, sure);
        let gate = self.queue.stats().earliest;
        let ring = &mut self.model.ring;
        prop_assert!(gate >= ring.gate, "the gate went back: {} after {}", gate, ring.gate);
        prop_assert!(!made || gate >= wanted, "gate {}, wanted {}", gate, wanted);
        prop_assert!(gate == ring.gate || ring.is_boundary(gate), "gate {} inside a message", gate);
        prop_assert!(gate == ring.gate || gate <= allowed, "gate {}, allowed {}", gate, allowed);
        if gate != ring.gate {
            ring.gate = gate;
            self.note("overwritten");
        }
        Ok(())
    }

    /// Completes a claim with one message.
    fn complete(
        &mut self,
        claim: Claim,
        payload: Vec<u8>,
        event: &'static str,
        position: u64,
    ) -> Check {
        prop_assert_eq!(position, claim.first);
        let blocks = self.model.ring.blocks_of(payload.len() + event.len());
        let number = self.model.note(payload, event);
        self.model.ring.fill(claim, &[(number, blocks)]);
        self.model.sent += 1;
        self.note("sent");
        if claim.first != claim.start {
            self.note("padded");
        }
        Ok(())
    }

    pub fn send(&mut self, which: usize, draft: Draft) -> Check {
        let Some(at) = pick(which, self.producers.len()) else { return Ok(()) };
        let (payload, event, blocks) = self.compose(draft);
        let claim = self.model.ring.place(blocks);
        let producer = &mut self.producers[at];
        let result = if event.is_empty() {
            producer.try_send(&payload)
        } else {
            producer.try_send_event(event, &payload)
        };
        if self.agree(blocks, &result)? {
            self.complete(claim, payload, event, result.unwrap_or_default())?;
        }
        Ok(())
    }

    /// A batch waits for room, so only one for which there is room is sent.
    pub fn send_batch(&mut self, which: usize, lens: &[usize]) -> Check {
        let Some(at) = pick(which, self.producers.len()).filter(|_| !self.model.closed) else {
            return Ok(());
        };
        let most = self.model.ring.max_blocks();
        let largest = (most * self.model.ring.block_size) as usize;
        let batch: Vec<Vec<u8>> = lens
            .iter()
            .map(|len| {
                self.numbers += 1;
                bytes_of(self.numbers, (*len).min(largest))
            })
            .collect();
        // As many as fit into half the ring are one claim.
        let mut after = self.model.clone();
        let mut allowed = 0;
        let mut rest = &batch[..];
        while !rest.is_empty() {
            let (mut blocks, mut count) = (0, 0);
            for payload in rest {
                let more = after.ring.blocks_of(payload.len());
                if blocks + more > most {
                    break;
                }
                (blocks, count) = (blocks + more, count + 1);
            }
            let claim = after.ring.place(blocks);
            if after.room(claim) != Room::Yes {
                return Ok(());
            }
            let [_, sure] = after.floors();
            allowed = after.ring.allowed(claim, sure).max(allowed);
            after.ring.claim(claim);
            let mut numbers = Vec::new();
            for payload in &rest[..count] {
                let blocks = after.ring.blocks_of(payload.len());
                numbers.push((after.note(payload.clone(), ""), blocks));
            }
            after.ring.fill(claim, &numbers);
            after.sent += count as u64;
            rest = &rest[count..];
        }
        let sent = self.producers[at].send_batch(&batch);
        prop_assert_eq!(sent, Ok(batch.len()));
        self.model = after;
        let gate = self.queue.stats().earliest;
        let ring = &mut self.model.ring;
        prop_assert!(gate == ring.gate || gate <= allowed, "gate {}, allowed {}", gate, allowed);
        prop_assert!(gate >= ring.gate && gate >= ring.tail.saturating_sub(ring.blocks));
        ring.gate = gate;
        self.note("batch");
        Ok(())
    }

    pub fn reserve(
        &mut self,
        which: usize,
        draft: Draft,
        commit: Option<usize>,
        inside: &[Op],
    ) -> Check {
        let Some(at) = pick(which, self.producers.len()) else { return Ok(()) };
        let (payload, event, blocks) = self.compose(draft);
        let claim = self.model.ring.place(blocks);
        let most = self.model.ring.max_blocks();
        let room = blocks <= most && !self.model.closed && self.model.room(claim) == Room::Yes;
        // With an event it waits for room.
        if !event.is_empty() && !room {
            return Ok(());
        }
        let mut producer = self.producers.remove(at);
        let result =
            self.reserve_with(&mut producer, (payload, event, blocks), claim, commit, inside);
        self.producers.push(producer);
        result
    }

    fn reserve_with(
        &mut self,
        producer: &mut Producer,
        (mut payload, event, blocks): (Vec<u8>, &'static str, u64),
        claim: Claim,
        commit: Option<usize>,
        inside: &[Op],
    ) -> Check {
        let result = if event.is_empty() {
            producer.try_reserve(payload.len())
        } else {
            producer.reserve_event(event, payload.len())
        };
        let made = self.agree(blocks, &result)?;
        let Ok(mut slot) = result else { return Ok(()) };
        prop_assert!(made);
        prop_assert_eq!(slot.len(), payload.len());
        slot.copy_from_slice(&payload);
        for op in inside {
            self.run(op)?;
        }
        let Some(eighths) = commit else {
            slot.abort();
            self.model.ring.fill(claim, &[]);
            self.note("aborted");
            return Ok(());
        };
        let len = payload.len() * eighths / 8;
        if len < payload.len() {
            payload.truncate(len);
            self.note("cut short");
        }
        let position = slot.commit(len);
        self.complete(claim, payload, event, position)
    }
}
