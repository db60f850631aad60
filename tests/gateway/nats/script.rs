//! What is sent to both servers, step by step.

use std::time::Duration;

use slipring::gateway::nats::{Permissions, Rules};

use super::wire::Setup;

/// One step, by the client of this name.
pub struct Step {
    pub client: &'static str,
    pub bytes: Vec<u8>,
    pub then: Then,
}

/// What follows a step's bytes.
pub enum Then {
    /// It has just connected, and is told INFO.
    Info,
    /// What all clients get until the answer to a PING of their own.
    Answers,
    /// The same, in any order: there is none among queue groups.
    AnyOrder,
    /// Only a part has been sent.
    Nothing,
    /// What the client gets until the server hangs up.
    End,
    /// The servers differ, and why.
    Differs(Known),
}

/// A known difference: the lines of either server, and `END` if it hangs up.
pub struct Known {
    pub ours: &'static [&'static str],
    pub reference: &'static [&'static str],
    pub reason: &'static str,
}

/// The server hangs up.
pub const END: &str = "(end)";

fn open(client: &'static str) -> Step {
    Step { client, bytes: Vec::new(), then: Then::Info }
}
fn send(client: &'static str, bytes: impl AsRef<[u8]>) -> Step {
    Step { client, bytes: bytes.as_ref().into(), then: Then::Answers }
}
fn send_to_groups(client: &'static str, bytes: impl AsRef<[u8]>) -> Step {
    Step { client, bytes: bytes.as_ref().into(), then: Then::AnyOrder }
}
fn part(client: &'static str, bytes: impl AsRef<[u8]>) -> Step {
    Step { client, bytes: bytes.as_ref().into(), then: Then::Nothing }
}
fn last(client: &'static str, bytes: impl AsRef<[u8]>) -> Step {
    Step { client, bytes: bytes.as_ref().into(), then: Then::End }
}

const QUIET: &str = "CONNECT {\"verbose\":false,\"headers\":true}\r\n";

