//! The parser: what bytes mean, however they are cut.

use proptest::prelude::*;
use slipring::gateway::nats::{Limits, Operation, ParseError, Parser};

use super::{all_cuts, shown};

const LIMITS: Limits =
    Limits { max_control_line: 40, max_payload: 100, max_headers: 30, stream_above: 20 };

/// What the parser makes of the pieces, one operation a line. Pieces of a payload are joined, since where they are cut is nobody's concern.
fn parse(pieces: &[&[u8]]) -> String {
    let mut parser = Parser::new(LIMITS);
    parser.set_headers(true);
    let mut lines = String::new();
    let mut streamed = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match parser.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Operation::Payload(part))) => {
                    assert!(!part.is_empty());
                    streamed.extend_from_slice(part);
                }
                Ok(Some(operation)) => lines += &line(operation, &mut streamed),
                Err(error) => {
                    assert_eq!(parser.next(&mut input), Err(error), "an error stays");
                    return lines + &format!("{error:?}\n");
                }
            }
        }
        assert!(input.is_empty());
    }
    lines + if parser.at_start() { "" } else { "more\n" }
}

fn line(operation: Operation<'_>, streamed: &mut Vec<u8>) -> String {
    let maybe = |bytes: Option<&[u8]>| bytes.map_or("-".into(), shown);
    match operation {
        Operation::Connect(text) => format!("connect {}\n", shown(text)),
        Operation::Publish(head, payload) => {
            let (reply, headers) = (maybe(head.reply), shown(head.headers));
            format!("publish {} {reply} [{headers}] [{}]\n", shown(head.subject), shown(payload))
        }
        Operation::Begin(head, len) => {
            let (reply, headers) = (maybe(head.reply), shown(head.headers));
            format!("begin {} {reply} [{headers}] {len}\n", shown(head.subject))
        }
        Operation::End => format!("end [{}]\n", shown(&std::mem::take(streamed))),
        Operation::Subscribe(subject, group, sid) => {
            format!("sub {} {} {}\n", shown(subject), maybe(group), shown(sid))
        }
        Operation::Unsubscribe(sid, max) => format!("unsub {} {max:?}\n", shown(sid)),
        Operation::Error(text) => format!("error {}\n", shown(text)),
        Operation::Ping => "ping\n".into(),
        Operation::Pong => "pong\n".into(),
        Operation::Ignored => "ignored\n".into(),
        Operation::Payload(_) => unreachable!("gathered by the caller"),
    }
}

