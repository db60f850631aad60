//! 6: text that is UTF-8 and text that is not, refused at the first byte that can't be right.

use slipring::gateway::websocket::Limits;

use super::cases::Case;
use super::client::*;

const GOOD: &[&[u8]] = &[
    // Characters of each length, in words.
    b"hello$world",
    b"hello\xC2\xA2world",
    b"hello\xE2\x82\xACworld",
    b"hello\xF0\xA4\xAD\xA2world",
    b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5",
    // The first and the last of each length.
    b"\x00",
    b"\xC2\x80",
    b"\xE0\xA0\x80",
    b"\xF0\x90\x80\x80",
    b"\x7F",
    b"\xDF\xBF",
    b"\xEF\xBF\xBF",
    b"\xF4\x8F\xBF\xBF",
    // Beside the surrogates.
    b"\xED\x9F\xBF",
    b"\xEE\x80\x80",
    // What is no character, and still UTF-8.
    b"\xEF\xBF\xB9\xEF\xBF\xBA\xEF\xBF\xBB\xEF\xBF\xBC\xEF\xBF\xBD\xEF\xBF\xBE",
    b"\xF0\x9F\xBF\xBE\xF0\xAF\xBF\xBF\xF3\xBF\xBF\xBE\xF4\x8F\xBF\xBE",
];

const BAD: &[&[u8]] = &[
    // Cut in a character.
    b"\xCE",
    b"\xCE\xBA\xE1",
    b"\xCE\xBA\xE1\xBD",
    b"\xDF",
    b"\xEF\xBF",
    b"\xF4\x8F\xBF",
    b"\xF0\x90\x80",
    // Five and six bytes, and four beyond the last character.
    b"\xF8\x88\x80\x80\x80",
    b"\xFC\x84\x80\x80\x80\x80",
    b"\xF7\xBF\xBF\xBF",
    b"\xFB\xBF\xBF\xBF\xBF",
    b"\xFD\xBF\xBF\xBF\xBF\xBF",
    b"\xF4\x90\x80\x80",
    b"\xF5\x80\x80\x80",
    // What continues nothing.
    b"\x80",
    b"\xBF",
    b"\x80\xBF",
    b"\x80\xBF\x80\xBF\x80\xBF",
    b"hello\x80",
    // What is not continued.
    b"\xC2 ",
    b"\xC0 \xC1 \xC2 \xC3 ",
    b"\xE1 \xE2 \xE3 ",
    b"\xF1 \xF2 \xF3 ",
    b"\xE1\x80 ",
    b"\xF1\x80\x80 ",
    b"\xDF\xEF\xBF\xF3\xBF\xBF",
    // Bytes that are nowhere in UTF-8.
    b"\xFE",
    b"\xFF",
    b"\xFE\xFE\xFF\xFF",
    // Longer than needed.
    b"\xC0\xAF",
    b"\xE0\x80\xAF",
    b"\xF0\x80\x80\xAF",
    b"\xF8\x80\x80\x80\xAF",
    b"\xC1\xBF",
    b"\xE0\x9F\xBF",
    b"\xF0\x8F\xBF\xBF",
    b"\xC0\x80",
    b"\xE0\x80\x80",
    b"\xF0\x80\x80\x80",
    // Surrogates, alone and in pairs.
    b"\xED\xA0\x80",
    b"\xED\xAD\xBF",
    b"\xED\xAE\x80",
    b"\xED\xAF\xBF",
    b"\xED\xB0\x80",
    b"\xED\xBE\x80",
    b"\xED\xBF\xBF",
    b"\xED\xA0\x80\xED\xB0\x80",
    b"\xED\xAF\xBF\xED\xBF\xBF",
    b"hello\xED\xA0\x80edited",
];

/// After how many bytes nothing can make it right; all, if it is only cut.
fn doomed(text: &[u8]) -> usize {
    let hopeless = |end: &usize| {
        std::str::from_utf8(&text[..*end]).is_err_and(|error| error.error_len().is_some())
    };
    (1..=text.len()).find(hopeless).unwrap_or(text.len())
}

/// A text in frames of the payloads. Refused after `doomed` bytes of text, or not at all.
fn case(name: String, payloads: &[&[u8]], doomed: Option<usize>) -> Case {
    let (mut sent, mut before, mut soon) = (Vec::new(), 0, None);
    for (frame, payload) in fragments(TEXT, payloads).into_iter().zip(payloads) {
        if let Some(end) = doomed.filter(|end| (before + 1..=before + payload.len()).contains(end))
        {
            soon = Some(sent.len() + frame.len() - payload.len() + end - before);
        }
        sent.extend(frame);
        before += payload.len();
    }
    let seen = match doomed {
        None => Seen::Text(String::from_utf8(payloads.concat()).unwrap()),
        Some(_) => Seen::Error(1007),
    };
    let limits = Limits { message: 1 << 20, fragments: 100, ..Limits::default() };
    Case { name, sent, limits, seen: vec![seen], soon }
}

pub fn cases() -> Vec<Case> {
    let good = GOOD.iter().map(|text| (*text, None));
    let bad = BAD.iter().map(|text| (*text, Some(doomed(text))));
    let mut cases = Vec::new();
    for (text, doomed) in good.chain(bad) {
        let name = format!("6 {}", text.escape_ascii());
        cases.push(case(name.clone(), &[text], doomed));
        let single: Vec<&[u8]> = text.chunks(1).collect();
        cases.push(case(format!("{name}, a frame each byte"), &single, doomed));
        // A long text before it, since short ones are looked at in another way.
        let long = [&b"=".repeat(127)[..], text].concat();
        let doomed = doomed.map(|end| 127 + end);
        let (one, two) = long.split_at(100);
        cases.push(case(format!("{name}, after a long text"), &[one, two], doomed));
    }
    // Hopeless long before the end, and counted by hand.
    let greek = "κόσμε".as_bytes();
    for (bad, hopeless) in
        [(&b"\xF4\x90\x80\x80"[..], 2), (b"\xED\xA0\x80", 2), (b"\xF5", 1), (b"\xE2\x82x", 3)]
    {
        let name = format!("6 early: {}", bad.escape_ascii());
        let payloads = [greek, bad, b"edited"];
        let doomed = Some(greek.len() + hopeless);
        cases.push(case(name.clone(), &payloads, doomed));
        cases.push(case(format!("{name}, in one frame"), &[&payloads.concat()], doomed));
    }
    cases
}
