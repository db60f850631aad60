//! Subjects of NATS, and queues and events: `orders.created.eu` is the event `created.eu` of the queue `orders`.

use super::super::access::Grant;
use super::super::problem::Problem;
use crate::gateway::nats::subject;

/// The longest name of a queue.
const LONGEST: usize = 128;

/// Answers to requests are no matter of queues.
const INBOX: &[u8] = b"_INBOX";

/// The queue and the event that a subject names, if it can name some. The event is empty if the subject is the queue's name alone.
pub(super) fn place(subject: &[u8]) -> Option<(&str, &str)> {
    let (queue, event) = split(subject);
    (can_be_queue(queue) && subject::is_literal(subject))
        .then(|| Some((std::str::from_utf8(queue).ok()?, std::str::from_utf8(event).ok()?)))?
}

/// A subject's first token, and the others.
fn split(subject: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'.', subject) {
        Some(dot) => (&subject[..dot], &subject[dot + 1..]),
        None => (subject, b""),
    }
}

fn can_be_queue(token: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    token != INBOX && token.len() <= LONGEST && token.iter().all(allowed)
}

/// What queues a subscription is about.
pub(super) enum Wanted<'a> {
    None,
    One(&'a str),
    All,
}

impl<'a> Wanted<'a> {
    pub(super) fn by(pattern: &'a [u8]) -> Self {
        match split(pattern).0 {
            b"*" | b">" => Self::All,
            name if can_be_queue(name) => std::str::from_utf8(name).map_or(Self::None, Self::One),
            _ => Self::None,
        }
    }

    /// Whether a client may receive of these; from wildcards it gets what it may.
    pub(super) fn check(&self, grant: Option<&Grant>) -> Result<(), Problem> {
        match (self, grant) {
            (Self::One(name), Some(grant)) => grant.subscribe(name),
            (_, Some(_)) => Ok(()),
            (_, None) => Err(Problem::new(401, "a token is needed")),
        }
    }

    /// Whether a queue of this name is meant. One with a dot in its name is out of reach.
    pub(super) fn is(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::One(wanted) => *wanted == name,
            Self::All => can_be_queue(name.as_bytes()),
        }
    }
}

/// The events of a queue that match a subject's pattern, as a filter of the queue. It may let more through: what matters is the subject.
pub(super) fn filter(pattern: &[u8]) -> String {
    let (first, rest) = split(pattern);
    if rest.is_empty() {
        // Only `>` goes on by itself, to no event and to any.
        return if first == b">" { "*".into() } else { "!?*".into() };
    }
    let wild = |token: &[u8]| match token {
        b"*" | b">" => "?*".into(),
        literal => String::from_utf8_lossy(literal).into_owned(),
    };
    rest.split(|byte| *byte == b'.').map(wild).collect::<Vec<_>>().join(".")
}

/// Whether a pattern stands for all of a queue, or for as much of it as a subject can say.
pub(super) fn is_whole(pattern: &[u8]) -> bool {
    matches!(split(pattern).1, b"" | b">")
}

/// Writes the subject of a queue's event. What no subject can have is written as `%` and two digits: white space and control characters, a dot beside which a
/// token is missing, a token that would be a wildcard.
pub(super) fn write(queue: &str, event: Option<&str>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(queue.as_bytes());
    let Some(event) = event else { return };
    out.push(b'.');
    let bytes = event.as_bytes();
    let is_plain = |byte: &u8| !matches!(byte, 0..=b' ' | 0x7F | b'*' | b'>' | b'.');
    if bytes.iter().all(is_plain)
        || subject::is_literal(bytes) && !bytes.iter().any(u8::is_ascii_control)
    {
        return out.extend_from_slice(bytes);
    }
    for (at, byte) in bytes.iter().enumerate() {
        let beside = |at: usize| bytes.get(at).is_none_or(|byte| *byte == b'.');
        let (before, after) = (at == 0 || beside(at - 1), beside(at + 1));
        let escaped = match byte {
            0..=b' ' | 0x7F => true,
            b'.' => before || at + 1 == bytes.len(),
            b'*' | b'>' => before && after,
            _ => false,
        };
        if escaped {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{filter, place, subject, write};

    #[test]
    fn subjects_name_queues_and_events() {
        assert_eq!(place(b"orders.created.eu"), Some(("orders", "created.eu")));
        assert_eq!(place(b"orders"), Some(("orders", "")));
        for none in ["_INBOX.x.1", "$SYS.x", "a b", "orders.*", "orders..x", "", "\u{e4}.x"] {
            assert_eq!(place(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn any_event_has_a_subject() {
        for (event, expected) in [
            ("created", "q.created"),
            ("a.b", "q.a.b"),
            ("a b\n", "q.a%20b%0A"),
            (".a", "q.%2Ea"),
            ("a.", "q.a%2E"),
            ("a..b", "q.a.%2Eb"),
            ("...", "q.%2E%2E%2E"),
            ("*", "q.%2A"),
            ("a.>", "q.a.%3E"),
            ("a*.>b", "q.a*.>b"),
        ] {
            let mut written = Vec::new();
            write("q", Some(event), &mut written);
            assert_eq!(String::from_utf8_lossy(&written), expected);
            assert!(subject::is_literal(&written), "{expected}");
        }
    }

    #[test]
    fn filters_let_through_what_matches() {
        for (pattern, expected) in [
            ("q", "!?*"),
            ("q.>", "?*"),
            ("q.a", "a"),
            ("*.a.*.b.>", "a.?*.b.?*"),
            (">", "*"),
            ("*", "!?*"),
        ] {
            assert_eq!(filter(pattern.as_bytes()), expected);
        }
    }
}
