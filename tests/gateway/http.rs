//! HTTP/1.1, the server's side.

#[path = "http/cors.rs"]
mod cors;
#[path = "http/cuts.rs"]
pub mod cuts;
#[path = "http/events.rs"]
mod events;
#[path = "http/reply.rs"]
mod reply;
#[path = "http/requests.rs"]
mod requests;

use slipring::gateway::http::{Body, Error, Event, Limits, Parser};

use cuts::ways;
use requests::{BAD, GOOD};

/// What a server sees of the client: requests in words, bodies put together, and the status of a refusal.
fn read(limits: Limits, bytes: &[u8], way: &[usize]) -> Vec<String> {
    let mut parser = Parser::new(limits);
    let (mut seen, mut body, mut rest) = (Vec::new(), Vec::new(), bytes);
    for piece in way {
        let (mut input, after) = rest.split_at(*piece);
        rest = after;
        loop {
            match parser.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Request(request))) => {
                    let query = request.query.map(|query| format!("?{query}")).unwrap_or_default();
                    let host = request.host.unwrap_or(b"-").escape_ascii();
                    let mut text = format!("{:?} {}{query} {host}", request.method, request.path);
                    match request.body {
                        Body::None => {}
                        Body::Length(len) => text += &format!(" length={len}"),
                        Body::Chunked => text += " chunked",
                    }
                    text += if request.keep_alive { "" } else { " close" };
                    text += if request.expects_continue { " continue" } else { "" };
                    seen.push(text);
                }
                Ok(Some(Event::Body(piece))) => {
                    assert!(!piece.is_empty());
                    body.extend_from_slice(piece);
                }
                Ok(Some(Event::End)) => {
                    seen.push(format!("body {}", body.escape_ascii()));
                    body.clear();
                }
                Err(Error { status, .. }) => seen.push(status.to_string()),
            }
        }
        assert!(input.is_empty(), "all is taken");
    }
    seen
}

#[test]
fn good_requests_whole_and_cut() {
    for (seed, (bytes, seen)) in GOOD.iter().enumerate() {
        for way in ways(bytes.len(), seed as u64) {
            assert_eq!(read(Limits::default(), bytes.as_bytes(), &way), *seen, "{bytes:?} {way:?}");
        }
    }
}

#[test]
fn bad_requests_whole_and_cut() {
    for (seed, (status, bytes)) in BAD.iter().enumerate() {
        for way in ways(bytes.len(), seed as u64) {
            let seen = read(Limits::default(), bytes, &way);
            let status = status.to_string();
            // And nothing of what follows is taken for a request.
            assert_eq!(seen.last(), Some(&status), "{} {way:?}", bytes.escape_ascii());
        }
    }
}

/// Every refusal says why, and says goodbye.
#[test]
fn refusals_are_answered() {
    for (status, bytes) in BAD {
        let mut parser = Parser::new(Limits::default());
        let mut input = *bytes;
        let error = loop {
            match parser.next(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{} is not refused", bytes.escape_ascii()),
                Err(error) => break error,
            }
        };
        let mut out = Vec::new();
        error.reply(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with(&format!("HTTP/1.1 {status} ")), "{out}");
        assert!(out.contains("\r\nConnection: close\r\n"), "{out}");
        let (_, body) = out.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body, serde_json::json!({ "status": status, "error": error.reason }));
    }
}

fn way(len: usize) -> [Vec<usize>; 2] {
    [vec![len], vec![1; len]]
}

#[test]
fn the_limit_of_a_head() {
    let limits = Limits { head: 200, ..Limits::default() };
    let head = |len: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4))
    };
    for way in way(200) {
        assert_eq!(read(limits, head(200).as_bytes(), &way), ["Get / a"]);
    }
    for way in way(201) {
        assert_eq!(read(limits, head(201).as_bytes(), &way), ["431"]);
    }
    // Not one byte more is kept, nor waited for.
    for way in way(200) {
        assert_eq!(read(limits, &head(300).as_bytes()[..200], &way), ["431"]);
        assert_eq!(read(limits, &"\r\n".repeat(100).into_bytes(), &way), ["431"]);
    }
    // Each request has its own.
    let twice = head(200).repeat(2);
    for way in way(400) {
        assert_eq!(read(limits, twice.as_bytes(), &way), ["Get / a", "Get / a"]);
    }
}

