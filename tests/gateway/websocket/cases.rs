//! Conversations, family by family as conformance suites have them. Each says what the server has to see, and the answers follow from that.

use slipring::gateway::websocket::Limits;

use super::client::*;

/// What a client sends, and what the server sees of it.
pub struct Case {
    pub name: String,
    pub sent: Vec<u8>,
    pub limits: Limits,
    pub seen: Vec<Seen>,
    /// The server sees its last event as soon as so many bytes have come; else when all have.
    pub soon: Option<usize>,
}

impl Case {
    fn new(name: impl Into<String>, frames: &[Vec<u8>], seen: &[Seen]) -> Self {
        let (name, sent, seen) = (name.into(), frames.concat(), seen.to_vec());
        let limits = Limits { message: 1 << 20, fragments: 100, ..Limits::default() };
        Self { name, sent, limits, seen, soon: None }
    }

    /// It is over after the first `soon` bytes.
    fn ends(name: impl Into<String>, frames: &[Vec<u8>], seen: &[Seen], soon: usize) -> Self {
        Self { soon: Some(soon), ..Self::new(name, frames, seen) }
    }
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn hello() -> (Vec<u8>, Seen) {
    (whole(TEXT, b"hello"), text("hello"))
}

fn letters(len: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(len).collect()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 / 2) as u8).collect()
}

pub fn all() -> Vec<Case> {
    let framed = [framing(), pings(), reserved_bits(), opcodes()];
    let fragmented = [in_fragments(), out_of_place(), empty_fragments(), super::utf8::cases()];
    let ended = [closing(), codes(), limits(), sizes()];
    framed.into_iter().chain(fragmented).chain(ended).flatten().collect()
}

/// 1: lengths, and the forms they are given in.
fn framing() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537] {
        let (chars, raw) = (letters(len), bytes(len));
        let seen = [text(std::str::from_utf8(&chars).unwrap())];
        cases.push(Case::new(format!("1 text of {len}"), &[whole(TEXT, &chars)], &seen));
        let seen = [Seen::Binary(raw.clone())];
        cases.push(Case::new(format!("1 binary of {len}"), &[whole(BINARY, &raw)], &seen));
    }
    for (form, len) in [(126, 0), (126, 125), (127, 0), (127, 125), (127, 126), (127, 65_535)] {
        let frame = frame_as(FIN | BINARY, form, len, &bytes(len as usize));
        let header = if form == 126 { 8 } else { 14 };
        let name = format!("1 length {len} in form {form}");
        cases.push(Case::ends(name, &[frame], &[Seen::Error(1002)], header));
    }
    let highest = frame_as(FIN | BINARY, 127, 1 << 63, b"..");
    cases.push(Case::ends("1 the highest bit", &[highest], &[Seen::Error(1002)], 14));
    for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
        let (first, seen) = hello();
        let bare = vec![FIN | opcode, 2, b'h', b'i'];
        let soon = first.len() + 2;
        let name = format!("1 {opcode} without a mask");
        cases.push(Case::ends(name, &[first, bare], &[seen, Seen::Error(1002)], soon));
    }
    cases
}

/// 2: pings and pongs.
fn pings() -> Vec<Case> {
    let mut cases = Vec::new();
    for payload in [&b""[..], b"hello", &[0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0], &[0xFE; 125]] {
        let name = format!("2 ping of {}", payload.len());
        cases.push(Case::new(name, &[whole(PING, payload)], &[Seen::Ping(payload.into())]));
        let name = format!("2 pong of {}", payload.len());
        let (next, seen) = hello();
        let frames = [whole(PONG, payload), next];
        cases.push(Case::new(name, &frames, &[Seen::Pong(payload.into()), seen]));
    }
    for opcode in [PING, PONG, CLOSE] {
        for len in [126, 127, 65_536] {
            let name = format!("2 {opcode} of {len}");
            let frames = [whole(opcode, &bytes(len))];
            cases.push(Case::ends(name, &frames, &[Seen::Error(1002)], 2));
        }
    }
    for count in [10, 100] {
        let payload = |at: usize| format!("payload-{at}").into_bytes();
        let frames: Vec<_> = (0..count).map(|at| whole(PING, &payload(at))).collect();
        let seen: Vec<_> = (0..count).map(|at| Seen::Ping(payload(at))).collect();
        cases.push(Case::new(format!("2 {count} pings"), &frames, &seen));
    }
    cases
}

/// 3: bits that only extensions may use.
fn reserved_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 1..8 {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            let (first, seen) = hello();
            let soon = first.len() + 2;
            let frames = [first, whole(bits << 4 | opcode, b"hi"), whole(PING, b"")];
            let name = format!("3 bits {bits} of {opcode}");
            cases.push(Case::ends(name, &frames, &[seen, Seen::Error(1002)], soon));
        }
    }
    cases
}

