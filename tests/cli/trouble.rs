//! docs/troubleshooting.md: each text in its table is provoked, and each text that is provoked stands in the table.

use crate::shell::{Said, Shell};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first column, without the marks that make it code.
fn page() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ``"));
    rows.map(|row| row.split("`` |").next().unwrap().trim().to_owned()).collect()
}

struct Texts {
    shell: Shell,
    seen: BTreeSet<String>,
}

impl Texts {
    /// A command that fails with one line, as it stands on the page: with the usual directory, and a usual user.
    fn note(&mut self, what: &str, code: i32, said: &Said) {
        assert_eq!(said.code, Some(code), "{what}: {}", said.err);
        let text = said.err.replace(&self.shell.dir(), "/dev/shm/slipring");
        let text = text.strip_prefix("slipring: ").unwrap_or_else(|| panic!("{what}: {text}"));
        assert_eq!(text.lines().count(), 1, "{what}: {text}");
        self.seen.insert(text.trim_end().to_owned());
    }

    fn fails(&mut self, code: i32, args: &[&str]) {
        let said = self.shell.run(args);
        self.note(&args.join(" "), code, &said);
    }

    fn ok(&self, args: &[&str]) {
        self.shell.ok(args);
    }
}

#[test]
fn every_text_is_on_the_page_and_every_text_of_the_page_is_real() {
    let mut texts = Texts { shell: Shell::new(), seen: BTreeSet::new() };
    names_and_files(&mut texts);
    sending_and_receiving(&mut texts);
    members_and_groups(&mut texts);
    recordings_and_dead_letters(&mut texts);
    around(&mut texts);
    permission(&mut texts);
    let page = page();
    let missing: Vec<_> = texts.seen.difference(&page).collect();
    let unreal: Vec<_> = page.difference(&texts.seen).collect();
    assert!(
        missing.is_empty() && unreal.is_empty(),
        "not on the page: {missing:#?}\nonly there: {unreal:#?}"
    );
}

fn names_and_files(texts: &mut Texts) {
    texts.fails(3, &["recv", "orders"]);
    texts.fails(2, &["create", "my orders"]);
    texts.fails(1, &["create", "orders", "--capacity", "8TiB", "--block", "1M"]);
    let path = texts.shell.path("no/orders");
    texts.fails(3, &["create", &path]);
    texts.ok(&["create", "orders", "--capacity", "4KiB"]);
    texts.fails(1, &["create", "orders"]);
    let file = texts.shell.path("orders");
    let whole = fs::read(&file).unwrap();
    let mut other = whole.clone();
    other[8..16].copy_from_slice(&[99, 0, 0, 0, 0, 0, 0, 0]);
    for bytes in [&other[..], &whole[..8192], b"", &[b'x'; 9000]] {
        fs::write(&file, bytes).unwrap();
        texts.fails(6, &["recv", "orders"]);
    }
    fs::write(&file, "apples").unwrap();
    texts.fails(6, &["recv", "orders"]);
    texts.fails(6, &["rm", &file]);
    texts.ok(&["rm", "orders"]);
}

fn sending_and_receiving(texts: &mut Texts) {
    texts.ok(&["create", "orders", "--capacity", "4KiB"]);
    texts.fails(4, &["recv", "orders", "--timeout", "1ms"]);
    texts.fails(4, &["recv", "orders", "-n", "1", "--drain"]);
    texts.fails(4, &["peek", "orders"]);
    texts.fails(1, &["send", "orders", &"x".repeat(3000)]);
    texts.fails(2, &["send", "orders", "x", "--event", &"e".repeat(256)]);
    texts.ok(&["send", "orders", "x", "--count", "64"]);
    texts.fails(5, &["send", "orders", "x", "--timeout", "0"]);
    texts.fails(5, &["send", "orders", "x", "--timeout", "1ms"]);
    texts.ok(&["group", "drop", "orders", "default"]);
    texts.ok(&["send", "orders", "x", "--count", "100"]);
    texts.ok(&["close", "orders"]);
    texts.fails(1, &["send", "orders", "x"]);
    texts.ok(&["rm", "orders"]);
}

fn members_and_groups(texts: &mut Texts) {
    let sizes = ["--max-groups", "1", "--max-members", "1"];
    texts.ok(&[&["create", "orders", "--capacity", "4KiB"], &sizes[..]].concat());
    texts.fails(1, &["recv", "orders", "--group", "billing"]);
    texts.fails(3, &["group", "drop", "orders", "billing"]);
    texts.ok(&["recv", "orders", "--drain", "--filter", "order.*"]);
    texts.fails(6, &["recv", "orders", "--filter", "invoice.*"]);
    let member = texts.shell.start(&["recv", "orders"]);
    texts.shell.until("orders", |stats| stats["members"].as_array().unwrap().len() == 1);
    texts.fails(1, &["send", "orders", "x"]);
    texts.fails(6, &["group", "drop", "orders", "default"]);
    drop(member);
    texts.ok(&["rm", "orders"]);
}

fn recordings_and_dead_letters(texts: &mut Texts) {
    texts.ok(&["create", "orders", "--capacity", "4KiB"]);
    texts.ok(&["send", "orders", "apples"]);
    let file = texts.shell.path("today.rec");
    texts.ok(&["record", "orders", &file, "--drain"]);
    texts.fails(1, &["record", "orders", &file, "--drain"]);
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[60] ^= 1;
    for bytes in [&whole[..72], &damaged, b"apples"] {
        fs::write(&file, bytes).unwrap();
        let said = texts.shell.run(&["replay", "--check", &file]);
        texts.note("replay", 6, &said);
    }
    fs::remove_file(&file).unwrap();
    texts.fails(3, &["replay", &file, "orders"]);
    texts.fails(3, &["dead", "drop", "orders", "7"]);
    texts.ok(&["rm", "orders"]);
}

fn around(texts: &mut Texts) {
    texts.fails(1, &["top"]);
    // The port that the page names is nobody's here: another one stands for it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut said = texts.shell.run(&["serve", "--listen", &address]);
    said.err = said.err.replace(&address, "127.0.0.1:7117");
    texts.note("serve", 1, &said);
    texts.fails(1, &["serve", "--listen", "0.0.0.0:0"]);
}

/// As nobody, if we are root, who may do everything; else of a file that we have taken from ourselves.
fn permission(texts: &mut Texts) {
    texts.ok(&["create", "orders", "--capacity", "4KiB"]);
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap());
    // Where nobody may not go, he may still run what was opened for him.
    let nobody =
        "exec setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/3 recv orders";
    let line = if uid == 0 {
        format!("{nobody} 3<{}", env!("CARGO_BIN_EXE_slipring"))
    } else {
        format!(
            "chmod 000 {}; exec {} recv orders",
            texts.shell.path("orders"),
            env!("CARGO_BIN_EXE_slipring")
        )
    };
    let mut sh = Command::new("sh");
    sh.args(["-c", &line]).env("SLIPRING_DIR", texts.shell.dir());
    sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut said = crate::shell::Running::new(&mut sh).end();
    for mode in ["0", "600"] {
        said.err = said
            .err
            .replace(&format!("(owner uid {uid}, mode {mode})"), "(owner uid 1000, mode 600)");
    }
    texts.note("recv", 1, &said);
}
