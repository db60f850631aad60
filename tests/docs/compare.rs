//! Output, compared with what a page shows of it: `...` stands for any text in a line, or alone on a line for any lines.

/// Is what was seen what the page shows?
pub fn same(shown: &str, seen: &str) -> bool {
    let shown: Vec<&str> = shown.lines().collect();
    let seen: Vec<&str> = seen.lines().collect();
    lines(&shown, &seen)
}

fn lines(shown: &[&str], seen: &[&str]) -> bool {
    match shown.split_first() {
        None => seen.is_empty(),
        Some((&"...", rest)) => (0..=seen.len()).any(|skipped| lines(rest, &seen[skipped..])),
        Some((first, rest)) => seen
            .split_first()
            .is_some_and(|(line, after)| is_line(first, line) && lines(rest, after)),
    }
}

/// With `...` in a line columns may have moved, so that any space is as good as another.
fn is_line(shown: &str, seen: &str) -> bool {
    if !shown.contains("...") {
        return shown == seen;
    }
    let narrow = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, seen) = (narrow(shown), narrow(seen));
    let parts: Vec<&str> = shown.split("...").collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = seen.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    parts[1..parts.len() - 1].iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn dots_stand_for_what_varies() {
    let cases = [
        ("a\nb\n", "a\nb\n", true),
        ("a\n", "a\nb\n", false),
        ("a\n...\n", "a\nb\nc\n", true),
        ("...\nc\n", "a\nb\nc\n", true),
        ("...\nd\n", "a\nb\nc\n", false),
        ("pid ... alive", "pid 12   alive", true),
        ("pid ... alive", "pid 12 dead", false),
        ("a  ...  b ... c", "a 1 b 2 c", true),
        ("a ... b ... c", "a 1 c", false),
        ("a  b", "a b", false),
        ("", "a", false),
    ];
    for (shown, seen, expected) in cases {
        assert_eq!(same(shown, seen), expected, "{shown:?} {seen:?}");
    }
}
