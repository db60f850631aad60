//! The messages: a stamp in the first and the last word, and bytes between them that are copied and read all the same.

use iceoryx2::prelude::ZeroCopySend;

/// The stamp of a message that ends the work. (An eventfd can carry it; one more it could not.)
pub const STOP: u64 = u64::MAX - 1;
/// What the words between the stamps say.
const FILL: u8 = 1;
const FILL_WORD: u64 = u64::from_ne_bytes([FILL; 8]);

/// A message of a fixed size.
pub trait Message: Copy + Send + Sync + std::fmt::Debug + ZeroCopySend + 'static {
    /// Bytes, a multiple of 8.
    const SIZE: usize;
    /// One with both stamps unset.
    fn filled() -> Self;
    fn bytes(&self) -> &[u8];
    fn bytes_mut(&mut self) -> &mut [u8];

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut message = Self::filled();
        message.bytes_mut().copy_from_slice(bytes);
        message
    }
}

/// Whole cache lines lie on lines of their own, as anybody would lay them out who cares for speed.
macro_rules! message {
    ($name:ident, $size:literal, $align:literal) => {
        #[doc = concat!("A message of ", $size, " bytes.")]
        #[derive(Clone, Copy, Debug, ZeroCopySend)]
        #[repr(C)]
        #[repr(align($align))]
        pub struct $name([u8; $size]);

        impl Message for $name {
            const SIZE: usize = $size;
            #[inline(always)]
            fn filled() -> Self {
                Self([FILL; $size])
            }
            #[inline(always)]
            fn bytes(&self) -> &[u8] {
                &self.0
            }
            #[inline(always)]
            fn bytes_mut(&mut self) -> &mut [u8] {
                &mut self.0
            }
        }

        impl AsRef<[u8]> for $name {
            #[inline(always)]
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

message!(M8, 8, 8);
message!(M64, 64, 64);
message!(M256, 256, 64);
message!(M1024, 1024, 64);
message!(M65536, 65536, 64);

/// The sizes that there are, in bytes.
pub const SIZES: [usize; 5] = [8, 64, 256, 1024, 65536];

/// Writes the stamp into both ends.
#[inline(always)]
pub fn stamp(bytes: &mut [u8], stamp: u64) {
    let last = bytes.len() - 8;
    bytes[last..].copy_from_slice(&stamp.to_ne_bytes());
    bytes[..8].copy_from_slice(&stamp.to_ne_bytes());
}

/// The first stamp.
#[inline(always)]
pub fn first(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..8].try_into().expect("a message has 8 bytes or more"))
}

/// Reads every byte.
#[inline(always)]
pub fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0, |sum, word| sum.wrapping_add(first(word)))
}

/// Reads both ends and nothing between.
#[inline(always)]
pub fn ends(bytes: &[u8]) -> u64 {
    first(bytes).wrapping_add(first(&bytes[bytes.len() - 8..]))
}

/// What reading `count` messages with the stamps 0, 1, 2… adds up to.
pub fn expected(count: u64, size: usize, only_ends: bool) -> u64 {
    let stamps = if size > 8 || only_ends { 2 } else { 1 };
    let between = if only_ends { 0 } else { (size as u64 / 8).saturating_sub(2) };
    let pairs = (u128::from(count) * u128::from(count.saturating_sub(1)) / 2) as u64;
    pairs.wrapping_mul(stamps).wrapping_add(count.wrapping_mul(between).wrapping_mul(FILL_WORD))
}
