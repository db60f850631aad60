//! The reference implementation is asked about all that is written, read and played here: see `tests/gateway/reference`.

use std::io::Write;
use std::process::Stdio;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use slipring::gateway::engineio::{Message, Packet, Payload, encode_payload};
use slipring::gateway::socketio;

use super::codec::{any_packets, packets};
use super::script::{hex, read};
use super::transcripts;
use crate::packages::Folder;
use crate::socketio::packets::{any_event, parse, written};
use crate::socketio::transcripts::played;

/// The answers to these questions.
fn answers(reference: &Folder, questions: &[Value]) -> Vec<Value> {
    let mut node = reference.node("reference.mjs");
    node.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().expect("node, which is needed to run the reference");
    let mut input = node.stdin.take().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers = answers.lines().map(|line| serde_json::from_str(line).unwrap());
    let answers: Vec<Value> = answers.collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// What to make of an answer.
type Check = Box<dyn FnOnce(&Value)>;

/// Questions, and what to make of the answers.
#[derive(Default)]
struct Survey {
    questions: Vec<Value>,
    checks: Vec<Check>,
}

impl Survey {
    fn ask(&mut self, question: Value, check: impl FnOnce(&Value) + 'static) {
        self.questions.push(question);
        self.checks.push(Box::new(check));
    }
}

#[test]
fn the_reference_agrees() {
    let mut survey = Survey::default();
    payloads(&mut survey);
    packet_texts(&mut survey);
    events(&mut survey);
    attachments(&mut survey);
    engine_transcripts(&mut survey);
    socket_transcripts(&mut survey);
    random_conversations(&mut survey);
    let answers = answers(&Folder::shared("reference"), &survey.questions);
    for (check, answer) in survey.checks.into_iter().zip(&answers) {
        check(answer);
    }
}

/// The same values each time.
fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    let value = |_| strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(value).collect()
}

/// A payload as the reference tells of it: the packets up to the first that is none, and, if all are some, the same written again.
fn told(body: &str) -> Value {
    const NAMES: [&str; 7] = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
    let (mut told, mut messages) = (vec![], vec![]);
    for packet in Payload::new(body) {
        told.push(match &packet {
            Ok(Packet::Text(kind, text)) => json!([NAMES[usize::from(*kind as u8 - b'0')], text]),
            Ok(Packet::Binary(bytes)) => json!(["message", hex(bytes)]),
            Err(_) => json!(["error", "parser error"]),
        });
        messages.extend(packet.map(|packet| packet.to_message()).ok());
    }
    let again = (messages.len() == told.len()).then(|| encode_payload(&messages));
    json!([told, again.map(|body| String::from_utf8(body).unwrap())])
}

fn payloads(survey: &mut Survey) {
    let mut bodies: Vec<String> = samples(any_packets(), 300)
        .iter()
        .map(|parts| {
            let messages: Vec<Message> = packets(parts).iter().map(Packet::to_message).collect();
            String::from_utf8(encode_payload(&messages)).unwrap()
        })
        .collect();
    let broken = ["", "abc", "7", "4a\x1e", "\x1e4a", "4a\x1e/\x1e4b", "4", "b", "\x1e", "€"];
    bodies.extend(broken.map(str::to_owned));
    survey.ask(json!({ "ask": "payloads", "payloads": bodies }), move |answer| {
        for (body, answer) in bodies.iter().zip(answer.as_array().unwrap()) {
            assert_eq!(&told(body), answer, "{body:?}");
        }
    });
}

/// Every combination of what a packet can begin with, and go on with.
fn packet_texts(survey: &mut Survey) {
    let parts: [&[&str]; 5] = [
        &["0", "1", "2", "3", "4", "5", "6", "7", "a"],
        &["", "0-", "1-", "10-", "11-", "2", "-"],
        &["", "/", "/a,", "/a?b=1,", "/a"],
        &["", "0", "12", "007"],
        &[
            "",
            "{}",
            r#"{"a":1}"#,
            "[]",
            r#"["a"]"#,
            r#"["a",1,{"b":[]}]"#,
            "[1]",
            "[null]",
            "[[1]]",
            r#""x""#,
            "null",
            "true",
            "{",
            r#"["connect"]"#,
            r#"["a"],"#,
            "x",
        ],
    ];
    let texts = parts.iter().fold(vec![String::new()], |texts, part| {
        let longer = texts.iter().flat_map(|text| part.iter().map(move |end| text.clone() + end));
        longer.collect()
    });
    survey.ask(json!({ "ask": "packets", "packets": texts }), move |answer| {
        let mut taken = 0;
        for (text, answer) in texts.iter().zip(answer.as_array().unwrap()) {
            // Here an event, an ack or an error needs its payload, and a binary packet its number of attachments.
            let needs_payload = answer["type"].as_u64().is_some_and(|kind| kind > 1);
            let lacks_payload = needs_payload && answer.get("data").is_none();
            let lacks_number = text.starts_with("5-") || text.starts_with("6-");
            let answer = if lacks_payload || lacks_number { &Value::Null } else { answer };
            assert_eq!(&packet_told(text), answer, "{text}");
            taken += usize::from(!answer.is_null());
        }
        assert!(taken > 500 && taken < texts.len() / 2, "{taken} of {}", texts.len());
    });
}