/// Without authentication.
pub fn plain() -> Vec<Step> {
    vec![
        open("a"),
        open("b"),
        send("b", QUIET),
        // Before CONNECT a client is verbose and pedantic, hears itself, and knows no headers.
        send("a", "SUB early 1\r\n"),
        send("a", "PUB early 5\r\nhello\r\n"),
        send("a", "PUB early.* 2\r\nhi\r\n"),
        send("a", "PUB early..x 0\r\n\r\n"),
        send("a", "UNSUB 1\r\n"),
        send("a", "UNSUB nothing\r\n"),
        send(
            "a",
            "CONNECT {\"verbose\":true,\"pedantic\":true,\"name\":\"a\",\"lang\":\"x\",\"version\":\"1\",\"protocol\":1}\r\n",
        ),
        // Verbose and pedantic.
        send("a", "SUB foo 1\r\nSUB foo.* 2\r\nSUB foo.> 3\r\n"),
        send("a", "PUB foo 3\r\nabc\r\n"),
        send("a", "PUB foo.bar 0\r\n\r\n"),
        send("b", "PUB foo.bar.baz answer.here 4\r\nwxyz\r\n"),
        send("b", "pub\tfoo\t \t3  \r\nabc\r\n"),
        send("a", "PUB foo.* 1\r\nx\r\n"),
        send("a", "PUB .foo 1\r\nx\r\n"),
        send("a", "SUB a..b 9\r\n"),
        send("a", "SUB .a 9\r\nSUB a. 9\r\nSUB a.>.b 9\r\n"),
        // An id twice: the first one stays.
        send("a", "SUB other 1\r\n"),
        send("b", "PUB other 1\r\nx\r\n"),
        send("b", "PUB foo 1\r\nx\r\n"),
        send("a", "UNSUB 1\r\nUNSUB 2\r\nunsub 3 \r\n"),
        send("b", "PUB foo 1\r\nx\r\n"),
        // Not verbose, not pedantic, no echo.
        send("a", "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n"),
        send("a", "SUB foo 1\r\n"),
        send("a", "PUB foo 1\r\nx\r\n"),
        send("a", "PUB foo..bar 1\r\nx\r\nPUB * 1\r\nx\r\n"),
        send("b", "PUB foo 1\r\nx\r\n"),
        send("a", "Connect {\"ECHO\":true,\"unknown\":[1,{}]}\r\n"),
        send("a", "PUB foo 1\r\nx\r\n"),
        send("a", "CONNECT{\"verbose\":null}\r\nCONNECT null\r\n"),
        send("a", "ping\r\nPING with words\r\nPONG\r\n+OK\r\nINFO {}\r\n"),
        // Ends after so many messages, counted from the subscription on.
        send("a", "UNSUB 1\r\nSUB foo max\r\nUNSUB max 2\r\n"),
        send("b", "PUB foo 1\r\n1\r\nPUB foo 1\r\n2\r\nPUB foo 1\r\n3\r\n"),
        send("a", "SUB foo max\r\n"),
        send("b", "PUB foo 1\r\n4\r\nPUB foo 1\r\n5\r\n"),
        send("a", "UNSUB max 3\r\n"),
        send("b", "PUB foo 1\r\n6\r\nPUB foo 1\r\n7\r\n"),
        send("a", "SUB foo max\r\n"),
        send("b", "PUB foo 1\r\n8\r\n"),
        send("a", "UNSUB max 1\r\n"),
        send("b", "PUB foo 1\r\n9\r\n"),
        send("a", "SUB foo max\r\nUNSUB max nonsense\r\nSUB foo max\r\nUNSUB max 0\r\n"),
        send("b", "PUB foo 1\r\n9\r\n"),
        // Queue groups: one member gets it, whatever wildcard it came by, and the plain subscriptions too.
        send("a", "SUB work.* workers q1\r\nSUB work.> workers q2\r\nSUB work.x others q3\r\n"),
        send_to_groups("b", "PUB work.x 1\r\nx\r\n"),
        send_to_groups("b", "PUB work.y 1\r\ny\r\n"),
        send("a", "SUB work.> plain\r\n"),
        send_to_groups("b", "PUB work.z back 1\r\nz\r\n"),
        send("a", "UNSUB q1\r\nUNSUB q2\r\nUNSUB q3\r\nUNSUB plain\r\n"),
        send_to_groups("b", "PUB work.x 1\r\nx\r\n"),
        // Headers: for who knows them; others get the payload alone.
        send("a", "SUB h 1\r\n"),
        send("b", "SUB h 2\r\n"),
        send("b", "HPUB h 20 25\r\nNATS/1.0\r\nA: bcd\r\n\r\nhello\r\n"),
        send("b", "HPUB h reply 17 17\r\nNATS/1.0\r\nA:b\r\n\r\n\r\n"),
        send("b", "HPUB h 0 2\r\nhi\r\n"),
        send("b", "HPUB h 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"),
        // No responders, after which it does ask for them.
        send("b", "SUB back.* 3\r\n"),
        send("b", "PUB nobody back.1 0\r\n\r\n"),
        send("b", "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n"),
        send("b", "PUB nobody back.1 0\r\n\r\n"),
        send("b", "PUB nobody elsewhere 0\r\n\r\n"),
        send("b", "PUB nobody 0\r\n\r\n"),
        send("b", "PUB h back.2 0\r\n\r\n"),
        send("b", "UNSUB 3 1\r\nPUB nobody back.1 0\r\n\r\nPUB nobody back.1 0\r\n\r\n"),
        send("b", "SUB back.3 group 4\r\nUNSUB 3\r\nPUB nobody back.3 0\r\n\r\n"),
        // Something in two parts.
        part("b", "PUB h"),
        part("b", " 10\r"),
        part("b", "\n01234"),
        part("b", "56789\r"),
        send("b", "\n"),
        // As many subscriptions as are allowed.
        send("b", "SUB s 11\r\nSUB s 12\r\nSUB s 13\r\nSUB s 14\r\nSUB s 15\r\nSUB s 16\r\n"),
        send("b", "SUB s 17\r\nSUB s 11\r\n"),
        send("b", "UNSUB 16\r\nSUB t 18\r\n"),
        send("b", "SUB 1.2.3.4.5.6 x\r\n"),
        send("b", "UNSUB 18\r\nSUB 1.2.3.4.5.6.7 x\r\nSUB 1.2.3.4.5.6 y\r\n"),
        // As many bytes as are allowed, and one more.
        send("b", message_of(1024)),
        last("b", "PUB h 1025\r\n"),
        open("b"),
        send("b", QUIET),
        last("b", "HPUB h 12 1025\r\n"),
    ]
}

fn message_of(len: usize) -> String {
    format!("PUB h {len}\r\n{}\r\n", "0123456789abcdef".repeat(len / 16))
}

