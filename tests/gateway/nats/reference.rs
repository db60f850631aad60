//! The reference itself: nats-server and this server are sent the same, and must answer the same, line by line.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::script::{self, END, Step, Then};
use super::server::Server;
use super::shown;
use super::wire::{
    MAX_PAYLOAD, MAX_PINGS_OUT, MAX_SUBSCRIPTIONS, MAX_TOKENS, PATIENCE, Setup, Wire,
};

/// nats-server in a directory of its own, on a port that the system gives.
struct Reference {
    process: Child,
    dir: PathBuf,
    address: SocketAddr,
}

impl Reference {
    fn start(setup: &Setup) -> Self {
        let dir = std::env::temp_dir().join(format!(
            "slipring-nats-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("conf"), configuration(setup)).unwrap();
        let program = ["nats-server", "/usr/sbin/nats-server"].into_iter().find_map(|program| {
            Command::new(program)
                .args(["-a", "127.0.0.1", "-p", "-1", "-c"])
                .arg(dir.join("conf"))
                .arg("--ports_file_dir")
                .arg(&dir)
                .current_dir(&dir)
                .stderr(fs::File::create(dir.join("log")).unwrap())
                .stdin(Stdio::null())
                .spawn()
                .ok()
        });
        let process = program.expect("nats-server is needed: apt-get install nats-server");
        // From here on it ends with this, also if it does not listen.
        let mut reference = Self { process, dir, address: ([127, 0, 0, 1], 0).into() };
        reference.address = port(&reference.dir, reference.process.id());
        reference
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What the server writes about its ports when it listens.
fn port(dir: &Path, id: u32) -> SocketAddr {
    let file = dir.join(format!("nats-server_{id}.ports"));
    let started = Instant::now();
    loop {
        let ports =
            fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let url = ports.and_then(|ports| Some(ports["nats"][0].as_str()?.to_owned()));
        if let Some(address) = url.and_then(|url| url.split_once("://")?.1.parse().ok()) {
            return address;
        }
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(started.elapsed() < PATIENCE, "nats-server does not listen: {}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn configuration(setup: &Setup) -> String {
    let max_tokens = setup.max_tokens.unwrap_or(MAX_TOKENS);
    let mut text = format!(
        "max_payload: {MAX_PAYLOAD}\nmax_subscriptions: {MAX_SUBSCRIPTIONS}\n\
         max_subscription_tokens: {max_tokens}\nping_max: {MAX_PINGS_OUT}\n"
    );
    let quoted = |names: &[String]| serde_json::to_string(names).unwrap();
    if let Some(interval) = setup.ping_interval {
        text += &format!("ping_interval: \"{}ms\"\n", interval.as_millis());
    }
    if let Some((certificate, key)) = &setup.certificate {
        text += &format!("tls {{cert_file: {certificate:?}, key_file: {key:?}}}\n");
    }
    if let Some(max) = setup.max_connections {
        text += &format!("max_connections: {max}\n");
    }
    if !setup.users.is_empty() || setup.token.is_some() {
        text += "authorization {\n";
        if let Some(token) = setup.token {
            text += &format!("token: {token:?}\n");
        }
        if let Some(timeout) = setup.auth_timeout {
            text += &format!("timeout: {}\n", timeout.as_secs_f64());
        }
        let user = |(user, pass, permissions): &(
            &str,
            &str,
            slipring::gateway::nats::Permissions,
        )| {
            let rules = |rules: &slipring::gateway::nats::Rules| match &rules.allow {
                Some(allow) => {
                    format!("{{allow: {}, deny: {}}}", quoted(allow), quoted(&rules.deny))
                }
                None => "{allow: \">\"}".into(),
            };
            let (publish, subscribe) = (rules(&permissions.publish), rules(&permissions.subscribe));
            format!(
                "{{user: {user:?}, password: {pass:?}, permissions: {{publish: {publish}, subscribe: {subscribe}}}}}\n"
            )
        };
        if !setup.users.is_empty() {
            text += &format!("users: [{}]\n", setup.users.iter().map(user).collect::<String>());
        }
        text += "}\n";
    }
    text
}

/// What all clients were told after a step, in order of their names.
type Answer = Vec<(&'static str, Vec<String>)>;

fn play(address: SocketAddr, steps: &[Step]) -> Vec<Answer> {
    let mut clients: BTreeMap<&'static str, Wire> = BTreeMap::new();
    // Only these may be asked by PING.
    let mut greeted = Vec::new();
    let mut answers = Vec::new();
    for step in steps {
        let name = step.client;
        let client = clients.entry(name).or_insert_with(|| Wire::open(address));
        let question: &[u8] = if let Then::Differs(_) = step.then { b"PING\r\n" } else { b"" };
        client.send(&[&step.bytes, question].concat());
        let mut answer = Vec::new();
        match step.then {
            Then::Nothing => {}
            Then::Info => answer.push((name, vec![info(&client.line().expect("INFO"))])),
            Then::End => {
                answer.push((name, client.rest()));
                clients.remove(name);
                greeted.retain(|greeted| *greeted != name);
            }
            Then::Answers | Then::AnyOrder => greeted.push(name),
            Then::Differs(_) => {
                let mut lines = Vec::new();
                loop {
                    match client.line() {
                        None => break lines.push(END.into()),
                        Some(line) if line == "PONG" => break,
                        Some(line) => lines.push(line),
                    }
                }
                answer.push((name, lines));
                clients.remove(name);
            }
        }
        // The sender first: when it has its answer, what it caused is on its way to the others.
        let settled = !matches!(step.then, Then::Nothing | Then::Info | Then::Differs(_));
        let ask = |name: &&'static str| settled && greeted.contains(name);
        let mut asked: Vec<&'static str> = clients.keys().copied().filter(ask).collect();
        asked.sort_by_key(|other| *other != name);
        for other in asked {
            let client = clients.get_mut(other).expect("it is there");
            client.send(b"PING\r\n");
            let before = if other == name { pings(&step.bytes) } else { 0 };
            let lines = client.lines_until("PONG", before);
            if !lines.is_empty() {
                answer.push((other, lines));
            }
        }
        answers.push(answer);
    }
    answers
}

/// PINGs of the step itself.
fn pings(bytes: &[u8]) -> usize {
    let is_ping =
        |line: &&[u8]| line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"PING"));
    bytes.split(|byte| *byte == b'\n').filter(is_ping).count()
}

/// INFO's fields in order of their names, with what differs between two servers, or two connections, taken out by name.
fn info(line: &str) -> String {
    let differing = ["server_id", "server_name", "version", "port", "client_id"];
    // The reference names its compiler and its commit; no client asks for that.
    let only_there = ["go", "git_commit"];
    let text = line.strip_prefix("INFO ").expect("INFO comes first").replace("\\\"", "\"");
    let Value::Object(fields) = serde_json::from_str(&text).expect("JSON") else {
        panic!("{line}")
    };
    let known = fields.into_iter().filter(|(name, _)| !only_there.contains(&name.as_str()));
    let shown = known.map(|(name, value)| match value {
        Value::Number(_) | Value::String(_) if differing.contains(&name.as_str()) => name,
        value => format!("{name}={value}"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Which member of a queue group gets a message is up to the server: the ids `q1` and `q2` are members of the same.
fn any_member(line: &str) -> String {
    line.replace(" q1 ", " q? ").replace(" q2 ", " q? ")
}

fn compare(setup: &Setup, steps: &[Step]) {
    // Messages whole, and all of them in pieces.
    let servers = [MAX_PAYLOAD, 0].map(|stream_above| Server::start(setup, stream_above));
    compare_at(&servers.each_ref().map(|server| server.address), setup, steps);
}

/// Plays a script with the reference and with these servers.
pub fn compare_at(addresses: &[SocketAddr], setup: &Setup, steps: &[Step]) {
    let reference = Reference::start(setup);
    let theirs = play(reference.address, steps);
    for address in addresses {
        let ours = play(*address, steps);
        for ((step, mut ours), mut theirs) in steps.iter().zip(ours).zip(theirs.clone()) {
            let sent = shown(&step.bytes[..step.bytes.len().min(300)]);
            if let Then::Differs(known) = &step.then {
                let lines =
                    |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
                assert_eq!(
                    ours,
                    [(step.client, lines(known.ours))],
                    "this server: {sent}: {}",
                    known.reason
                );
                assert_eq!(
                    theirs,
                    [(step.client, lines(known.reference))],
                    "reference: {sent}: {}",
                    known.reason
                );
                continue;
            }
            for (_, lines) in ours.iter_mut().chain(&mut theirs) {
                lines.iter_mut().for_each(|line| *line = any_member(line));
                if let Then::AnyOrder = step.then {
                    lines.sort_unstable();
                }
            }
            assert_eq!(
                ours, theirs,
                "left: this server, right: the reference, after {} sent {sent}",
                step.client
            );
        }
    }
}

#[test]
fn plain_session() {
    let steps = script::plain();
    assert!(steps.len() >= 60);
    compare(&Setup::default(), &steps);
}

#[test]
fn endings() {
    compare(&Setup::default(), &script::endings());
}

#[test]
fn users_and_permissions() {
    compare(&script::users(), &script::with_users());
}

#[test]
fn token() {
    compare(&script::token(), &script::with_token());
}

#[test]
fn time_passes() {
    compare(&script::impatient(), &script::without_patience());
}

#[test]
fn too_many_connections() {
    compare(&script::crowd(), &script::with_a_crowd());
}