/// Inputs, and what they give.
const VECTORS: &[(&str, &str)] = &[
    // Verbs: large and small letters; the reference reads PING up to the end of the line, whatever stands there.
    ("PING\r\nping\npInG whatever\r\nPONG\r\n", "ping\nping\nping\npong\n"),
    ("+OK\r\n+ok\nPING\r\n", "ignored\nignored\nping\n"),
    ("PI", "more\n"),
    ("PX", "UnknownOperation\n"),
    ("FOO\r\n", "UnknownOperation\n"),
    (" PING\r\n", "UnknownOperation\n"),
    ("\r\n", "UnknownOperation\n"),
    ("PUBX foo 1\r\n", "UnknownOperation\n"),
    ("PUB\r\n", "UnknownOperation\n"),
    ("MSG foo 1 1\r\n", "UnknownOperation\n"),
    ("HMSG foo 1 1 1\r\n", "UnknownOperation\n"),
    ("+OX\r\n", "UnknownOperation\n"),
    ("-ERR\r\n", "UnknownOperation\n"),
    ("-ERR 'no'\r\n-err x\n", "error \\'no\\'\nerror x\n"),
    // CONNECT and INFO need no space.
    (
        "CONNECT {\"a\":1}\r\nconnect\t {}\nCONNECT{}\r\n",
        "connect {\\\"a\\\":1}\nconnect {}\nconnect {}\n",
    ),
    ("CONNECT\r\n", "connect \n"),
    ("INFO {}\r\nPING\r\n", "ignored\nping\n"),
    // SUB and UNSUB.
    ("SUB foo 1\r\nsub\t foo \t q  2\t\r\n", "sub foo - 1\nsub foo q 2\n"),
    ("SUB foo\r\n", "Arguments\n"),
    ("SUB a b c d\r\n", "Arguments\n"),
    ("SUB a b c d e\r\n", "Arguments\n"),
    ("SUB \r\n", "Arguments\n"),
    ("SUB a\rb 1\r\n", "Arguments\n"),
    ("SUB a 1\r\r\n", "Arguments\n"),
    ("UNSUB 1\r\nUNSUB 1 5\r\nunsub x y\r\n", "unsub 1 None\nunsub 1 Some(5)\nunsub x None\n"),
    ("UNSUB \r\n", "Arguments\n"),
    ("UNSUB 1 2 3\r\n", "Arguments\n"),
    // PUB.
    (
        "PUB foo 5\r\nhello\r\nPUB foo bar 0\r\n\r\n",
        "publish foo - [] [hello]\npublish foo bar [] []\n",
    ),
    ("pub\tfoo\t\t3  \nP\r\n\r\n", "publish foo - [] [P\\r\\n]\n"),
    ("PUB foo 3\r\nabcd\r\n", "UnknownOperation\n"),
    ("PUB foo 3\r\nabc\rX", "UnknownOperation\n"),
    ("PUB foo 3\r\nabc\n", "UnknownOperation\n"),
    ("PUB foo\r\n", "Arguments\n"),
    ("PUB 5\r\n", "Arguments\n"),
    ("PUB a b c 5\r\n", "Arguments\n"),
    ("PUB foo -1\r\n", "Arguments\n"),
    ("PUB foo 1x\r\n", "Arguments\n"),
    ("PUB foo 1234567890\r\n", "Arguments\n"),
    ("PUB foo 000000005\r\nhello\r\n", "publish foo - [] [hello]\n"),
    ("PUB a\rb 1\r\n", "Arguments\n"),
    ("PUB foo 100\r\n", "begin foo - [] 100\nmore\n"),
    ("PUB foo 101\r\n", "Payload\n"),
    ("PUB foo 999999999\r\n", "Payload\n"),
    // Long messages come in pieces.
    ("PUB foo 20\r\n01234567890123456789\r\n", "publish foo - [] [01234567890123456789]\n"),
    (
        "PUB foo 21\r\n012345678901234567890\r\nPING\r\n",
        "begin foo - [] 21\nend [012345678901234567890]\nping\n",
    ),
    ("PUB foo r 21\r\n012345678901234567890\rX", "begin foo r [] 21\nUnknownOperation\n"),
    // HPUB.
    ("HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "publish foo - [NATS/1.0\\r\\n\\r\\n] [hi]\n"),
    ("hpub foo r 12 12\r\nNATS/1.0\r\n\r\n\r\n", "publish foo r [NATS/1.0\\r\\n\\r\\n] []\n"),
    ("HPUB foo 0 2\r\nhi\r\n", "publish foo - [] [hi]\n"),
    (
        "HPUB foo 12 22\r\nNATS/1.0\r\n\r\n0123456789\r\n",
        "begin foo - [NATS/1.0\\r\\n\\r\\n] 10\nend [0123456789]\n",
    ),
    (
        "HPUB foo 21 21\r\nNATS/1.0\r\nab:cdefg\r\n\r\n\r\n",
        "begin foo - [NATS/1.0\\r\\nab:cdefg\\r\\n\\r] 0\nUnknownOperation\n",
    ),
    (
        "HPUB foo 22 22\r\nNATS/1.0\r\nab:cdefg\r\n\r\n\r\n",
        "begin foo - [NATS/1.0\\r\\nab:cdefg\\r\\n\\r\\n] 0\nend []\n",
    ),
    ("HPUB foo 13 12\r\n", "Arguments\n"),
    ("HPUB foo 12\r\n", "Arguments\n"),
    ("HPUB foo a b 1 2\r\n", "Arguments\n"),
    ("HPUB foo x 12\r\n", "Arguments\n"),
    ("HPUB foo 12 101\r\n", "Payload\n"),
    ("HPUB foo 31 31\r\n", "Payload\n"),
    ("HPUB foo 30 40\r\n", "more\n"),
    // The limit of a control line counts the arguments, not the verb, nor white space before them.
    ("SUB                                                   a 1\r\n", "sub a - 1\n"),
    (
        "SUB a234567890123456789012345678901234567 12\r\n",
        "sub a234567890123456789012345678901234567 - 12\n",
    ),
    ("SUB a234567890123456789012345678901234567 123\r\n", "ControlLine\n"),
    ("SUB a234567890123456789012345678901234567 123\n", "ControlLine\n"),
    ("CONNECT 0123456789012345678901234567890123456789012345", "ControlLine\n"),
];

#[test]
fn vectors() {
    for (input, expected) in VECTORS {
        let found = all_cuts(input.as_bytes(), parse);
        assert_eq!(&found, expected, "{}", shown(input.as_bytes()));
    }
}

/// Until CONNECT has said that the client knows headers.
#[test]
fn headers_must_be_agreed_on() {
    let mut parser = Parser::new(LIMITS);
    assert_eq!(parser.next(&mut &b"HPUB foo 12 14\r\n"[..]), Err(ParseError::Arguments));
}

/// A payload goes where the caller wants it, without passing through here.
#[test]
fn a_long_payload_is_received_by_the_caller() {
    let mut parser = Parser::new(LIMITS);
    let mut input = &b"PUB foo 50\r\n0123"[..];
    assert_eq!(parser.missing(), 0);
    assert!(matches!(parser.next(&mut input), Ok(Some(Operation::Begin(_, 50)))));
    assert_eq!((parser.missing(), input), (50, &b"0123"[..]));
    assert_eq!(parser.next(&mut input), Ok(Some(Operation::Payload(b"0123"))));
    assert_eq!(parser.missing(), 46);
    parser.received(40);
    assert_eq!(parser.next(&mut &b"abcdef\r"[..]), Ok(Some(Operation::Payload(b"abcdef"))));
    assert_eq!(parser.next(&mut &b"\r\nPING\r\n"[..]), Ok(Some(Operation::End)));
    assert_eq!(parser.missing(), 0);
}

#[test]
#[should_panic(expected = "5 bytes received, 0 missing")]
fn no_more_is_received_than_is_missing() {
    Parser::new(LIMITS).received(5);
}

/// An operation, well formed or not, and what follows it.
fn operation() -> impl Strategy<Value = Vec<u8>> {
    let word = "[a-z>*.]{1,12}";
    let message =
        (word, prop::option::of(word), prop::collection::vec(any::<u8>(), 0..40), 0..3_usize);
    let publish = message.prop_map(|(subject, reply, payload, wrong)| {
        let reply = reply.map_or(String::new(), |reply| format!(" {reply}"));
        let len = payload.len() + wrong / 2;
        [format!("PUB {subject}{reply} {len}\r\n").as_bytes(), &payload, b"\r\n"].concat()
    });
    let headers =
        (word, "[A-Z][a-z]{0,9}", "[ -9]{0,12}", prop::collection::vec(any::<u8>(), 0..30));
    let with_headers = headers.prop_map(|(subject, name, value, payload)| {
        let headers = format!("NATS/1.0\r\n{name}: {value}\r\n\r\n");
        let (len, total) = (headers.len(), headers.len() + payload.len());
        [format!("hpub {subject} {len} {total}\r\n{headers}").as_bytes(), &payload, b"\r\n"]
            .concat()
    });
    let line = "(PING|PONG|\\+OK|SUB a 1|SUB a q 1|UNSUB 1|UNSUB 1 [0-9]{1,3}|CONNECT \\{\\}|-ERR x|INFO|PUB a)[ \t]{0,3}\r?\n";
    prop_oneof![
        publish,
        with_headers,
        line.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whole, byte by byte and in pieces: the same.
    #[test]
    fn cuts_make_no_difference(operations in prop::collection::vec(operation(), 1..8)) {
        all_cuts(&operations.concat(), parse);
    }
}
