//! Subjects, the index of subscriptions, permissions and headers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use slipring::gateway::nats::{Headers, Index, Rules, subject};

#[test]
fn validity() {
    let valid = [
        "a", "a.b", "*", ">", "a.*.b", "a.>", "*.*.>", "a*", "a>.b", "$SYS.x", "ä.b", "**", ">>.a",
    ];
    let invalid = ["", ".", "a.", ".a", "a..b", ">.a", "a.>.b", "a b", "a\tb", "a.\r", "\n"];
    for text in valid {
        assert!(subject::is_valid(text.as_bytes()), "{text:?}");
    }
    for text in invalid {
        assert!(!subject::is_valid(text.as_bytes()), "{text:?}");
        assert!(!subject::is_literal(text.as_bytes()), "{text:?}");
    }
    for text in ["*", ">", "a.*", "a.>", "*.a"] {
        assert!(!subject::is_literal(text.as_bytes()), "{text:?}");
        assert!(subject::has_wildcard(text.as_bytes()), "{text:?}");
    }
    for text in ["a", "a*.b", "a.>b"] {
        assert!(subject::is_literal(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn matching() {
    let yes = [
        ("a", "a"),
        ("*", "a"),
        (">", "a.b.c"),
        ("a.>", "a.b"),
        ("a.*.c", "a.b.c"),
        ("*.b", "*.b"),
        ("a.*", "a.>"),
    ];
    let no = [
        ("a", "b"),
        ("a", "a.b"),
        ("a.b", "a"),
        ("*", "a.b"),
        ("a.>", "a"),
        ("a.*", "a"),
        (">", ""),
        ("*", ""),
        ("a.>", "a..b"),
        (">", "a."),
    ];
    for (pattern, text) in yes {
        assert!(subject::matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
    }
    for (pattern, text) in no {
        assert!(!subject::matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
    }
    assert!(
        !subject::covers(b"a.*", b"a.>")
            && subject::covers(b"a.>", b"a.*.>")
            && subject::covers(b"a.*", b"a.*")
    );
}

#[test]
fn permissions() {
    let list = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let rules = Rules { allow: Some(list(&["a.>", "b.*"])), deny: list(&["a.secret.>"]) };
    assert!(rules.allow_publish(b"a.x") && rules.allow_publish(b"b.x"));
    assert!(
        !rules.allow_publish(b"c")
            && !rules.allow_publish(b"a.secret.x")
            && !rules.allow_publish(b"b.x.y")
    );
    assert!(
        rules.allow_subscribe(b"a.>")
            && rules.allow_subscribe(b"b.*")
            && rules.allow_subscribe(b"a.*.x")
    );
    assert!(
        !rules.allow_subscribe(b">")
            && !rules.allow_subscribe(b"b.>")
            && !rules.allow_subscribe(b"a.secret.*")
    );
    assert!(rules.deny_delivery(b"a.secret.x") && !rules.deny_delivery(b"a.x"));
    let all = Rules::default();
    assert!(all.allow_publish(b"x") && all.allow_subscribe(b">") && !all.deny_delivery(b"x"));
    let none = Rules { allow: Some(Vec::new()), deny: Vec::new() };
    assert!(!none.allow_publish(b"x") && !none.allow_subscribe(b"x"));
}

#[test]
fn headers() {
    let good: [(&str, &[(&str, &str)]); 8] = [
        ("", &[]),
        ("NATS/1.0\r\n\r\n", &[]),
        ("NATS/1.0 503\r\n\r\n", &[]),
        ("NATS/1.0 100 Idle Heartbeat\r\nA:1\r\n\r\n", &[("A", "1")]),
        ("NATS/1.0\r\nA: b: c\r\nA:\r\n\r\n", &[("A", "b: c"), ("A", "")]),
        ("NATS/1.0\r\nA:  b \t\r\n\r\n", &[("A", "b")]),
        ("NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n", &[("Nats-Msg-Id", "7")]),
        ("NATS/1.0\r\nnats-msg-id: 7\r\n\r\n", &[("nats-msg-id", "7")]),
    ];
    for (block, expected) in good {
        let headers = Headers::parse(block.as_bytes()).unwrap_or_else(|| panic!("{block:?}"));
        let found: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(found, expected, "{block:?}");
        let id =
            expected.iter().find(|header| header.0 == b"Nats-Msg-Id").map(|header| &header.1[..]);
        assert_eq!(headers.message_id(), id);
        assert_eq!(headers.as_bytes(), block.as_bytes());
    }
    let empty = Headers::parse(b"NATS/1.0\r\nNats-Msg-Id: \r\n\r\n").unwrap();
    assert_eq!(empty.message_id(), None);
    let bad = [
        "x",
        "NATS/1.0",
        "NATS/1.0\r\n",
        "NATS/1.1\r\n\r\n",
        "nats/1.0\r\n\r\n",
        "NATS/1.0x\r\n\r\n",
        "NATS/1.0\r\nA\r\n\r\n",
        "NATS/1.0\r\n: x\r\n\r\n",
        "NATS/1.0\r\nA b: x\r\n\r\n",
        "NATS/1.0\r\nA: x\r\n",
        "NATS/1.0\r\nA: x\ny: z\r\n\r\n",
        "NATS/1.0\r\nA: x\ry\r\n\r\n",
        "NATS/1.0\r\n\r\n\r\n",
        "NATS/1.0\r\n\r\nrest",
        "NATS/1.0 5\n3\r\n\r\n",
    ];
    for block in bad {
        assert_eq!(Headers::parse(block.as_bytes()), None, "{block:?}");
    }
}

/// What the index should do, by looking at each subscription.
#[derive(Default)]
struct Naive(BTreeSet<(String, Option<String>, u8)>);

impl Naive {
    fn matches(&self, subject: &str) -> (Vec<u8>, BTreeMap<String, Vec<u8>>) {
        let (mut plain, mut groups) = (Vec::new(), BTreeMap::<String, Vec<u8>>::new());
        for (pattern, group, key) in &self.0 {
            if naive_match(pattern, subject) {
                match group {
                    None => plain.push(*key),
                    Some(group) => groups.entry(group.clone()).or_default().push(*key),
                }
            }
        }
        plain.sort_unstable();
        groups.values_mut().for_each(|members| members.sort_unstable());
        (plain, groups)
    }
}

fn naive_match(pattern: &str, subject: &str) -> bool {
    let (pattern, subject): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), subject.split('.').collect());
    if subject.contains(&"") {
        return false;
    }
    let same = |(pattern, token): (&&str, &&str)| *pattern == "*" || pattern == token;
    match pattern.split_last() {
        Some((&">", before)) => {
            subject.len() > before.len() && before.iter().zip(&subject).all(same)
        }
        _ => subject.len() == pattern.len() && pattern.iter().zip(&subject).all(same),
    }
}

fn tokens(choice: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(choice), 1..5).prop_map(|tokens| tokens.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Subscriptions come and go; after each change the index finds what looking at each of them finds.
    #[test]
    fn index(
        changes in prop::collection::vec(
            (any::<bool>(), tokens(&["a", "b", "*", ">", ""]), prop::option::of("[pq]"), 0..4_u8),
            1..40,
        ),
        subjects in prop::collection::vec(tokens(&["a", "b", "c", "*", ">", ""]), 1..12),
    ) {
        let (mut index, mut naive) = (Index::default(), Naive::default());
        for (insert, pattern, group, key) in changes {
            let tokens: Vec<_> = pattern.split('.').collect();
            let valid = !tokens.contains(&"") && !tokens[..tokens.len() - 1].contains(&">");
            let of = group.as_ref().map(String::as_bytes);
            let entry = (pattern.clone(), group.clone(), key);
            if insert {
                prop_assert_eq!(index.insert(pattern.as_bytes(), of, key), valid && naive.0.insert(entry));
            } else {
                prop_assert_eq!(index.remove(pattern.as_bytes(), of, key), naive.0.remove(&entry));
            }
            prop_assert_eq!(index.len(), naive.0.len());
            prop_assert_eq!(index.is_empty(), naive.0.is_empty());
            for subject in &subjects {
                let found = index.matches(subject.as_bytes());
                let mut plain: Vec<u8> = found.plain().collect();
                plain.sort_unstable();
                let mut groups = BTreeMap::new();
                for (name, mut members) in found.groups() {
                    members.sort_unstable();
                    groups.insert(String::from_utf8(name.to_vec()).unwrap(), members);
                }
                prop_assert_eq!((plain, groups), naive.matches(subject), "{}", subject);
            }
        }
        // What is not needed any more is given back.
        for (pattern, group, key) in std::mem::take(&mut naive.0) {
            index.remove(pattern.as_bytes(), group.as_ref().map(String::as_bytes), key);
        }
        prop_assert_eq!((index.len(), index.nodes()), (0, 1));
    }

    /// The matcher of one pattern agrees with the same rule, and a pattern covers another if it matches all that the other matches.
    #[test]
    fn one_pattern(
        pattern in tokens(&["a", "b", "*", ">"]),
        other in tokens(&["a", "b", "*", ">"]),
        subject in tokens(&["a", "b", "c", ""]),
    ) {
        prop_assume!(subject::is_valid(pattern.as_bytes()) && subject::is_valid(other.as_bytes()));
        let matches = |pattern: &str| subject::matches(pattern.as_bytes(), subject.as_bytes());
        prop_assert_eq!(matches(&pattern), naive_match(&pattern, &subject));
        if subject::covers(pattern.as_bytes(), other.as_bytes()) && matches(&other) {
            prop_assert!(matches(&pattern));
        }
    }
}

/// Many subscriptions to different subjects do not make a match dearer; a subject of thousands of tokens is only long.
#[test]
fn large() {
    let mut index = Index::default();
    for key in 0..20_000_u32 {
        assert!(index.insert(format!("_INBOX.{key}.*").as_bytes(), None, key));
    }
    let found = index.matches(b"_INBOX.12345.x");
    assert_eq!(found.plain().collect::<Vec<_>>(), [12345]);
    let deep = vec!["a"; 20_000].join(".");
    assert!(index.insert(deep.as_bytes(), None, 7));
    assert_eq!(index.matches(deep.as_bytes()).plain().collect::<Vec<_>>(), [7]);
    assert!(index.remove(deep.as_bytes(), None, 7));
    assert_eq!(index.nodes(), 1 + 1 + 20_000 * 2);
}
