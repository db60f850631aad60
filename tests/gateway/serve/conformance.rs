//! WebSocket by the cases of the Autobahn test suite, 301 of them (`tests/gateway/conformance/suite.py`): all but compression, which the gateway does not offer.

use std::time::{Duration, Instant};

use super::common::TempDir;
use super::{Gateway, LIMIT};
use crate::packages::Folder;

/// What the largest messages of the suite need.
const FLAGS: &[&str] = &["--echo", "--set", "payload=16777216", "--set", "fragments=65537"];

#[test]
fn every_case_of_the_suite() {
    let dir = TempDir::new();
    let gateway = Gateway::start(&dir, FLAGS);
    let folder = Folder::python("tests/gateway/conformance");
    let url = format!("ws://{}/websocket", gateway.address);
    let mut suite =
        folder.python3("suite.py").arg(url).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while suite.try_wait().unwrap().is_none() {
        if begun.elapsed() > LIMIT * 4 {
            let _ = suite.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = suite.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "301 cases, 301 good, 0 not\n");
}
