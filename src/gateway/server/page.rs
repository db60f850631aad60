//! The page at `/`, for people: files that are part of the program, and the messages it shows. Its figures come over WebSocket.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::problem::Problem;
use super::world::World;
use crate::gateway::http::{ReplyHead, Request};
use crate::{Observed, RecvError};

/// What browsers may do for it: nothing but load these files and speak with this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Messages shown at once, and bytes of each.
const MESSAGES: usize = 100;
const BYTES: usize = 4096;

/// One of its files, with its type.
pub(super) fn file(path: &[&str]) -> Option<(&'static str, &'static str)> {
    Some(match path {
        [""] => ("text/html; charset=utf-8", include_str!("page/index.html")),
        ["page.css"] => ("text/css; charset=utf-8", include_str!("page/page.css")),
        ["page.js"] => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
        ["icon.svg"] => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    })
}

/// Answers with a file.
pub(super) fn write(head: ReplyHead, (kind, text): (&str, &str)) {
    head.header("Content-Security-Policy", POLICY)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cross-Origin-Opener-Policy", "same-origin")
        .header("Cache-Control", "no-cache")
        .body(kind, text.as_bytes());
}

/// The latest messages of a queue, `?n=` of them, the oldest first. Nobody's place changes.
pub(super) fn latest(request: &Request, queue: &str, world: &mut World) -> Result<Value, Problem> {
    let count = request.param("n").map_or(Ok(20), |text| text.parse::<usize>());
    let count = count.map_err(|_| Problem::new(400, "n: use a number of messages"))?;
    let mut observer = world.queues.get(queue)?.observe()?;
    observer.rewind(count.min(MESSAGES))?;
    let mut messages = Vec::new();
    while messages.len() < count.min(MESSAGES) {
        match observer.try_recv() {
            Ok(message) => messages.push(describe(&message)),
            // More has come meanwhile than the ring holds: what there is now goes on behind it.
            Err(RecvError::Lagged { .. }) => {}
            Err(RecvError::Empty | RecvError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json!({ "messages": messages }))
}

fn describe(message: &Observed) -> Value {
    let (encoding, payload) = encode(&message.payload, BYTES);
    let dead = message.dead_letter.as_ref().map(|dead| {
        json!({ "group": dead.group, "reason": dead.reason, "position": dead.position, "deliveries": dead.deliveries })
    });
    json!({
        "position": message.position,
        "event": message.event,
        "size": message.payload.len(),
        "encoding": encoding,
        "payload": payload,
        "cut": message.payload.len() > BYTES,
        "deadLetter": dead,
    })
}

/// The first bytes of a payload as JSON can carry them: the text that it is, or base64.
pub(super) fn encode(payload: &[u8], most: usize) -> (&'static str, Cow<'_, str>) {
    match std::str::from_utf8(payload) {
        Ok(text) => {
            let mut end = most.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            ("utf-8", Cow::Borrowed(&text[..end]))
        }
        Err(_) => ("base64", STANDARD.encode(&payload[..most.min(payload.len())]).into()),
    }
}
