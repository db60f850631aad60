//! Hashing of states, most of what a search does: small fields are packed into words before stateright's hasher sees
//! them.

use crate::state::State;
use std::hash::{Hash, Hasher};

struct Packer<'a, H: Hasher> {
    inner: &'a mut H,
    word: u64,
    bits: u32,
}

impl<H: Hasher> Packer<'_, H> {
    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << self.bits;
        self.bits += 8;
        if self.bits == 64 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.inner.write_u64(self.word);
        (self.word, self.bits) = (0, 0);
    }
}

impl<H: Hasher> Hasher for Packer<'_, H> {
    fn finish(&self) -> u64 {
        unreachable!("only the inner hasher is asked")
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.push(byte);
    }

    /// Only the lengths of arrays, which are the same in every state.
    fn write_usize(&mut self, _: usize) {}

    /// Only discriminants.
    fn write_isize(&mut self, discriminant: isize) {
        self.push(discriminant as u8);
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, inner: &mut H) {
        let State {
            tail,
            gate,
            mode,
            epoch,
            stamps,
            extents,
            payload,
            rows,
            group,
            claims,
            registry,
            actors,
            crashes,
            retries,
            quits,
            comebacks,
            close,
            end,
            fates,
            broken,
        } = self;
        let mut packer = Packer { inner, word: 0, bits: 0 };
        (tail, gate, mode, epoch, stamps, extents, payload, rows, group, claims, registry)
            .hash(&mut packer);
        (actors, crashes, retries, quits, comebacks, close, end, fates, broken).hash(&mut packer);
        packer.flush();
    }
}
