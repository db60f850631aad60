//! Which session a request is for, and what it is refused with.

use slipring::gateway::engineio::{
    Admission, Handshake, Method, Refusal, Settings, Transport, admit, session_id,
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A request, its query written as in a URL, to a server with one session of each transport.
fn ask<'a>(method: &'a str, query: &'a str, upgrade: bool, settings: &Settings) -> Said<'a> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let request = Handshake::new(method, pairs, upgrade);
    let transport_of = |sid: &str| match sid {
        "polls" => Some(Transport::Polling),
        "socket" => Some(Transport::WebSocket),
        _ => None,
    };
    admit(&request, settings, transport_of, || Ok(()))
}

type Said<'a> = Result<Admission<'a>, Refusal>;

#[test]
fn who_opens_a_session_and_who_has_one() {
    use Admission::{Open, Session};
    let cases: &[(&str, &str, bool, Admission)] = &[
        ("GET", "EIO=4&transport=polling", false, Open(Transport::Polling)),
        ("GET", "transport=polling&t=abc&EIO=4&b64=1", false, Open(Transport::Polling)),
        ("GET", "EIO=4&transport=polling&sid=", false, Open(Transport::Polling)),
        ("GET", "EIO=3&transport=abc&transport=polling&EIO=4", false, Open(Transport::Polling)),
        ("GET", "EIO=4&transport=websocket", true, Open(Transport::WebSocket)),
        ("GET", "EIO=4&transport=polling&sid=polls", false, Session("polls", Method::Get)),
        ("POST", "transport=polling&sid=polls", false, Session("polls", Method::Post)),
        ("GET", "transport=websocket&sid=polls", true, Session("polls", Method::Upgrade)),
        // The session refuses it by closing it.
        ("GET", "transport=websocket&sid=socket", true, Session("socket", Method::Upgrade)),
    ];
    for (method, query, upgrade, admission) in cases {
        let said = ask(method, query, *upgrade, &Settings::default());
        assert_eq!(said.as_ref(), Ok(admission), "{method} {query}");
    }
}

#[test]
fn who_is_refused_and_for_what_first() {
    use Refusal::*;
    let cases: &[(&str, &str, bool, Refusal)] = &[
        ("GET", "EIO=4", false, UnknownTransport),
        ("POST", "EIO=3&transport=abc&sid=nobody", false, UnknownTransport),
        ("GET", "EIO=4&transport=webtransport", false, UnknownTransport),
        ("PUT", "EIO=3&transport=polling&sid=nobody", false, UnknownSession),
        ("GET", "transport=polling&sid=socket", false, BadRequest),
        ("POST", "transport=polling&sid=socket", false, BadRequest),
        ("GET", "transport=websocket&sid=polls", false, BadRequest),
        ("GET", "transport=websocket&sid=socket", false, BadRequest),
        ("GET", "transport=polling&sid=polls", true, BadRequest),
        ("POST", "transport=websocket&sid=polls", true, BadRequest),
        ("PUT", "transport=polling&sid=polls", false, MethodNotAllowed),
        ("OPTIONS", "transport=polling&sid=polls", false, MethodNotAllowed),
        ("POST", "EIO=3&transport=websocket", false, BadHandshakeMethod),
        ("get", "EIO=4&transport=polling", false, BadHandshakeMethod),
        ("GET", "EIO=3&transport=websocket", false, BadRequest),
        ("GET", "EIO=4&transport=polling", true, BadRequest),
        ("GET", "transport=polling", false, UnsupportedVersion),
        ("GET", "EIO=abc&transport=polling", false, UnsupportedVersion),
        ("GET", "EIO=04&transport=websocket", true, UnsupportedVersion),
    ];
    for (method, query, upgrade, refusal) in cases {
        let said = ask(method, query, *upgrade, &Settings::default());
        assert_eq!(said.as_ref(), Err(refusal), "{method} {query}");
    }
}