/// What ends a connection, each on one of its own.
pub fn endings() -> Vec<Step> {
    let long = "x".repeat(4096 - 2);
    let endings = [
        // Nothing that is an operation.
        "FOO\r\n".to_owned(),
        "\r\n".into(),
        " PING\r\n".into(),
        "PUB\r\n".into(),
        "PUBLISH a 1\r\n".into(),
        "MSG a 1 1\r\n".into(),
        "HMSG a 1 1 1\r\nPING\r\n".into(),
        "-ERR\r\n".into(),
        "+KO\r\n".into(),
        "PUB a 1\r\nabc\r\n".into(),
        "PUB a 1\r\na\n".into(),
        // Arguments that a verb does not have.
        "PUB a\r\n".into(),
        "PUB \r\n".into(),
        "PUB a b c 1\r\n".into(),
        "PUB a -1\r\n".into(),
        "PUB a 1e2\r\n".into(),
        "PUB a 1234567890\r\n".into(),
        "SUB a\r\n".into(),
        "SUB \r\n".into(),
        "SUB a b c d\r\n".into(),
        "UNSUB \r\n".into(),
        "UNSUB a b c\r\n".into(),
        "HPUB a 12 12\r\n".into(),
        "CONNECT\r\n".into(),
        "CONNECT {\r\n".into(),
        "CONNECT []\r\n".into(),
        "CONNECT {\"verbose\":1}\r\n".into(),
        "CONNECT {\"protocol\":1.5}\r\n".into(),
        "CONNECT {\"name\":{}}\r\n".into(),
        "-ERR 'whatever'\r\n".into(),
        format!("{QUIET}HPUB a 12\r\n"),
        format!("{QUIET}HPUB a 13 12\r\n"),
        format!("{QUIET}HPUB a x 12\r\n"),
        format!("{QUIET}HPUB a b c 12 12\r\n"),
        // What is asked for and cannot be.
        "CONNECT {\"protocol\":2}\r\n".into(),
        "CONNECT {\"protocol\":-1}\r\n".into(),
        "CONNECT {\"no_responders\":true}\r\n".into(),
        // A control line that is too long.
        format!("SUB {long} 12\r\n"),
    ];
    let ending = |bytes: String| [open("c"), last("c", bytes)];
    let mut steps: Vec<Step> = endings.into_iter().flat_map(ending).collect();
    // One that is as long as allowed, white space before it not counted.
    steps.extend([open("d"), send("d", format!("{QUIET}SUB    {long} 1\r\n"))]);
    steps.extend(differences().into_iter().flat_map(|step| [open(step.client), step]));
    steps
}

