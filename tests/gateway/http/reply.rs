//! Answers, as they are on the wire; httparse as the other side.

use slipring::gateway::http::{Event, Limits, Parser, Reply, Stream};

/// How a request wants to be answered.
fn to(request: &str) -> Reply {
    let bytes = format!("{request}\r\nHost: a\r\n\r\n");
    let mut parser = Parser::new(Limits::default());
    match parser.next(&mut bytes.as_bytes()) {
        Ok(Some(Event::Request(request))) => request.reply(),
        other => panic!("{other:?}"),
    }
}

fn get() -> Reply {
    to("GET / HTTP/1.1")
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    let out = String::from_utf8(out).unwrap();
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let parsed = httparse::Response::new(&mut fields).parse(out.as_bytes());
    assert!(parsed.is_ok_and(|status| status.is_complete()), "{out}");
    out
}

#[test]
fn bodies() {
    let body = |reply: Reply| {
        written(|out| reply.begin(out, 200).header("X", "y").body("text/plain", b"hello"))
    };
    let head = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n";
    assert_eq!(body(get()), format!("{head}\r\nhello"));
    assert_eq!(body(get().close()), format!("{head}Connection: close\r\n\r\nhello"));
    assert_eq!(body(to("HEAD / HTTP/1.1")), format!("{head}\r\n"));
    assert_eq!(body(to("GET / HTTP/1.0")), format!("{head}Connection: close\r\n\r\nhello"));
    let kept = to("GET / HTTP/1.0\r\nConnection: keep-alive");
    assert_eq!(body(kept), format!("{head}Connection: keep-alive\r\n\r\nhello"));
    assert!(get().keeps_alive() && kept.keeps_alive() && !get().close().keeps_alive());
    assert!(!to("GET / HTTP/1.1\r\nConnection: close").keeps_alive());
}

#[test]
fn answers_go_behind_each_other() {
    let both = written(|out| {
        get().begin(out, 201).empty();
        get().begin(out, 204).empty();
    });
    assert_eq!(
        both,
        "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    );
    assert_eq!(
        written(|out| get().begin(out, 299).empty()),
        "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_body_that_goes_another_way() {
    let mut out = Vec::new();
    assert!(get().begin(&mut out, 200).body_follows("application/octet-stream", 1 << 40));
    assert!(out.ends_with(b"\r\nContent-Length: 1099511627776\r\n\r\n"));
    assert!(!to("HEAD / HTTP/1.1").begin(&mut out, 200).body_follows("text/plain", 7));
}

#[test]
fn errors_say_why() {
    assert_eq!(
        written(|out| get().error(out, 404, "no queue \"a\"\r\n")),
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 43\r\n\r\n\
        {\"error\":\"no queue \\\"a\\\"\\r\\n\",\"status\":404}"
    );
    let refused = written(|out| get().not_allowed(out, "GET, HEAD"));
    assert!(
        refused.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"),
        "{refused}"
    );
    let headless = written(|out| to("HEAD / HTTP/1.1").error(out, 404, "no queue"));
    assert!(headless.ends_with("\r\n\r\n"), "{headless}");
    assert!(written(|out| Reply::last().error(out, 408, "")).contains("\r\nConnection: close\r\n"));
}

#[test]
fn a_value_adds_no_field() {
    let out = written(|out| {
        get()
            .begin(out, 200)
            .header("X", "a\r\nSet-Cookie: b\0\x7f")
            .header("Y", b"\xC3\xBC")
            .empty();
    });
    assert!(out.contains("\r\nX: a  Set-Cookie: b  \r\nY: ü\r\n"), "{out}");
}

fn streamed(reply: Reply) -> (Stream, String) {
    let mut stream = None;
    let out = written(|out| {
        let body = reply.begin(out, 200).stream("text/event-stream");
        body.write(out, b"hello");
        body.write(out, b"");
        body.write(out, &[b'x'; 26]);
        body.end(out);
        stream = Some(body);
    });
    (stream.unwrap(), out)
}

#[test]
fn streams() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let x = "x".repeat(26);
    let (stream, out) = streamed(get());
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(out, format!("{chunked}5\r\nhello\r\n1a\r\n{x}\r\n0\r\n\r\n"));
    assert!(stream.keeps_alive() && !stream.is_ended());
    let (stream, out) = streamed(to("HEAD / HTTP/1.1"));
    assert_eq!(out, chunked);
    assert!(stream.is_ended());
    // To HTTP/1.0 it ends with the connection, whatever the client would have liked.
    let (stream, out) = streamed(to("GET / HTTP/1.0\r\nConnection: keep-alive"));
    assert_eq!(out, format!("{head}Connection: close\r\n\r\nhello{x}"));
    assert!(!stream.keeps_alive());
}

/// What is written in chunks is read again by the parser.
#[test]
fn chunks_there_and_back() {
    let mut out = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let body = get().begin(&mut Vec::new(), 200).stream("text/plain");
    let pieces: Vec<Vec<u8>> = [1, 15, 16, 255, 256, 5000].map(|len| vec![b'\r'; len]).into();
    pieces.iter().for_each(|piece| body.write(&mut out, piece));
    body.end(&mut out);
    let mut parser = Parser::new(Limits::default());
    let mut input = &out[..];
    assert!(matches!(parser.next(&mut input), Ok(Some(Event::Request(_)))));
    for piece in &pieces {
        assert_eq!(parser.next(&mut input), Ok(Some(Event::Body(piece))));
    }
    assert_eq!(parser.next(&mut input), Ok(Some(Event::End)));
    assert!(input.is_empty());
}