/// 4: opcodes that mean nothing.
fn opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let frames = [whole(opcode, b"hi")];
        let name = format!("4 opcode {opcode}");
        cases.push(Case::ends(name, &frames, &[Seen::Error(1002)], 2));
        let (first, seen) = hello();
        let soon = first.len() + 2;
        let frames = [first, whole(opcode, b""), whole(PING, b"")];
        let name = format!("4 opcode {opcode} after a message");
        cases.push(Case::ends(name, &frames, &[seen, Seen::Error(1002)], soon));
    }
    cases
}

/// 5: messages in fragments, and control frames between them.
fn in_fragments() -> Vec<Case> {
    let begin = || frame(TEXT, b"one, ");
    let middle = || frame(CONTINUATION, b"two, ");
    let end = || whole(CONTINUATION, b"three");
    let ping = || whole(PING, b"there?");
    let seen_ping = || Seen::Ping(b"there?".to_vec());
    vec![
        Case::new("5 two", &[begin(), end()], &[text("one, three")]),
        Case::new("5 three", &[begin(), middle(), end()], &[text("one, two, three")]),
        Case::new(
            "5 a ping between",
            &[begin(), ping(), middle(), ping(), end()],
            &[seen_ping(), seen_ping(), text("one, two, three")],
        ),
        Case::new(
            "5 a pong between",
            &[begin(), whole(PONG, b""), end(), ping()],
            &[Seen::Pong(vec![]), text("one, three"), seen_ping()],
        ),
        Case::new(
            "5 one after the other",
            &[begin(), end(), frame(BINARY, b"one, "), end()],
            &[text("one, three"), Seen::Binary(b"one, three".to_vec())],
        ),
        Case::ends(
            "5 a close between",
            &[begin(), close(1000, b""), end()],
            &[Seen::Close(Some(1000), String::new())],
            begin().len() + 8,
        ),
    ]
}

/// 5: fragments out of place: the last frame each. (One more follows.)
fn out_of_place() -> Vec<Case> {
    let begin = || frame(TEXT, b"one, ");
    let middle = || frame(CONTINUATION, b"two, ");
    let end = || whole(CONTINUATION, b"three");
    let case = |name: &str, frames: &[Vec<u8>], seen: &[Seen]| {
        let (_, before) = frames.split_last().unwrap();
        let soon = before.concat().len() + 2;
        let frames = [frames, &[end()]].concat();
        Case::ends(format!("5 {name}"), &frames, &[seen, &[Seen::Error(1002)]].concat(), soon)
    };
    vec![
        case("a ping in two", &[frame(PING, b"a")], &[]),
        case("a pong in two", &[frame(PONG, b"a")], &[]),
        case("a close in two", &[frame(CLOSE, b"\x03")], &[]),
        case("a ping in two in a message", &[begin(), frame(PING, b"a")], &[]),
        case("a message in a message", &[begin(), middle(), whole(TEXT, b"x")], &[]),
        case("fragments in a message", &[begin(), middle(), frame(BINARY, b"x")], &[]),
        case("nothing goes on", &[end()], &[]),
        case("nothing goes on, and is not final", &[middle()], &[]),
        case("a message goes on after its end", &[begin(), end(), end()], &[text("one, three")]),
        case("a whole message goes on", &[whole(TEXT, b"all"), middle()], &[text("all")]),
    ]
}

/// 5: fragments without payload, wherever they are.
fn empty_fragments() -> Vec<Case> {
    let mut cases = Vec::new();
    for payloads in
        [["", "", ""], ["", "ab", "cd"], ["ab", "", "cd"], ["ab", "cd", ""], ["", "abcd", ""]]
    {
        let sum = payloads.concat();
        let name = format!("5 text of {payloads:?}");
        cases.push(Case::new(name, &fragments(TEXT, &payloads), &[text(&sum)]));
        let name = format!("5 binary of {payloads:?}");
        cases.push(Case::new(name, &fragments(BINARY, &payloads), &[Seen::Binary(sum.into())]));
    }
    cases
}

fn closed(code: impl Into<Option<u16>>, reason: &str) -> Seen {
    Seen::Close(code.into(), reason.into())
}