/// A packet as the reference tells of it.
fn packet_told(text: &str) -> Value {
    let Ok(packet) = parse(text) else { return Value::Null };
    let kind: u64 = text[..1].parse().unwrap();
    let mut told = json!({ "type": kind, "nsp": packet.namespace });
    if let Some(attachments) = packet.attachments {
        told["attachments"] = attachments.into();
    }
    if let Some(id) = packet.id {
        told["id"] = id.into();
    }
    if !packet.payload.is_empty() {
        told["data"] = serde_json::from_str(packet.payload).unwrap();
    }
    told
}

/// Events that were written here and are read there, and the other way round.
fn events(survey: &mut Survey) {
    let parts = samples(any_event(), 200);
    let texts: Vec<String> = parts.iter().map(|parts| written(parts).0[1..].to_owned()).collect();
    let packet = |parts| {
        let (namespace, name, _, id, _): &(String, String, Vec<String>, Option<u64>, _) = parts;
        let arguments: Vec<Value> =
            serde_json::from_str(&format!("[{}]", written(parts).1)).unwrap();
        let data = [vec![json!(name)], arguments].concat();
        let mut packet = json!({ "type": 2, "nsp": namespace, "data": data });
        if let Some(id) = id {
            packet["id"] = (*id).into();
        }
        packet
    };
    let packets: Vec<Value> = parts.iter().map(packet).collect();
    let there = packets.clone();
    survey.ask(json!({ "ask": "packets", "packets": texts }), move |answer| {
        assert_eq!(answer, &Value::Array(packets));
    });
    survey.ask(json!({ "ask": "written", "packets": there }), move |answer| {
        for (packet, frames) in there.iter().zip(answer.as_array().unwrap()) {
            assert_eq!(&packet_told(frames[0].as_str().unwrap()), packet);
        }
    });
}

/// Attachments there and back.
fn attachments(survey: &mut Survey) {
    let data = json!(["x", { "y": [{ "#": "00ff" }] }, { "#": "" }]);
    let packet = json!({ "type": 2, "nsp": "/a", "id": 3, "data": data });
    let one = socketio::Emit::placeholder;
    let arguments = format!(r#"{{"y":[{}]}},{}"#, one(0), one(1));
    let emit = socketio::Emit {
        namespace: "/a",
        name: "x",
        arguments: &arguments,
        attachments: 2,
        id: Some(3),
        offset: None,
    };
    let mut head = vec![];
    emit.encode(&mut head).unwrap();
    let head = String::from_utf8(head).unwrap();
    let frames = json!([head[1..], { "#": "00ff" }, { "#": "" }]);
    let (read, there) = (frames.clone(), packet.clone());
    survey.ask(json!({ "ask": "written", "packets": [packet] }), move |answer| {
        assert_eq!(answer, &json!([frames]));
    });
    survey.ask(json!({ "ask": "read", "frames": read }), move |answer| {
        assert_eq!(answer, &json!([there]));
    });
}

/// The steps of a transcript with how much comes of each, and a check that the same comes of them there.
fn steps(name: &'static str, text: &'static str) -> (Value, impl FnOnce(&Value) + 'static) {
    let lines = read(text).1;
    let steps = lines.iter().map(|(step, comes, same)| json!([step, comes.len(), same]));
    let steps: Vec<Value> = steps.collect();
    let check = move |answer: &Value| {
        for ((step, comes, same), answer) in lines.iter().zip(answer.as_array().unwrap()) {
            assert!(!same || &json!(comes) == answer, "{name}: {step}\n{comes:?}\nthere: {answer}");
        }
    };
    (steps.into(), check)
}

fn engine_transcripts(survey: &mut Survey) {
    for (name, text) in transcripts::TRANSCRIPTS {
        let settings = read(text).0;
        let (steps, check) = steps(name, text);
        let question = json!({
            "ask": "engine",
            "pingInterval": settings.ping_interval.as_millis() as u64,
            "pingTimeout": settings.ping_timeout.as_millis() as u64,
            "steps": steps,
        });
        survey.ask(question, check);
    }
}

fn socket_transcripts(survey: &mut Survey) {
    for (name, text) in crate::socketio::transcripts::TRANSCRIPTS {
        let (steps, check) = steps(name, text);
        survey.ask(json!({ "ask": "socket", "steps": steps }), check);
    }
}

/// What clients say in an order that makes no sense. Only where both do the same: nobody is put out, and who sends attachments has joined.
fn random_conversations(survey: &mut Survey) {
    let steps = [
        "tell 0",
        "tell 0/custom",
        "tell 0/custom,{\"token\":\"bad\"}",
        "tell 0/random",
        "tell 1/custom",
        "tell 2[\"message\",1]",
        "tell 2/custom,[\"message\",2]",
        "tell 2/custom,7[\"message-with-ack\",3]",
        "tell 51-[\"message\",{\"_placeholder\":true,\"num\":0}]",
        "tell 52-8[\"message-with-ack\",{\"_placeholder\":true,\"num\":1}]",
        "bytes A",
        "bytes B",
        "tell 3/custom,1[]",
        "wait 600",
    ];
    let conversation = prop::collection::vec(prop::sample::select(steps.to_vec()), 8);
    for mut conversation in samples(conversation, 40) {
        conversation.insert(0, "tell 0");
        let seen = played(conversation.iter().copied());
        let steps =
            conversation.iter().zip(&seen).map(|(step, seen)| json!([step, seen.len(), true]));
        let steps: Vec<Value> = steps.collect();
        survey.ask(json!({ "ask": "socket", "steps": steps }), move |answer| {
            assert_eq!(&json!(seen), answer, "{conversation:#?}");
        });
    }
}
