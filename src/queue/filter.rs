//! Event filters: `*` is any run of bytes, `?` any one; a `!` before it all turns it round.

/// Does an event's name match a filter, as consumers' filters do? `*` is any run of bytes, `?` any one; a `!` before it all turns it round. For those who read
/// for many: an observer, say, has no filter of its own.
///
/// ```
/// use slipring::event_matches;
///
/// assert!(event_matches("order.*", "order.created"));
/// assert!(!event_matches("order.*", "user.created"));
/// ```
pub fn event_matches(filter: &str, event: &str) -> bool {
    matches(filter.as_bytes(), event.as_bytes())
}

/// Does the event's name match the pattern? Linear in the name for each `*`; no recursion.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.strip_prefix(b"!") {
        Some(rest) => !matches_all(rest, name),
        None => matches_all(pattern, name),
    }
}

fn matches_all(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star stood, and how much of the name it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(want), Some(have)) if *want == b'?' || want == have => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    p = at + 1;
                    n = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("order.*", "order.created", true),
            ("order.*", "order", false),
            ("*.created", "order.created", true),
            ("*.created", "order.created.x", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("o?der", "order", true),
            ("o?der", "oder", false),
            ("**a", "bba", true),
            ("!debug.*", "debug.x", false),
            ("!debug.*", "order.x", true),
            ("!?*", "", true),
            ("!?*", "a", false),
            ("!", "", false),
            ("!!a", "!a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
