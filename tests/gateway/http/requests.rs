//! Requests, good and bad, and what a server sees of them.

use slipring::gateway::http::{Event, Limits, Method, Parser, Request};

/// What is sent, and what is seen, in words.
pub const GOOD: &[(&str, &[&str])] = &[
    ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &["Get / localhost"]),
    ("GET / HTTP/1.1\r\nhOsT:localhost:8080\t \r\n\r\n", &["Get / localhost:8080"]),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", &["Get / "]),
    ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &["Get / [::1]:80"]),
    ("HEAD /a/b?c=d&e HTTP/1.1\r\nHost: a\r\n\r\n", &["Head /a/b?c=d&e a"]),
    ("GET /? HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /? a"]),
    ("GET /a?b?c/d HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /a?b?c/d a"]),
    ("GET //a/../b HTTP/1.1\r\nHost: a\r\n\r\n", &["Get //a/../b a"]),
    ("GET /%C3%BC%20?x=%25+ HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /%C3%BC%20?x=%25+ a"]),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &["Options * a"]),
    ("PUT / HTTP/1.1\r\nHost: a\r\n\r\n", &["Put / a"]),
    ("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", &["Patch / a"]),
    ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", &["Delete / a"]),
    ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", &["Other / a"]),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", &["Other / a"]),
    // For proxies: what the target says counts.
    ("GET http://b:81/c?d HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /c?d b:81"]),
    ("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", &["Get / b"]),
    ("GET http://b?c HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /?c b"]),
    ("GET /http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /http://b/c a"]),
    // Who goes on and who does not.
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &["Get / a close"]),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", &["Get / a close"]),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", &["Get / a close"]),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", &["Get / a"]),
    ("GET / HTTP/1.0\r\n\r\n", &["Get / - close"]),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &["Get / -"]),
    ("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive, close\r\n\r\n", &["Get / a close"]),
    // Empty lines before it.
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["Get / a"]),
    ("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n", &["Get / a"]),
    // Bodies.
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        &["Post / a length=5", "body hello"],
    ),
    (
        "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        &["Post / - length=5 close", "body hello"],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0005 \r\n\r\nhello",
        &["Post / a length=5", "body hello"],
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &["Post / a"]),
    ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", &["Post / a"]),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n",
        &["Get / a length=2", "body \\r\\n"],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        &["Post / a chunked", "body hello!"],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n",
        &["Post / a chunked", "body "],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         00000000000000A;name=value;\t\"quoted\"\r\n0123456789\r\n000\r\nX-Sum: 1\r\nY:\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
        &["Post / a chunked", "body 0123456789", "Get /next a"],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n",
        &["Post / a chunked", "body \\r\\n"],
    ),
    // A client that waits for leave.
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
        &["Post / a length=1 continue", "body x"],
    ),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", &["Get / a"]),
    (
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        &["Post / - length=1 close", "body x"],
    ),
    // One after the other.
    (
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
         POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["Get /1 a", "Post /2 a length=3", "body abc", "Post /3 a chunked", "body z", "Get /4 a"],
    ),
];

