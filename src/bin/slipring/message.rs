//! How a message is written: as a line, as bare bytes, or as JSON.

use serde_json::{Value, json};
use slipring::{DeadLetter, Message, Observed};

/// The form of messages on standard output.
#[derive(clap::Args, Clone, Copy)]
pub struct Form {
    /// One JSON object a line: position, deliveries, event, encoding, payload
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Payloads without newlines between them
    #[arg(long)]
    raw: bool,
}

impl Form {
    /// Appends a message that was received.
    pub fn message(self, message: &Message<'_>, buffer: &mut Vec<u8>) {
        if self.json {
            let mut value = object(
                message.payload(),
                message.event(),
                message.position(),
                message.dead_letter(),
            );
            if let Value::Object(fields) = &mut value {
                fields.insert("deliveries".into(), message.deliveries().into());
            }
            buffer.extend_from_slice(value.to_string().as_bytes());
        } else {
            buffer.extend_from_slice(message.payload());
        }
        self.end(buffer);
    }

    /// Appends a message that was only looked at.
    pub fn observed(self, seen: &Observed, buffer: &mut Vec<u8>) {
        if self.json {
            buffer.extend_from_slice(observed_json(seen).to_string().as_bytes());
        } else {
            buffer.extend_from_slice(&seen.payload);
        }
        self.end(buffer);
    }

    fn end(self, buffer: &mut Vec<u8>) {
        if !self.raw {
            buffer.push(b'\n');
        }
    }
}

/// A message that was only looked at, as an object.
pub fn observed_json(seen: &Observed) -> Value {
    object(&seen.payload, seen.event.as_deref(), seen.position, seen.dead_letter.clone())
}

fn object(payload: &[u8], event: Option<&str>, position: u64, dead: Option<DeadLetter>) -> Value {
    let (encoding, text) = match std::str::from_utf8(payload) {
        Ok(text) => ("utf-8", text.to_owned()),
        Err(_) => ("base64", base64(payload)),
    };
    let mut value =
        json!({"position": position, "event": event, "encoding": encoding, "payload": text});
    if let (Some(dead), Value::Object(fields)) = (dead, &mut value) {
        let dead = json!({
            "queue_id": format!("{:032x}", dead.queue_id), "position": dead.position,
            "deliveries": dead.deliveries, "group": dead.group, "reason": dead.reason,
        });
        fields.insert("dead_letter".into(), dead);
    }
    value
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit) & 63) as usize;
            let shown = digit <= chunk.len();
            text.push(if shown { char::from(DIGITS[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }
}
