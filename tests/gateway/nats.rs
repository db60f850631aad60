//! The NATS client protocol, the server's side.

#[path = "nats/connection.rs"]
mod connection;
#[path = "nats/parser.rs"]
mod parser;
#[path = "nats/reference.rs"]
pub(crate) mod reference;
#[path = "nats/script.rs"]
pub(crate) mod script;
#[path = "nats/server.rs"]
mod server;
#[path = "nats/subjects.rs"]
mod subjects;
#[path = "nats/wire.rs"]
pub(crate) mod wire;

/// Bytes as they would stand in a string.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Cuts bytes into pieces whose lengths a small generator gives: the same for the same seed.
fn pieces(mut bytes: &[u8], mut seed: u64) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + (seed >> 33) as usize % 13));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What bytes give must not depend on how they are cut: whole, byte by byte, and in pieces.
fn all_cuts(bytes: &[u8], run: impl Fn(&[&[u8]]) -> String) -> String {
    let whole = run(&[bytes]);
    for cut in
        std::iter::once(bytes.chunks(1).collect()).chain((0..8).map(|seed| pieces(bytes, seed)))
    {
        assert_eq!(whole, run(&cut), "{} cut into {} pieces", shown(bytes), cut.len());
    }
    whole
}
