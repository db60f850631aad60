//! Events' arguments as payloads, and payloads as arguments: what a Socket.IO client sends is what another one gets, and plain to programs that know nothing of it.
//!
//! A text, an object or bytes alone are the payload as they are. All else, and a text or bytes that would be taken for something else, is an array in JSON, in
//! which bytes are `{"$binary":"..."}` in Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::gateway::socketio::Emit;

const BINARY: &str = "$binary";
const PLACEHOLDER: &str = "_placeholder";

/// What a payload is to a client.
enum Kind<'p> {
    Nothing,
    /// An array's elements, or an object.
    Json(&'p str),
    Text(&'p str),
    Bytes,
}

/// Without control characters, which texts do not have and bytes soon do.
fn as_text(payload: &[u8]) -> Option<&str> {
    let is_control = |byte: &u8| *byte < b' ' && !b"\t\n\r".contains(byte) || *byte == 0x7f;
    let text = simdutf8::basic::from_utf8(payload).ok()?;
    (!payload.iter().any(is_control)).then_some(text)
}

impl<'p> Kind<'p> {
    fn of(payload: &'p [u8]) -> Self {
        let Some(text) = as_text(payload) else { return Self::Bytes };
        let is_json = || serde_json::from_str::<&RawValue>(text).is_ok();
        match payload.first() {
            None => Self::Nothing,
            Some(b'[' | b'{') if is_json() => Self::Json(text),
            Some(_) => Self::Text(text),
        }
    }
}

/// A payload as the arguments of an event, in JSON, and its attachments.
pub(super) fn of_payload(payload: &[u8]) -> (String, Vec<Vec<u8>>) {
    match Kind::of(payload) {
        Kind::Nothing => (String::new(), Vec::new()),
        Kind::Text(text) => (Value::from(text).to_string(), Vec::new()),
        Kind::Bytes => (Emit::placeholder(0), vec![payload.to_vec()]),
        Kind::Json(text) if text.starts_with('{') => (text.to_owned(), Vec::new()),
        Kind::Json(text) => {
            let mut attachments = Vec::new();
            let with_bytes = text.contains(BINARY) && !text.contains(PLACEHOLDER);
            let array = with_bytes.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
            let taken = array.map(|array| take_bytes(array, &mut attachments).to_string());
            let text = taken.as_deref().unwrap_or(text).trim_ascii();
            let elements = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            (elements.unwrap_or_default().trim_ascii().to_owned(), attachments)
        }
    }
}

/// Bytes become attachments.
fn take_bytes(value: Value, attachments: &mut Vec<Vec<u8>>) -> Value {
    match value {
        Value::Array(values) => {
            values.into_iter().map(|value| take_bytes(value, attachments)).collect()
        }
        Value::Object(object) => {
            if let (1, Some(Value::String(text))) = (object.len(), object.get(BINARY))
                && let Ok(bytes) = STANDARD.decode(text)
            {
                attachments.push(bytes);
                let number = Value::from(attachments.len() - 1);
                let placeholder = [(PLACEHOLDER, Value::Bool(true)), ("num", number)];
                let pairs = placeholder.map(|(name, value)| (name.to_owned(), value));
                return Value::Object(Map::from_iter(pairs));
            }
            let fields = object.into_iter();
            fields.map(|(name, value)| (name, take_bytes(value, attachments))).collect()
        }
        other => other,
    }
}

/// An event's arguments, and attachments, as a payload.
pub(super) fn to_payload(arguments: &str, attachments: &[Vec<u8>]) -> Vec<u8> {
    let array = format!("[{arguments}]");
    if !attachments.is_empty() {
        return bytes_to_payload(array, attachments);
    }
    let elements: Vec<&RawValue> = serde_json::from_str(&array).unwrap_or_default();
    match elements[..] {
        [] => Vec::new(),
        [one] if one.get().starts_with('{') => one.get().as_bytes().to_vec(),
        [one] => match serde_json::from_str::<String>(one.get()) {
            Ok(text) if matches!(Kind::of(text.as_bytes()), Kind::Text(_)) => text.into_bytes(),
            _ => array.into_bytes(),
        },
        _ => array.into_bytes(),
    }
}

fn bytes_to_payload(array: String, attachments: &[Vec<u8>]) -> Vec<u8> {
    let value: Value = serde_json::from_str(&array).unwrap_or_default();
    let alone = value.as_array().is_some_and(|values| {
        values.len() == 1 && values[0].get(PLACEHOLDER) == Some(&Value::Bool(true))
    });
    match attachments {
        [bytes] if alone && matches!(Kind::of(bytes), Kind::Bytes) => bytes.clone(),
        _ => give_bytes(value, attachments).to_string().into_bytes(),
    }
}

/// Attachments become what stands for bytes in JSON.
fn give_bytes(value: Value, attachments: &[Vec<u8>]) -> Value {
    match value {
        Value::Array(values) => {
            values.into_iter().map(|value| give_bytes(value, attachments)).collect()
        }
        Value::Object(object) if object.get(PLACEHOLDER) == Some(&Value::Bool(true)) => {
            let number = object.get("num").and_then(Value::as_u64);
            let bytes = number.and_then(|number| attachments.get(usize::try_from(number).ok()?));
            let text = STANDARD.encode(bytes.map(Vec::as_slice).unwrap_or_default());
            Value::Object(Map::from_iter([(BINARY.to_owned(), Value::String(text))]))
        }
        Value::Object(object) => {
            let fields = object.into_iter();
            fields.map(|(name, value)| (name, give_bytes(value, attachments))).collect()
        }
        other => other,
    }
}
