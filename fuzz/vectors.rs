//! Puts the requests and frames that the tests know into the corpora of their protocols, so that a run begins behind them: `fuzz/run.sh` calls it.

#[path = "../tests/gateway/websocket/cases.rs"]
mod cases;
#[path = "../tests/gateway/websocket/client.rs"]
#[allow(dead_code, reason = "the tests also take messages apart")]
mod client;
#[path = "../tests/gateway/http/requests.rs"]
#[allow(dead_code, reason = "only the bytes are wanted here")]
mod requests;
#[path = "../tests/gateway/websocket/utf8.rs"]
mod utf8;

use std::path::PathBuf;

fn main() {
    let corpus = PathBuf::from(std::env::args().nth(1).expect("usage: vectors DIRECTORY"));
    let put = |target: &str, number: usize, bytes: &[u8]| {
        let dir = corpus.join(target);
        std::fs::create_dir_all(&dir).expect("a directory");
        // The first byte says where a target cuts.
        let file = dir.join(format!("vector-{number:03}"));
        std::fs::write(file, [b"\x07", bytes].concat()).expect("a file");
    };
    let good = requests::GOOD.iter().map(|(bytes, _)| bytes.as_bytes());
    let bad = requests::BAD.iter().map(|(_, bytes)| *bytes);
    for (number, bytes) in good.chain(bad).enumerate() {
        put("http_head", number, bytes);
    }
    for (number, case) in cases::all().iter().enumerate() {
        put("websocket", number, &case.sent);
    }
}
