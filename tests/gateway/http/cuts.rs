//! Ways to cut what is sent, which must make no difference: whole, byte by byte, and at random places.

/// Lengths of the pieces, for each of a number of ways.
pub fn ways(len: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut ways = vec![vec![len], vec![1; len]];
    let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15);
    ways.extend((0..6).map(|way| {
        // From a few bytes to most of it.
        let most = [3, 7, 20, 130, 1500, len.max(1)][way];
        let mut left = len;
        let mut pieces = Vec::new();
        while left > 0 {
            let piece = 1 + random.below(most.min(left));
            pieces.push(piece);
            left -= piece;
        }
        pieces
    }));
    ways
}

/// Xorshift: as good as it has to be, and the same every time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn every_way_has_all_bytes() {
    for len in [0, 1, 2, 17, 4000] {
        for way in ways(len, 5) {
            assert_eq!(way.iter().sum::<usize>(), len);
        }
    }
}
