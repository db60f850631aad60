//! Server-sent events, read again as the standard tells browsers to.

use proptest::prelude::*;
use slipring::gateway::http::ServerSentEvent;

/// What a page gets: events as (id so far, name, data), and how long to wait before coming back.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    events: Vec<(String, String, String)>,
    last_id: String,
    retry: Option<u64>,
}

/// The interpretation of an event stream: HTML Standard, section 9.2.6.
fn interpret(stream: &[u8]) -> Page {
    let stream = std::str::from_utf8(stream).unwrap().replace("\r\n", "\n").replace('\r', "\n");
    let mut page = Page::default();
    let (mut name, mut data) = (String::new(), String::new());
    for line in stream.strip_suffix('\n').unwrap_or(&stream).split('\n') {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut name), std::mem::take(&mut data));
            if let Some(data) = data.strip_suffix('\n') {
                page.events.push((page.last_id.clone(), name, data.to_owned()));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value.to_owned(),
            "data" => data += &format!("{value}\n"),
            "id" if !value.contains('\0') => page.last_id = value.to_owned(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                page.retry = value.parse().ok()
            }
            _ => {}
        }
    }
    page
}

#[test]
fn as_it_is_on_the_wire() {
    let mut out = Vec::new();
    ServerSentEvent {
        id: Some("7-42"),
        event: Some("order"),
        retry: Some(3000),
        data: Some("a\n\nb"),
    }
    .write(&mut out);
    ServerSentEvent::write_comment(&mut out, "still here\nreally");
    ServerSentEvent { data: Some(""), ..Default::default() }.write(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "id: 7-42\nevent: order\nretry: 3000\ndata: a\ndata: \ndata: b\n\n: still here\n: really\n\ndata: \n\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_page_gets_what_was_written(
        events in prop::collection::vec(
            (prop::option::of("[\\PC\r\n\0]{0,6}"), prop::option::of("[\\PC\r\n\0]{0,6}"), prop::option::of(any::<u64>()), prop::option::of("[\\PC\r\n:]{0,12}")),
            0..6,
        ),
        comment in "[\\PC\r\n:]{0,12}",
    ) {
        let (mut out, mut page) = (Vec::new(), Page::default());
        let clean = |text: &str| text.replace(['\r', '\n', '\0'], "");
        for (id, event, retry, data) in &events {
            let (id, event, data) = (id.as_deref(), event.as_deref(), data.as_deref());
            ServerSentEvent { id, event, retry: *retry, data }.write(&mut out);
            ServerSentEvent::write_comment(&mut out, &comment);
            page.retry = retry.or(page.retry);
            page.last_id = id.map_or(page.last_id, clean);
            if let Some(data) = data {
                let data = data.replace("\r\n", "\n").replace('\r', "\n");
                page.events.push((page.last_id.clone(), clean(event.unwrap_or_default()), data));
            }
        }
        prop_assert_eq!(interpret(&out), page);
    }
}
