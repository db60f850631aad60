//! Answers.

use serde_json::json;

/// What a client that [expects it](super::Request::expects_continue) is told before it sends the body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How an answer is to be written: all that has to be known of the request by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) http_1_1: bool,
    pub(super) without_body: bool,
    pub(super) keep_alive: bool,
}

impl Reply {
    /// The last answer on a connection, to something that was no request.
    pub fn last() -> Self {
        Self { http_1_1: true, without_body: false, keep_alive: false }
    }

    /// The same, but the connection ends with it, and the client is told.
    pub fn close(self) -> Self {
        Self { keep_alive: false, ..self }
    }

    /// The connection goes on after this answer. (After a [`Stream`], ask that one.)
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Begins an answer behind `out`.
    pub fn begin(self, out: &mut Vec<u8>, status: u16) -> ReplyHead<'_> {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, u64::from(status), 10);
        out.push(b' ');
        out.extend_from_slice(phrase(status).as_bytes());
        out.extend_from_slice(b"\r\n");
        ReplyHead { reply: self, status, out }
    }

    /// An answer that says what is wrong: `{"status":404,"error":"no such queue"}`.
    pub fn error(self, out: &mut Vec<u8>, status: u16, reason: &str) {
        self.begin(out, status).error(reason);
    }

    /// 405, for a path that is there but not for this method; `allow` names those it is there for: `GET, HEAD`.
    pub fn not_allowed(self, out: &mut Vec<u8>, allow: &str) {
        self.begin(out, 405).header("Allow", allow).error("this path has no such method");
    }
}

/// An answer whose header fields are being written. What ends it decides what follows them.
#[derive(Debug)]
#[must_use = "an answer without an end"]
pub struct ReplyHead<'o> {
    reply: Reply,
    status: u16,
    out: &'o mut Vec<u8>,
}

impl ReplyHead<'_> {
    /// Adds a field. A control character in the value, which would end it, becomes a space.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let printable = |byte: &u8| if byte.is_ascii_control() { b' ' } else { *byte };
        self.out.extend(value.as_ref().iter().map(printable));
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Ends with a body.
    pub fn body(self, content_type: &str, body: &[u8]) {
        let out = self.header("Content-Type", content_type).finish_sized(body.len() as u64);
        if let Some(out) = out {
            out.extend_from_slice(body);
        }
    }

    /// Ends with a body of so many bytes that is sent by other means. `false`: it must not be, since only the head was asked for.
    #[must_use]
    pub fn body_follows(self, content_type: &str, len: u64) -> bool {
        self.header("Content-Type", content_type).finish_sized(len).is_some()
    }

    /// Ends without a body.
    pub fn empty(self) {
        match self.status {
            // These have none anyway, and must not tell a length.
            100..200 | 204 | 304 => {
                self.finish();
            }
            _ => {
                self.finish_sized(0);
            }
        }
    }

    /// Ends with what is wrong, in JSON.
    pub fn error(self, reason: &str) {
        let body = json!({ "status": self.status, "error": reason }).to_string();
        self.body("application/json", body.as_bytes());
    }

    /// Ends with a body whose length is not known, such as a stream of events.
    pub fn stream(mut self, content_type: &str) -> Stream {
        let chunked = self.reply.http_1_1;
        // To HTTP/1.0 the end of the connection is the end of the body.
        self.reply.keep_alive &= chunked;
        let stream = Stream {
            chunked,
            without_body: self.reply.without_body,
            keep_alive: self.reply.keep_alive,
        };
        let head = self.header("Content-Type", content_type);
        let head = if chunked { head.header("Transfer-Encoding", "chunked") } else { head };
        head.finish();
        stream
    }
}

impl<'o> ReplyHead<'o> {
    /// The place for a body, if it is to be sent.
    fn finish_sized(self, len: u64) -> Option<&'o mut Vec<u8>> {
        self.out.extend_from_slice(b"Content-Length: ");
        push_number(self.out, len, 10);
        self.out.extend_from_slice(b"\r\n");
        let without_body = self.reply.without_body;
        let out = self.finish();
        (!without_body).then_some(out)
    }

    fn finish(self) -> &'o mut Vec<u8> {
        if !self.reply.keep_alive {
            self.out.extend_from_slice(b"Connection: close\r\n");
        } else if !self.reply.http_1_1 {
            self.out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        self.out.extend_from_slice(b"\r\n");
        self.out
    }
}

/// A body that goes on until it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    chunked: bool,
    without_body: bool,
    keep_alive: bool,
}

impl Stream {
    /// Only the head was asked for: nothing is to be sent.
    pub fn is_ended(&self) -> bool {
        self.without_body
    }

    /// The connection goes on after this body.
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Appends bytes of the body.
    pub fn write(&self, out: &mut Vec<u8>, data: &[u8]) {
        // An empty chunk would be the end.
        if self.without_body || data.is_empty() {
            return;
        }
        if !self.chunked {
            out.extend_from_slice(data);
            return;
        }
        push_number(out, data.len() as u64, 16);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the end of the body.
    pub fn end(self, out: &mut Vec<u8>) {
        if self.chunked && !self.without_body {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64, base: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        // It may be left out.
        _ => "",
    }
}
