//! The head of a request: where it ends, and what it says about what follows.

use httparse::{EMPTY_HEADER, Header, Status};
use memchr::memchr;

use super::Error;
use super::request::{Body, Method, Request, Target, tokens};

/// Header fields in a head.
const MAX_FIELDS: usize = 64;

/// The search for the empty line that ends a head, in bytes that come in pieces. Each is looked at once.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes seen.
    pub(super) len: usize,
    /// Bytes seen of the present line.
    line: usize,
    last: u8,
    /// A line that is not empty has been seen: empty ones before the request line are skipped.
    started: bool,
}

impl Scan {
    /// Where in `bytes` the head ends. Lines end with CR and LF; others may end them with LF alone, and would see other lines.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let mut at = 0;
        while let Some(found) = memchr(b'\n', &bytes[at..]) {
            let before = if at + found > 0 { bytes[at + found - 1] } else { self.last };
            let line = self.line + found;
            if line == 0 || before != b'\r' {
                return Err(Error::bad("a line that ends without CR"));
            }
            at += found + 1;
            self.line = 0;
            if line > 1 {
                self.started = true;
            } else if self.started {
                self.len += at;
                return Ok(Some(at));
            }
        }
        self.line += bytes.len() - at;
        self.len += bytes.len();
        self.last = bytes.last().copied().unwrap_or(self.last);
        Ok(None)
    }
}

/// Reads a whole head, the empty line included.
pub(super) fn parse(head: &[u8]) -> Result<Request<'_>, Error> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(Error::bad("the head ends early")),
        Err(error) => return Err(refused(error, head)),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Error::bad("no request line"));
    };
    let method = Method::parse(method);
    let target = Target::parse(target, method)?;
    let http_1_1 = parsed.version == Some(1);
    let framing = Framing::read(parsed.headers, http_1_1)?;
    Ok(Request {
        method,
        path: target.path,
        query: target.query,
        host: target.authority.map(str::as_bytes).or(framing.host),
        body: framing.body,
        keep_alive: if http_1_1 { !framing.close } else { framing.keep_alive && !framing.close },
        expects_continue: framing.expects_continue && framing.body != Body::None,
        http_1_1,
        fields: lines(head).1,
    })
}

fn refused(error: httparse::Error, head: &[u8]) -> Error {
    use httparse::Error as E;
    match error {
        E::TooManyHeaders => Error { status: 431, reason: "more than 64 header fields" },
        E::Version if has_version(lines(head).0) => {
            Error { status: 505, reason: "the version is neither HTTP/1.1 nor HTTP/1.0" }
        }
        E::HeaderName => Error::bad("a header field's name with a character that may not be there"),
        E::HeaderValue => {
            Error::bad("a header field's value with a character that may not be there")
        }
        _ => Error::bad("not a request of HTTP/1.1"),
    }
}

/// Whether a request line ends with a version of HTTP.
fn has_version(request_line: &[u8]) -> bool {
    let words: Vec<&[u8]> = request_line.split(|byte| *byte == b' ').collect();
    let [_, _, version] = words[..] else { return false };
    matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

/// The request line without its end, and the lines of the header fields.
fn lines(head: &[u8]) -> (&[u8], &[u8]) {
    let start = head.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(head.len());
    let head = head[start..].strip_suffix(b"\r\n").unwrap_or_default();
    let end = memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let (request_line, fields) = head.split_at(end);
    (request_line.strip_suffix(b"\r\n").unwrap_or(request_line), fields)
}

/// What the fields say about the body and the connection.
#[derive(Default)]
struct Framing<'a> {
    host: Option<&'a [u8]>,
    body: Body,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'a> Framing<'a> {
    fn read(fields: &[Header<'a>], http_1_1: bool) -> Result<Self, Error> {
        let mut this = Self::default();
        let (mut length, mut coding) = (None, None);
        for field in fields {
            let (is, value) = (|name| field.name.eq_ignore_ascii_case(name), field.value);
            if is("host") {
                once(&mut this.host, value, "more than one Host")?;
            } else if is("content-length") {
                once(&mut length, value, "more than one Content-Length")?;
            } else if is("transfer-encoding") {
                once(&mut coding, value, "more than one Transfer-Encoding")?;
            } else if is("connection") {
                this.close |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"close"));
                this.keep_alive |=
                    tokens(value).any(|token| token.eq_ignore_ascii_case(b"keep-alive"));
            } else if is("expect") && http_1_1 {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Error { status: 417, reason: "Expect knows 100-continue only" });
                }
                this.expects_continue = true;
            }
        }
        match this.host {
            None if http_1_1 => return Err(Error::bad("no Host")),
            Some(host) if !host.iter().all(is_of_host) => {
                return Err(Error::bad("a Host with a character that may not be there"));
            }
            _ => {}
        }
        this.body = body(length, coding, http_1_1)?;
        Ok(this)
    }
}

fn once<'a>(
    place: &mut Option<&'a [u8]>,
    value: &'a [u8],
    reason: &'static str,
) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::bad(reason)),
    }
}

fn is_of_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)
}

/// One way alone to say how long a body is, and it is one that nobody reads otherwise.
fn body(length: Option<&[u8]>, coding: Option<&[u8]>, http_1_1: bool) -> Result<Body, Error> {
    match (length, coding) {
        (None, None) => Ok(Body::None),
        (Some(_), Some(_)) => Err(Error::bad("both Content-Length and Transfer-Encoding")),
        (None, Some(_)) if !http_1_1 => Err(Error::bad("Transfer-Encoding in HTTP/1.0")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
        (None, Some(_)) => {
            Err(Error { status: 501, reason: "no Transfer-Encoding but chunked is known" })
        }
        (Some(digits), None) => {
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Error::bad("a Content-Length that is no number"));
            }
            let add = |len: u64, digit: &u8| {
                len.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
            };
            Ok(match digits.iter().fold(0, add) {
                0 => Body::None,
                len => Body::Length(len),
            })
        }
    }
}
