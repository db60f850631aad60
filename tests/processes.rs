//! Participants in several processes: stopped ones, forked ones, and ones that cannot even see each other.

mod common;

#[path = "processes/child.rs"]
mod child;
#[path = "processes/forked.rs"]
mod forked;
#[path = "processes/namespaces.rs"]
mod namespaces;
#[path = "processes/stopped.rs"]
mod stopped;

#[test]
fn child() {
    let Some(line) = child::role() else { return };
    let (role, arguments) = line.split_first().unwrap();
    match role.as_str() {
        "stopped" => stopped::play(arguments),
        "forked" => forked::play(arguments),
        "namespace" => namespaces::play(arguments),
        other => panic!("{other}"),
    }
}
