//! What browsers are told about other origins' pages, and which may do something.

use slipring::gateway::http::{Cors, Event, Limits, Origins, Parser, Request};

const PREFLIGHT: &str = "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\
    Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-id\r\n\r\n";

fn with<T>(bytes: &str, test: impl FnOnce(Request) -> T) -> T {
    let mut parser = Parser::new(Limits::default());
    match parser.next(&mut bytes.as_bytes()) {
        Ok(Some(Event::Request(request))) => test(request),
        other => panic!("{other:?}"),
    }
}

fn listed(origins: &[&str]) -> Origins {
    Origins::Listed(origins.iter().map(|origin| origin.to_string()).collect())
}

fn fields(cors: &Cors, origin: Option<&str>) -> String {
    with("GET / HTTP/1.1\r\nHost: a\r\n\r\n", |request| {
        let mut out = Vec::new();
        cors.write(origin.map(str::as_bytes), request.reply().begin(&mut out, 204)).empty();
        let out = String::from_utf8(out).unwrap();
        out.strip_prefix("HTTP/1.1 204 No Content\r\n").unwrap().to_owned()
    })
}

#[test]
fn fields_for_whom_it_concerns() {
    let page = Some("https://page.example");
    let cors = |origins, credentials| Cors { origins, credentials };
    assert_eq!(fields(&Cors::default(), page), "\r\n");
    assert_eq!(fields(&cors(Origins::Any, false), page), "Access-Control-Allow-Origin: *\r\n\r\n");
    assert_eq!(fields(&cors(Origins::Any, false), None), "Access-Control-Allow-Origin: *\r\n\r\n");
    let echoed = "Vary: Origin\r\nAccess-Control-Allow-Origin: https://page.example\r\n";
    let credentials = "Access-Control-Allow-Credentials: true\r\n";
    assert_eq!(fields(&cors(Origins::Any, true), page), format!("{echoed}{credentials}\r\n"));
    let one = || listed(&["http://other.example", "https://page.example"]);
    assert_eq!(fields(&cors(one(), false), page), format!("{echoed}\r\n"));
    assert_eq!(fields(&cors(one(), true), page), format!("{echoed}{credentials}\r\n"));
    for stranger in
        [None, Some("https://page.example.org"), Some("http://page.example"), Some("null")]
    {
        assert_eq!(fields(&cors(one(), true), stranger), "Vary: Origin\r\n\r\n", "{stranger:?}");
    }
}

#[test]
fn preflights() {
    let answer = |cors: &Cors| {
        with(PREFLIGHT, |request| {
            assert!(Cors::is_preflight(&request));
            let mut out = Vec::new();
            cors.write_preflight(&request, &mut out);
            String::from_utf8(out).unwrap()
        })
    };
    assert_eq!(
        answer(&Cors { origins: Origins::Any, credentials: false }),
        "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n\
        Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\nVary: Access-Control-Request-Headers\r\n\
        Access-Control-Allow-Headers: content-type,x-id\r\nContent-Length: 0\r\n\r\n"
    );
    let refused = answer(&Cors { origins: listed(&["https://else.example"]), credentials: false });
    assert!(!refused.contains("Allow-Origin"), "{refused}");
    for no in [
        PREFLIGHT.replace("OPTIONS", "GET"),
        PREFLIGHT.replace("Origin", "X"),
        PREFLIGHT.replace("Request-Method", "X"),
    ] {
        with(&no, |request| assert!(!Cors::is_preflight(&request)));
    }
}

#[test]
fn who_may_do_something() {
    let admitted = |origins: &Origins, fields: &str| {
        with(&format!("POST / HTTP/1.1\r\nHost: a.example:8080\r\n{fields}\r\n"), |request| {
            origins.admit(&request)
        })
    };
    let none = Origins::default();
    for (fields, well) in [
        ("", true),
        ("Origin: http://a.example:8080\r\n", true),
        ("Origin: https://A.example:8080\r\n", true),
        ("Origin: http://a.example\r\n", false),
        ("Origin: http://a.example:80801\r\n", false),
        ("Origin: a.example:8080\r\n", false),
        ("Origin: ftp://a.example:8080\r\n", false),
        ("Origin: null\r\n", false),
        ("Origin: http://a.example:8080\r\nOrigin: http://b.example\r\n", false),
    ] {
        assert_eq!(admitted(&none, fields), well, "{fields}");
    }
    let list = listed(&["http://b.example", "null"]);
    assert!(admitted(&list, "Origin: null\r\n") && admitted(&list, "Origin: http://B.example\r\n"));
    assert!(!admitted(&list, "Origin: http://c.example\r\n"));
    assert!(admitted(&Origins::Any, "Origin: http://c.example\r\n"));
}
