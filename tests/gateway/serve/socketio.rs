//! Socket.IO, with the stock client of npm on the other side (`tests/gateway/reference/clients.mjs`).

#[path = "socketio/chat.rs"]
mod chat;
#[path = "socketio/groups.rs"]
mod groups;
#[path = "socketio/recovery.rs"]
mod recovery;
#[path = "socketio/talk.rs"]
mod talk;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::{LIMIT, Place};
use crate::packages::Folder;

/// Stock clients, in a process of their own.
struct Clients {
    node: Child,
    input: ChildStdin,
    heard: Receiver<Value>,
    /// What came for others than the one that was listened to.
    waiting: HashMap<String, VecDeque<Value>>,
    _folder: Arc<Folder>,
}

impl Clients {
    fn new() -> Self {
        let folder = Folder::shared("reference");
        let mut node = folder.node("clients.mjs");
        node.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = node.spawn().expect("node, which is needed to run the stock client");
        let (input, output) = (node.stdin.take().unwrap(), node.stdout.take().unwrap());
        let (say, heard) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if say.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { node, input, heard, waiting: HashMap::new(), _folder: folder }
    }

    fn tell(&mut self, step: Value) {
        writeln!(self.input, "{step}").unwrap();
    }

    /// Opens a client; it has connected once it is heard.
    fn open(&mut self, name: &str, place: &Place, target: &str, options: Value) {
        let url = format!("http://{}{target}", place.gateway.address);
        self.tell(json!({ "do": "open", "name": name, "url": url, "options": options }));
    }

    /// A client that has connected by WebSocket.
    fn connect(&mut self, name: &str, place: &Place, target: &str, auth: Value) -> Value {
        self.open(name, place, target, json!({ "transports": ["websocket"], "auth": auth }));
        let connected = self.hear(name);
        assert!(connected["connect"].is_string(), "{connected}");
        connected
    }

    fn act(&mut self, name: &str, what: &str) {
        self.tell(json!({ "do": what, "name": name }));
    }

    fn emit(&mut self, name: &str, args: Value) {
        self.tell(json!({ "do": "emit", "name": name, "args": args }));
    }

    /// Emits an event, and gives the arguments of the ack.
    fn ask(&mut self, name: &str, args: Value) -> Value {
        self.tell(json!({ "do": "emit", "name": name, "args": args, "ack": true }));
        self.hear_only(name, "answer")
    }

    /// The next thing that a client hears.
    fn hear(&mut self, name: &str) -> Value {
        loop {
            if let Some(heard) = self.waiting.get_mut(name).and_then(VecDeque::pop_front) {
                return heard;
            }
            let heard =
                self.heard.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{name}: silence"));
            let of = heard["name"].as_str().unwrap().to_owned();
            self.waiting.entry(of).or_default().push_back(heard);
        }
    }

    /// The first of its kind; other things stay to be heard.
    fn hear_only(&mut self, name: &str, kind: &str) -> Value {
        let mut others = VecDeque::new();
        let found = loop {
            let heard = self.hear(name);
            if !heard[kind].is_null() {
                break heard[kind].clone();
            }
            others.push_back(heard);
        };
        let queue = self.waiting.entry(name.to_owned()).or_default();
        others.append(queue);
        *queue = others;
        found
    }

    /// The next event: its name and arguments, without the offset behind them.
    fn event(&mut self, name: &str) -> (String, Vec<Value>) {
        let heard = self.hear(name);
        let event = heard["event"].as_str().unwrap_or_else(|| panic!("{heard}")).to_owned();
        let mut args = heard["args"].as_array().unwrap().clone();
        let offset = args.pop().unwrap_or_default();
        let text = offset.as_str().unwrap_or_else(|| panic!("no offset: {heard}"));
        let (epoch, position) = text.split_once('-').unwrap();
        assert!(epoch.parse::<u64>().is_ok() && position.parse::<u64>().is_ok(), "{text}");
        (event, args)
    }

    /// Events in their order, each with one argument.
    fn events(&mut self, name: &str, expected: &[(&str, Value)]) {
        for (event, argument) in expected {
            assert_eq!(self.event(name), (event.to_string(), vec![argument.clone()]));
        }
    }

    /// Breaks a client's connection, as the network would.
    fn cut(&mut self, name: &str) {
        self.act(name, "cut");
        assert!(self.hear(name)["disconnect"].is_string());
    }

    /// Nothing has come for a client that it has not heard: what it asks for now comes at once.
    fn silent(&mut self, name: &str) {
        let rooms = self.ask(name, json!(["leave"]));
        assert!(rooms[0].is_object());
        assert_eq!(self.waiting.get(name).map_or(0, VecDeque::len), 0, "{:?}", self.waiting);
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}