#[test]
fn settings_turn_transports_off() {
    let default = Settings::default;
    let cases = [
        (Settings { polling: false, ..default() }, "transport=polling", Refusal::UnknownTransport),
        (
            Settings { websocket: false, ..default() },
            "transport=websocket",
            Refusal::UnknownTransport,
        ),
        (
            Settings { upgrades: false, ..default() },
            "transport=websocket&sid=polls",
            Refusal::BadRequest,
        ),
    ];
    for (settings, query, refusal) in cases {
        let upgrade = query.contains("websocket");
        assert_eq!(ask("GET", query, upgrade, &settings), Err(refusal), "{query}");
    }
    let settings = Settings { upgrades: false, ..default() };
    assert!(ask("GET", "EIO=4&transport=websocket", true, &settings).is_ok());
}

#[test]
fn the_origin_and_the_servers_own_mind() {
    let query = [("EIO", "5"), ("transport", "polling")];
    let ask = |origin: &[u8], allowed: Result<(), Option<String>>| {
        let request = Handshake::new("GET", query, false).origin(origin);
        admit(&request, &Settings::default(), |_| None, || allowed).unwrap_err()
    };
    assert_eq!(ask(b"http://a\0", Ok(())), Refusal::BadRequest);
    assert_eq!(ask(b"http://\x7f", Ok(())), Refusal::BadRequest);
    assert_eq!(ask("http://\u{e4}\t".as_bytes(), Ok(())), Refusal::UnsupportedVersion);
    assert_eq!(ask(b"", Err(None)), Refusal::Forbidden(None));
    // An origin is looked at before a session id, and that before the server is asked.
    let query = [("transport", "polling"), ("sid", "nobody")];
    let request = Handshake::new("GET", query, false);
    let never = || -> Result<(), Option<String>> { panic!("asked about a request of a session") };
    let said = admit(&request, &Settings::default(), |_| None, never);
    assert_eq!(said, Err(Refusal::UnknownSession));
    let said = admit(&request.origin(b"\n"), &Settings::default(), |_| None, never);
    assert_eq!(said, Err(Refusal::BadRequest));
}

#[test]
fn the_words_of_a_refusal() {
    let cases: &[(Refusal, u16, &str, &str)] = &[
        (
            Refusal::UnknownTransport,
            400,
            r#"{"code":0,"message":"Transport unknown"}"#,
            "Transport unknown",
        ),
        (
            Refusal::UnknownSession,
            400,
            r#"{"code":1,"message":"Session ID unknown"}"#,
            "Session ID unknown",
        ),
        (
            Refusal::BadHandshakeMethod,
            400,
            r#"{"code":2,"message":"Bad handshake method"}"#,
            "Bad handshake method",
        ),
        (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#, "Bad request"),
        (Refusal::Forbidden(None), 403, r#"{"code":4,"message":"Forbidden"}"#, "Forbidden"),
        (
            Refusal::Forbidden(Some("say \"please\"".into())),
            403,
            r#"{"code":4,"message":"say \"please\""}"#,
            "say \"please\"",
        ),
        (
            Refusal::UnsupportedVersion,
            400,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
            "Unsupported protocol version",
        ),
    ];
    for (refusal, status, json, words) in cases {
        let reply = refusal.reply(false);
        assert_eq!((reply.status, reply.headers), (*status, &[JSON][..]));
        assert_eq!(String::from_utf8(reply.body).as_deref(), Ok(*json));
        // To a WebSocket's request: the words alone, and no more on this connection.
        let reply = refusal.reply(true);
        assert_eq!(reply.status, 400);
        assert_eq!(reply.headers, [("Connection", "close"), ("Content-Type", "text/html")]);
        assert_eq!(String::from_utf8(reply.body).as_deref(), Ok(*words));
    }
    let reply = Refusal::MethodNotAllowed.reply(false);
    assert_eq!((reply.status, reply.headers), (405, &[("Allow", "GET, POST")][..]));
}

#[test]
fn session_ids_are_twenty_letters_for_urls() {
    assert_eq!(session_id([0; 15]), "A".repeat(20));
    assert_eq!(session_id([0xff; 15]), "_".repeat(20));
    let id = session_id(*b"\xfb0123456789abcd");
    assert!(id.len() == 20 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
}