/// 7: the end, and that it is one.
fn closing() -> Vec<Case> {
    let (first, seen) = hello();
    let longest = "x".repeat(123);
    let mut cases = vec![
        Case::new("7 no code", &[whole(CLOSE, b"")], &[closed(None, "")]),
        Case::new("7 after a message", &[first, close(1000, b"bye")], &[seen, closed(1000, "bye")]),
        Case::new(
            "7 a reason in Greek",
            &[close(1001, "κόσμε".as_bytes())],
            &[closed(1001, "κόσμε")],
        ),
        Case::new(
            "7 the longest reason",
            &[close(1000, longest.as_bytes())],
            &[closed(1000, &longest)],
        ),
        Case::ends("7 too long a reason", &[close(1000, &letters(124))], &[Seen::Error(1002)], 2),
        Case::new("7 half a code", &[whole(CLOSE, b"\x03")], &[Seen::Error(1002)]),
        Case::new(
            "7 a reason of no text",
            &[close(1000, b"ok \xED\xA0\x80")],
            &[Seen::Error(1007)],
        ),
        Case::new("7 a reason cut off", &[close(1000, b"ok \xE2\x82")], &[Seen::Error(1007)]),
    ];
    let late = [whole(TEXT, b"late"), whole(PING, b"late"), close(1002, b"late"), vec![0xFF; 9]];
    for late in late {
        let name = format!("7 what comes after it: {}", late.escape_ascii());
        cases.push(Case::ends(name, &[close(1000, b""), late], &[closed(1000, "")], 8));
    }
    cases
}

/// 7: codes.
fn codes() -> Vec<Case> {
    let case =
        |code: u16, seen: Seen| Case::new(format!("7 {code}"), &[close(code, b"why")], &[seen]);
    let valid = (1000..=1003).chain(1007..=1014).chain([3000, 3001, 3999, 4000, 4001, 4999]);
    let invalid = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let valid = valid.map(|code| case(code, closed(code, "why")));
    valid.chain(invalid.map(|code| case(code, Seen::Error(1002)))).collect()
}

/// 9: limits, of 1000 bytes and four fragments.
fn limits() -> Vec<Case> {
    let error = || Seen::Error(1009);
    let cut = |lens: &[usize]| -> Vec<_> { lens.iter().map(|len| bytes(*len)).collect() };
    let sum = |lens: &[usize]| Seen::Binary(cut(lens).concat());
    let mut cases = vec![
        Case::new("9 the longest", &[whole(BINARY, &bytes(1000))], &[sum(&[1000])]),
        Case::ends("9 too long", &[whole(BINARY, &bytes(1001))], &[error()], 8),
        Case::ends("9 much too long", &[frame_as(TEXT, 127, 1 << 32, b"...")], &[error()], 14),
        Case::ends("9 the most", &[frame_as(TEXT, 127, u64::MAX >> 1, b"...")], &[error()], 14),
    ];
    for lens in [&[500, 500][..], &[0, 1000], &[1000, 0], &[250, 250, 250, 250], &[0, 0, 0, 0]] {
        let frames = fragments(BINARY, &cut(lens));
        cases.push(Case::new(format!("9 fragments of {lens:?}"), &frames, &[sum(lens)]));
    }
    // The last header is the one too many.
    for lens in
        [&[1000, 1][..], &[500, 501], &[300, 300, 300, 101], &[1, 1, 1, 1, 1], &[0, 0, 0, 0, 0]]
    {
        let frames = fragments(BINARY, &cut(lens));
        let soon = frames.concat().len() - lens.last().unwrap();
        cases.push(Case::ends(format!("9 fragments of {lens:?}"), &frames, &[error()], soon));
    }
    // What else comes does not count.
    let mut frames = fragments(BINARY, &cut(&[250, 250, 250, 250]));
    (1..4).for_each(|at| frames.insert(2 * at - 1, whole(PONG, &bytes(125))));
    frames.extend(fragments(BINARY, &cut(&[1000, 0])));
    let pong = || Seen::Pong(bytes(125));
    let seen = [pong(), pong(), pong(), sum(&[250, 250, 250, 250]), sum(&[1000])];
    cases.push(Case::new("9 pongs and other messages", &frames, &seen));
    let limits = Limits { message: 1000, fragments: 4, ..Limits::default() };
    cases.into_iter().map(|case| Case { limits, ..case }).collect()
}

/// 9 and 10: large messages, whole and in fragments of many sizes.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [1 << 16, 1 << 20] {
        let (chars, raw) = (letters(len), bytes(len));
        let seen = text(std::str::from_utf8(&chars).unwrap());
        cases.push(Case::new(format!("9 text of {len}"), &[whole(TEXT, &chars)], &[seen]));
        let seen = Seen::Binary(raw.clone());
        cases.push(Case::new(format!("9 binary of {len}"), &[whole(BINARY, &raw)], &[seen]));
    }
    let raw = bytes(1 << 16);
    for len in [64, 256, 1300, 4096, 1 << 15, 1 << 16] {
        let payloads: Vec<_> = raw.chunks(len).collect();
        let (name, frames) = (format!("10 fragments of {len}"), fragments(BINARY, &payloads));
        let case = Case::new(name, &frames, &[Seen::Binary(raw.clone())]);
        let limits = Limits { fragments: payloads.len(), ..case.limits };
        cases.push(Case { limits, ..case });
    }
    cases
}
