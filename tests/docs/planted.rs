//! Pages with one mistake each: that the real ones have none means something only if these are found.

use super::page::{Page, breaches};
use super::{command_words, links, programs, session};

fn page(text: &str) -> Page {
    Page::new("docs/planted.md", &text.replace('~', "`"))
}

fn session(text: &str) -> Vec<String> {
    session::breaches(&page(text))
}

#[test]
fn a_session_that_prints_something_else() {
    let right = "~~~console\n$ slipring create q --capacity 4KiB\n$ slipring send q hello\n$ slipring recv q --drain; echo $?\nhello\n0\n~~~\n";
    assert_eq!(session(right), [""; 0]);
    let wrong = session(&right.replace("hello\n0", "hallo\n0"));
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].starts_with("docs/planted.md:4:\n$ slipring recv q"), "{}", wrong[0]);
    assert_eq!(session(&right.replace("hello\n0", "hello")).len(), 1);
    assert_eq!(session(&right.replace("hello\n0", "...\n0")), [""; 0]);
}

#[test]
fn a_script_that_fails_or_does_not_end() {
    assert_eq!(session("~~~sh\ntrue\necho x\n~~~\n"), [""; 0]);
    let wrong = session("~~~sh\nfalse\necho x\n~~~\n~~~console\n$ echo never\nnever\n~~~\n");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("planted.md:1: this failed"), "{}", wrong[0]);
    // What the shell leaves behind ends with it.
    assert_eq!(session("~~~sh\nsleep 1000 &\n~~~\n"), [""; 0]);
    assert_eq!(session("~~~sh\necho x\n~~~\nIt prints:\n~~~text\ny\n~~~\n").len(), 1);
}

#[test]
fn a_block_that_is_left_out_without_a_reason() {
    let left_out = |comment: &str| {
        session(&format!("<!-- not run: {comment} -->\n~~~sh\ndocker run x\n~~~\n"))
    };
    assert_eq!(left_out("docker"), [""; 0]);
    assert!(left_out("systemctl")[0].contains("which is not in it"));
    assert!(left_out("laziness")[0].contains("does not say why"));
    assert_eq!(session("<!-- not run: docker -->\n~~~sh\ndocker run (\n~~~\n").len(), 1);
}

#[test]
fn a_server_answers_on_a_port_of_its_own() {
    let text = "~~~sh\nslipring create q --capacity 4KiB\nslipring serve &\ncurl -f -d hello localhost:7117/q/q\n~~~\nIt prints:\n~~~text\n...\n{\"position\":0}\n...\n~~~\n";
    assert_eq!(session(text), [""; 0]);
}

#[test]
fn programs_that_print_something_else_or_are_none() {
    let found = |text: &str| programs::breaches(&[page(text)]);
    let right = "~~~rust\nprintln!(\"{}\", slipring::DEFAULT_GROUP);\n~~~\nprints:\n~~~text\ndefault\n~~~\n";
    assert_eq!(found(right), [""; 0]);
    assert_eq!(found(&right.replace("text\ndefault", "text\nother")).len(), 1);
    assert_eq!(found(&right.replace("DEFAULT_GROUP", "DEFAULT_GROOP")).len(), 1);
    assert_eq!(found("~~~rust,no_run\nlet _: u8 = \"\";\n~~~\n").len(), 1);
}

#[test]
fn blocks_links_and_words() {
    assert_eq!(breaches(&page("~~~\nwhat?\n~~~\n")).len(), 1);
    assert_eq!(breaches(&page("~~~toml\nlisten = \n~~~\n")).len(), 1);
    assert_eq!(breaches(&page("text:\n\n    slipring ls\n")).len(), 1);
    assert_eq!(breaches(&page("text:\n\n    header  magic\n")), [""; 0]);
    assert_eq!(links::breaches(&page("[a](nothing.md)")).len(), 1);
    assert_eq!(links::breaches(&page("[a](design.md#nothing)")).len(), 1);
    assert_eq!(links::breaches(&page("[a](design.md#7-waiting) [b](../README.md)")), [""; 0]);
    assert_eq!(command_words::breaches(&page("~slipring recv --frob~")).len(), 1);
    assert_eq!(command_words::breaches(&page("~make nothing~ and ~make test~")).len(), 1);
}