#[test]
fn the_limit_of_a_body_is_known_before_it_comes() {
    let limits = Limits { body: 10, ..Limits::default() };
    let post = |field: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{body}").into_bytes()
    };
    let seen = |bytes: &[u8]| {
        let [one, two] = way(bytes.len()).map(|way| read(limits, bytes, &way));
        assert_eq!(one, two);
        one
    };
    let chunked = "Transfer-Encoding: chunked";
    let enough = ["Post / a length=10", "body 0123456789"];
    assert_eq!(seen(&post("Content-Length: 10", "0123456789")), enough);
    assert_eq!(seen(&post("Content-Length: 11", "")), ["413"]);
    assert_eq!(seen(&post("Content-Length: 99999999999999999999999", "")), ["413"]);
    let enough = ["Post / a chunked", "body 0123456789"];
    assert_eq!(seen(&post(chunked, "a\r\n0123456789\r\n0\r\n\r\n")), enough);
    assert_eq!(seen(&post(chunked, "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n")), enough);
    let refused = ["Post / a chunked", "413"];
    assert_eq!(seen(&post(chunked, "b\r\n")), refused);
    assert_eq!(seen(&post(chunked, "4\r\n0123\r\n7\r\n")), refused);
    assert_eq!(seen(&post(chunked, "ffffffffffffffff\r\n")), refused);
}

#[test]
fn the_limit_of_trailers() {
    let limits = Limits { head: 100, ..Limits::default() };
    let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    for (len, last) in [(100, "body "), (101, "431")] {
        let bytes = format!("{start}{}\r\n\r\n", "x".repeat(len - 4));
        for way in way(bytes.len()) {
            assert_eq!(read(limits, bytes.as_bytes(), &way), ["Post / a chunked", last]);
        }
    }
}

/// The rest of a body is received where it is wanted.
#[test]
fn a_large_body_goes_straight_to_its_place() {
    let body: Vec<u8> = (0..10_000_u32).map(|at| (at * 7) as u8).collect();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n";
    let after = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n";
    let wire = [&head[..], &body, after].concat();
    let mut parser = Parser::new(Limits::default());
    let (mut input, wire) = wire.split_at(1000);
    assert!(matches!(parser.next(&mut input), Ok(Some(Event::Request(_)))));
    let mut place = vec![0; parser.body_due() as usize];
    let Ok(Some(Event::Body(piece))) = parser.next(&mut input) else { panic!("no body") };
    place[..piece.len()].copy_from_slice(piece);
    let done = 10_000 - parser.body_due() as usize;
    assert_eq!(done, 1000 - head.len());
    let (rest, after) = wire.split_at(10_000 - done);
    place[done..].copy_from_slice(rest);
    let mut input = &place[done..];
    assert_eq!(parser.next(&mut input), Ok(Some(Event::Body(&place[done..]))));
    assert_eq!(parser.body_due(), 0);
    assert_eq!(parser.next(&mut &b""[..]), Ok(Some(Event::End)));
    assert!(parser.is_between() && place == body);
    let Ok(Some(Event::Request(request))) = parser.next(&mut &*after) else { panic!("no request") };
    assert_eq!(request.path, "/after");
}

#[test]
fn between_requests_and_within() {
    let mut parser = Parser::new(Limits::default());
    assert!(parser.is_between());
    assert_eq!(parser.next(&mut &b"GE"[..]), Ok(None));
    assert!(!parser.is_between());
    let mut rest = &b"T / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    assert!(matches!(parser.next(&mut rest), Ok(Some(Event::Request(_)))));
    assert!(parser.is_between());
}