/// A request whose header fields are these; however long its body is taken to be, another request seems to follow.
macro_rules! fields {
    ($fields:literal) => {
        concat!(
            "POST / HTTP/1.1\r\nHost: a\r\n",
            $fields,
            "\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        .as_bytes()
    };
}

/// A body that begins with these chunks, and a request that seems to follow.
macro_rules! chunks {
    ($chunks:literal) => {
        concat!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            $chunks,
            "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        .as_bytes()
    };
}

/// A body that ends with these trailers, and a request that seems to follow.
macro_rules! trailers {
    ($trailers:literal) => {
        concat!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            $trailers,
            "\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        .as_bytes()
    };
}

/// The refusal, and what is refused.
pub const BAD: &[(u16, &[u8])] = &[
    // Two lengths, or none that all read alike.
    (400, fields!("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")),
    (400, fields!("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")),
    (400, fields!("Transfer-Encoding: chunked\r\ncontent-length: 0\r\n")),
    (400, fields!("Content-Length: 3\r\nContent-Length: 3\r\n")),
    (400, fields!("Content-Length: 3\r\nContent-Length: 4\r\n")),
    (400, fields!("Content-Length: 3, 3\r\n")),
    (400, fields!("Content-Length: +3\r\n")),
    (400, fields!("Content-Length: -3\r\n")),
    (400, fields!("Content-Length: 0x3\r\n")),
    (400, fields!("Content-Length: 3 3\r\n")),
    (400, fields!("Content-Length: 3;\r\n")),
    (400, fields!("Content-Length: 3.0\r\n")),
    (400, fields!("Content-Length: \r\n")),
    (400, fields!("Content-Length: \u{663}\r\n")),
    (400, fields!("Content-Length : 3\r\n")),
    (400, fields!("Content-Length\t: 3\r\n")),
    (413, fields!("Content-Length: 1048577\r\n")),
    (413, fields!("Content-Length: 18446744073709551621\r\n")),
    (501, fields!("Transfer-Encoding: gzip\r\n")),
    (501, fields!("Transfer-Encoding: identity\r\n")),
    (501, fields!("Transfer-Encoding: gzip, chunked\r\n")),
    (501, fields!("Transfer-Encoding: chunked, chunked\r\n")),
    (501, fields!("Transfer-Encoding: chunked, identity\r\n")),
    (501, fields!("Transfer-Encoding: xchunked\r\n")),
    (501, fields!("Transfer-Encoding: \"chunked\"\r\n")),
    (501, fields!("Transfer-Encoding: chunked;q=1\r\n")),
    (501, fields!("Transfer-Encoding: \r\n")),
    (400, fields!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    (400, fields!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
    (400, fields!("Transfer-Encoding : chunked\r\n")),
    (400, fields!("Transfer-Encoding: \x0bchunked\r\n")),
    (400, fields!("Transfer-Encoding: chunked\0\r\n")),
    (400, fields!(" Transfer-Encoding: chunked\r\n")),
    (400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // Lines that some see and others don't.
    (400, fields!("X: y\r\n Content-Length: 3\r\n")),
    (400, fields!("X: y\r\n\tz\r\n")),
    (400, fields!("X:\r\n y\r\n")),
    (400, fields!("X: y\nContent-Length: 3\r\n")),
    (400, fields!("X: y\rContent-Length: 3\r\n")),
    (400, fields!("X: y\r\r\n")),
    (400, b"GET / HTTP/1.1\nHost: a\n\nGET /smuggled HTTP/1.1\nHost: a\n\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, fields!("X\r\n")),
    (400, fields!(": y\r\n")),
    (400, fields!("X y: z\r\n")),
    (400, fields!("X\x01: z\r\n")),
    (400, fields!("X: \x01\r\n")),
    (400, fields!("X: \x7f\r\n")),
    (400, fields!("\u{fc}: z\r\n")),
    // Which server is meant.
    (400, b"GET / HTTP/1.1\r\n\r\n"),
    (400, b"GET http://a/ HTTP/1.1\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n"),
    // The request line.
    (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\r\nHost: a\r\n\r\n"),
    (400, b"GET / \r\nHost: a\r\n\r\n"),
    (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /?a=% HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /%FF HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /?a=%C3 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /?%C3&%BC HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\xFF HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"G{T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    (417, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx"),
    // Chunks.
    (400, chunks!("5\nhello\r\n")),
    (400, chunks!("5\r\nhello\n")),
    (400, chunks!("5\r\nhello")),
    (400, chunks!("5\r\nhello!\r\n")),
    (400, chunks!("5\r\nhell\r\n")),
    (400, chunks!("5\rhello\r\n")),
    (400, chunks!("\r\n")),
    (400, chunks!("5 \r\nhello\r\n")),
    (400, chunks!(" 5\r\nhello\r\n")),
    (400, chunks!("+5\r\nhello\r\n")),
    (400, chunks!("-5\r\nhello\r\n")),
    (400, chunks!("0x5\r\nhello\r\n")),
    (400, chunks!("5_\r\nhello\r\n")),
    (400, chunks!("g\r\nhello\r\n")),
    (400, chunks!(";\r\nhello\r\n")),
    (400, chunks!("00000000000000005\r\nhello\r\n")),
    (400, chunks!("10000000000000005\r\nhello\r\n")),
    (400, chunks!("5;a\nb\r\nhello\r\n")),
    (400, chunks!("5;a\rb\r\nhello\r\n")),
    (400, chunks!("5;\0\r\nhello\r\n")),
    (413, chunks!("fffffffffffffff0\r\nhello\r\n")),
    (413, chunks!("100001\r\nhello\r\n")),
    (400, trailers!(" x: y\r\n")),
    (400, trailers!("x: y\n\r\n")),
    (400, trailers!("x: y\rz\r\n")),
    (400, trailers!("x: \0\r\n")),
    (400, trailers!("\n")),
];

fn with<T>(bytes: &[u8], test: impl FnOnce(Request) -> T) -> T {
    let mut parser = Parser::new(Limits::default());
    match parser.next(&mut &*bytes) {
        Ok(Some(Event::Request(request))) => test(request),
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_fields_than_there_is_room_for() {
    let request = |fields: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(fields - 1)).into_bytes()
    };
    with(&request(64), |request| assert_eq!(request.headers().count(), 64));
    let mut parser = Parser::new(Limits::default());
    assert_eq!(parser.next(&mut &request(65)[..]).unwrap_err().status, 431);
}

#[test]
fn a_chunks_line_is_short() {
    let chunk = |len: usize| {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}1;{}\r\nx\r\n", "e".repeat(len - 4)).into_bytes()
    };
    for (len, well) in [(256, true), (257, false)] {
        let (mut parser, bytes) = (Parser::new(Limits::default()), chunk(len));
        let mut input = &bytes[..];
        assert!(parser.next(&mut input).is_ok());
        assert_eq!(parser.next(&mut input).is_ok(), well, "{len}");
    }
}

#[test]
fn fields_are_found() {
    let bytes =
        b"\r\nGET / HTTP/1.1\r\nhost: a\r\nX-One:  1 \r\nx-two: a, b ,,c\r\nX-TWO: D\r\nempty:\r\n\
        latin: \xE9\r\nlast: x:y\r\n\r\n";
    with(bytes, |request| {
        assert_eq!(request.header("Host"), Some(&b"a"[..]));
        assert_eq!(request.header("x-one"), Some(&b"1"[..]));
        assert_eq!(request.header("Empty"), Some(&b""[..]));
        assert_eq!(request.header("Latin"), Some(&b"\xE9"[..]));
        assert_eq!(request.header("Last"), Some(&b"x:y"[..]));
        assert_eq!(request.header("X"), None);
        assert_eq!(request.header(""), None);
        assert_eq!(request.tokens("X-Two").collect::<Vec<_>>(), [&b"a"[..], b"b", b"c", b"D"]);
        assert!(request.has_token("x-two", "d") && !request.has_token("x-two", "a, b"));
        let names: Vec<&str> = request.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["host", "X-One", "x-two", "X-TWO", "empty", "latin", "last"]);
    });
}

#[test]
fn targets_are_decoded() {
    let bytes = "GET /a%2Fb+c/%C3%BC?x=1+2%2B3&y&x=4&&%7a=%3D%26&=e&ü=%E2%82%AC HTTP/1.1\r\nHost: a\r\n\r\n";
    with(bytes.as_bytes(), |request| {
        assert_eq!(request.method, Method::Get);
        assert_eq!(request.path, "/a%2Fb+c/%C3%BC");
        assert_eq!(request.decoded_path(), "/a/b+c/ü");
        assert_eq!(request.param("x").as_deref(), Some("1 2+3"));
        assert_eq!(request.param("y").as_deref(), Some(""));
        assert_eq!(request.param("z").as_deref(), Some("=&"));
        assert_eq!(request.param("ü").as_deref(), Some("€"));
        assert_eq!(request.param("X"), None);
        let all: Vec<String> =
            request.params().map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(all, ["x:1 2+3", "y:", "x:4", "z:=&", ":e", "ü:€"]);
    });
}
