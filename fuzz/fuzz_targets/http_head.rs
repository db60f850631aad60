//! HTTP requests: however the bytes are cut, the same is seen; no body and no answer is longer than it may be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipring::gateway::http::{Body, Cors, Event, Limits, Origins, Parser, Request};
use slipring::gateway::websocket::Handshake;

const LIMITS: Limits = Limits { head: 512, body: 300 };

// The first byte seeds the cuts.
fuzz_target!(|data: &[u8]| {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let whole = seen(bytes, usize::MAX, 1);
    assert_eq!(whole, seen(bytes, 1, 1));
    assert_eq!(whole, seen(bytes, 40, u64::from(seed) + 1));
});

/// What is seen of bytes that come in pieces of up to so many.
fn seen(bytes: &[u8], most: usize, mut seed: u64) -> String {
    let (mut parser, mut rest) = (Parser::new(LIMITS), bytes);
    let (mut seen, mut body) = (String::new(), 0);
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let len = rest.len().min(1 + (seed >> 33) as usize % most);
        let (mut input, after) = rest.split_at(len);
        rest = after;
        loop {
            match parser.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Request(request))) => {
                    body = 0;
                    assert!(!matches!(request.body, Body::Length(len) if len > LIMITS.body));
                    seen += &format!("{request:?} {}\n", request.decoded_path());
                    request.params().for_each(|param| seen += &format!("{param:?}"));
                    assert!(request.headers().all(|(name, _)| request.header(name).is_some()));
                    seen += &answers(&request);
                }
                Ok(Some(Event::Body(piece))) => {
                    body += piece.len() as u64;
                    assert!(body <= LIMITS.body && !piece.is_empty());
                    seen += &piece.escape_ascii().to_string();
                }
                Ok(Some(Event::End)) => seen += "\nend\n",
                Err(error) => seen += &format!("{error}\n"),
            }
        }
        assert!(input.is_empty());
    }
    seen
}

/// What is made of a request: a few lines, however it tries to write more.
fn answers(request: &Request) -> String {
    let mut out = Vec::new();
    let cors = Cors { origins: Origins::Any, credentials: true };
    cors.write_preflight(request, &mut out);
    match Handshake::parse(request, &Origins::default()) {
        Ok(handshake) => handshake.accept(handshake.choose(&["a"]), &mut out),
        Err(refusal) => refusal.write(request, &mut out),
    }
    assert!(out.len() <= 2 * LIMITS.head + 1024);
    let ends = out.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let lines = ends.inspect(|(at, _)| assert_eq!(out[at - 1], b'\r')).count();
    assert!(lines <= 18, "{}", out.escape_ascii());
    out.escape_ascii().to_string()
}
