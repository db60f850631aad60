//! Server-sent events (`text/event-stream`), as browsers' `EventSource` reads them.

use super::reply::push_number;

/// An event for a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent<'a> {
    /// What a client that comes back sends as `Last-Event-ID`.
    pub id: Option<&'a str>,
    /// Its name; `message` to the page if there is none.
    pub event: Option<&'a str>,
    /// After how many milliseconds a client that lost the connection is to come back.
    pub retry: Option<u64>,
    /// Its payload, of any number of lines. (CR LF and CR arrive as LF.) Without one, the page sees no event, but the client keeps id and retry.
    pub data: Option<&'a str>,
}

impl ServerSentEvent<'_> {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in [("id", self.id), ("event", self.event)] {
            if let Some(value) = value {
                // A NUL would make clients ignore an id, and a line's end would begin another field.
                let clean = value.chars().filter(|c| !"\0\r\n".contains(*c));
                field(out, name, clean.collect::<String>().as_bytes());
            }
        }
        if let Some(retry) = self.retry {
            out.extend_from_slice(b"retry: ");
            push_number(out, retry, 10);
            out.push(b'\n');
        }
        if let Some(data) = self.data {
            lines(data, |line| field(out, "data", line.as_bytes()));
        }
        out.push(b'\n');
    }

    /// Appends a comment, which clients ignore: a heartbeat, so that proxies keep the connection.
    pub fn write_comment(out: &mut Vec<u8>, text: &str) {
        lines(text, |line| field(out, "", line.as_bytes()));
        out.push(b'\n');
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Lines as clients see them: they end with CR LF, LF or CR.
fn lines(text: &str, mut line: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(end) = rest.find(['\r', '\n']) {
        line(&rest[..end]);
        let after = &rest[end..];
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
    }
    line(rest);
}
