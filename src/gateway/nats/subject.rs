//! Subjects: tokens joined by dots, `*` for any one token, `>` for one or more at the end.

/// The tokens of a subject.
pub(super) fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> {
    subject.split(|byte| *byte == b'.')
}

/// Whether a subscription may use this subject: no empty token, no white space, `>` only as the last token.
pub fn is_valid(subject: &[u8]) -> bool {
    let mut ended = false;
    let blank = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ');
    tokens(subject).all(|token| {
        let valid = !ended && !token.is_empty() && !token.iter().any(blank);
        ended = token == b">";
        valid
    })
}

/// Whether a message may be published to this subject: valid, and no token is a wildcard.
pub fn is_literal(subject: &[u8]) -> bool {
    is_valid(subject) && !has_wildcard(subject)
}

/// Whether a token of this subject is a wildcard.
pub fn has_wildcard(subject: &[u8]) -> bool {
    tokens(subject).any(|token| token == b"*" || token == b">")
}

/// Whether a message published to `subject` goes to subscriptions of `pattern`. A wildcard in `subject` stands for itself.
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    pattern == subject
        || walk(pattern, subject, |pattern, token| pattern == b"*" || pattern == token)
}

/// Whether every subject that matches `narrower` matches `wider` too: what may be subscribed to where `wider` is allowed.
pub fn covers(wider: &[u8], narrower: &[u8]) -> bool {
    walk(wider, narrower, |wider, token| (wider == b"*" && token != b">") || wider == token)
}

/// Compares token by token; a `>` in the pattern takes all that is left.
fn walk(pattern: &[u8], subject: &[u8], same: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let mut rest = tokens(subject);
    for token in tokens(pattern) {
        match rest.next() {
            None | Some([]) => return false,
            Some(_) if token == b">" => return rest.all(|token| !token.is_empty()),
            Some(other) if same(token, other) => {}
            Some(_) => return false,
        }
    }
    rest.next().is_none()
}