/// Where this server differs from the reference.
fn differences() -> Vec<Step> {
    let differs = |client, bytes: &str, ours, reference, reason| Step {
        client,
        bytes: format!("{QUIET}{bytes}").into(),
        then: Then::Differs(Known { ours, reference, reason }),
    };
    vec![
        differs(
            "e",
            "HPUB e 5 5\r\nhello\r\n",
            &["-ERR \\'Invalid Headers\\'"],
            &[],
            "what is no block of headers breaks the clients that get it",
        ),
        differs(
            "f",
            "SUB f\rg 1\r\n",
            &[END],
            &[],
            "a CR in a line breaks the lines that are sent on; the reference drops it or not, depending on how the line is cut",
        ),
        differs(
            "g",
            "SUB g 1\r\nPUB g 00002\r\nhi\r\n",
            &["MSG g 1 2", "hi"],
            &["MSG g 1 00002", "hi"],
            "a number is a number",
        ),
        differs("h", "INFO {\r\n", &[], &[END], "INFO is nothing to a server, well formed or not"),
    ]
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// Users: one may do everything, the other some things.
pub fn users() -> Setup {
    let some = Permissions {
        publish: Rules {
            allow: Some(list(&["open.>", "mine", "q.\"x"])),
            deny: list(&["open.not.*"]),
        },
        subscribe: Rules {
            allow: Some(list(&["open.>", "mine.*", "_INBOX.>"])),
            deny: list(&["open.secret.>"]),
        },
    };
    let users = vec![("all", "s3cret", Permissions::default()), ("some", "pass word", some)];
    Setup { users, ..Setup::default() }
}

const ALL: &str = "CONNECT {\"verbose\":true,\"user\":\"all\",\"pass\":\"s3cret\"}\r\n";
const SOME: &str = "CONNECT {\"verbose\":true,\"user\":\"some\",\"pass\":\"pass word\"}\r\n";

/// With users and their permissions.
pub fn with_users() -> Vec<Step> {
    let refused = [
        "PING\r\n",
        "SUB a 1\r\n",
        "FOO\r\n",
        "CONNECT {}\r\n",
        "CONNECT {\"user\":\"all\"}\r\n",
        "CONNECT {\"user\":\"all\",\"pass\":\"wrong\"}\r\n",
        "CONNECT {\"user\":\"nobody\",\"pass\":\"s3cret\"}\r\n",
        "CONNECT {\"auth_token\":\"s3cret\"}\r\n",
        "COFFEE\r\n",
    ];
    let mut steps: Vec<Step> =
        refused.iter().flat_map(|bytes| [open("x"), last("x", bytes)]).collect();
    steps.extend([
        open("a"),
        send("a", ALL),
        open("s"),
        send("s", SOME),
        send("a", "SUB > 1\r\n"),
        send("s", "PUB open.x 1\r\nx\r\n"),
        send("s", "PUB mine 1\r\nx\r\n"),
        send("s", "PUB closed 1\r\nx\r\n"),
        send("s", "PUB open 1\r\nx\r\n"),
        send("s", "PUB open.not.x 1\r\nx\r\n"),
        send("s", "PUB open.not.x.y 1\r\nx\r\n"),
        send("s", "PUB q.\"x 1\r\nx\r\n"),
        send("s", "PUB a\"b\\c 1\r\nx\r\n"),
        send("s", "PUB \u{e4}.b 1\r\nx\r\n"),
        send("s", "SUB closed 1\r\nSUB > 1\r\nSUB * 1\r\n"),
        send("s", "SUB closed group 1\r\n"),
        send("s", "SUB open.> 1\r\nSUB mine.* 2\r\nSUB mine 3\r\nSUB mine.x.y 3\r\n"),
        send("s", "SUB open.secret.x 4\r\n"),
        send("a", "PUB open.x 1\r\nx\r\n"),
        // The subscription is wider than what is denied.
        send("a", "PUB open.secret.x 1\r\nx\r\n"),
        send("a", "PUB mine.x 1\r\nx\r\n"),
        open("t"),
        Step {
            client: "t",
            bytes: format!("{SOME}SUB mine.> 5\r\n").into(),
            then: Then::Differs(Known {
                ours: &[
                    "+OK",
                    "-ERR \\'Permissions Violation for Subscription to \\\"mine.>\\\"\\'",
                ],
                reference: &["+OK", "+OK"],
                reason: "what is allowed is mine.*, and mine.> is more than that",
            }),
        },
        // Once more CONNECT, as somebody else: it must be allowed in again.
        last("s", "CONNECT {\"pass\":\"wrong\"}\r\n"),
    ]);
    steps
}

/// With a token.
pub fn token() -> Setup {
    Setup { token: Some("s3cret-token"), ..Setup::default() }
}
pub fn with_token() -> Vec<Step> {
    vec![
        open("a"),
        last("a", "CONNECT {\"auth_token\":\"wrong\"}\r\n"),
        open("a"),
        last("a", "CONNECT {\"user\":\"s3cret-token\"}\r\n"),
        open("a"),
        send("a", "CONNECT {\"auth_token\":\"s3cret-token\"}\r\n"),
        send("a", "SUB a 1\r\nPUB a 0\r\n\r\n"),
    ]
}

/// Where time passes: a client that never says who it is, and one that never answers.
pub fn impatient() -> Setup {
    let (auth_timeout, ping_interval) = (Duration::from_millis(200), Duration::from_millis(600));
    let (auth_timeout, ping_interval) = (Some(auth_timeout), Some(ping_interval));
    Setup { token: Some("t"), auth_timeout, ping_interval, ..Setup::default() }
}
pub fn without_patience() -> Vec<Step> {
    let connect = "CONNECT {\"verbose\":false,\"auth_token\":\"t\"}\r\n";
    vec![open("a"), last("a", ""), open("b"), last("b", connect)]
}

/// One too many.
pub fn crowd() -> Setup {
    Setup { max_connections: Some(2), ..Setup::default() }
}
pub fn with_a_crowd() -> Vec<Step> {
    let client = |client| [open(client), send(client, QUIET)];
    let mut steps: Vec<Step> = ["a", "b"].into_iter().flat_map(client).collect();
    steps.extend([open("c"), last("c", "")]);
    steps
}

/// The same where TLS is required: the third is told before it begins.
pub fn crowd_before_tls() -> Vec<Step> {
    vec![open("a"), open("b"), open("c"), last("c", "")]
}

/// Where TLS is required, of a client that goes on without.
pub fn without_tls() -> Vec<Step> {
    let known = Known {
        ours: &["-ERR \\'Secure Connection - TLS Required\\'", END],
        reference: &[END],
        reason: "the reference has these words for it, and writes them to nobody",
    };
    vec![open("a"), Step { client: "a", bytes: QUIET.into(), then: Then::Differs(known) }]
}
