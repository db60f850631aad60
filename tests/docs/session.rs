//! The shell of a page.

use super::common::TempDir;
use super::compare;
use super::page::{Block, Page, root};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Commands that can't be run by a test, and why.
const NOT_HERE: [(&str, &str); 13] = [
    ("cc", "needs an installed library; tests/ffi/install.rs does it"),
    ("systemctl", "needs systemd as the first process"),
    ("journalctl", "needs systemd as the first process"),
    ("docker", "needs a container daemon"),
    ("podman", "needs containers"),
    ("kubectl", "needs a cluster"),
    ("make", "is what runs the tests, and installs for the whole system"),
    ("mount", "needs to be root"),
    ("groupadd", "changes the system's users"),
    ("apt-get", "changes the system"),
    ("nats", "is in no distribution; tests/gateway has clients in three languages"),
    ("npm", "fetches packages; the example's own test does"),
    ("pip", "fetches packages; the example's own test does"),
];

/// What `slipring serve` listens on unless told otherwise, and how it is told.
const LISTENERS: [(u16, &str); 1] = [(7117, "SLIPRING_LISTEN")];

/// No page takes longer.
const LIMIT: Duration = Duration::from_secs(150);
/// What still runs in the background has so long to end.
const GRACE: Duration = Duration::from_secs(8);
/// Begins a line that says which command's output follows.
const MARK: char = '\u{1e}';

/// What the shell is given, and what the page shows of its output.
struct Step {
    place: String,
    command: String,
    /// `None`: it is not compared.
    shown: Option<String>,
    /// Does a failure end the page?
    must_succeed: bool,
}

/// What a page shows and its session does not do.
pub fn breaches(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut steps = Vec::new();
    for block in page.blocks.iter().filter(|block| ["console", "sh"].contains(&block.kind.as_str()))
    {
        match &block.not_run {
            Some(command) => wrong.extend(not_run(page, block, command)),
            None => steps.extend(of_block(page, block)),
        }
    }
    if !steps.is_empty() {
        wrong.extend(play(&steps, &Ports::of(page)));
    }
    wrong
}

/// May the block be left out for that command?
fn not_run(page: &Page, block: &Block, command: &str) -> Option<String> {
    let place = page.place(block);
    if !NOT_HERE.iter().any(|(known, _)| *known == command) {
        return Some(format!("{place}: not run for {command}, but {} does not say why", file!()));
    }
    let has_it = block.text.split_whitespace().any(|word| word == command);
    if !has_it {
        return Some(format!("{place}: not run for {command}, which is not in it"));
    }
    let script: String =
        of_block(page, block).iter().map(|step| step.command.clone() + "\n").collect();
    let output = Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then(|| format!("{place}: {said}"))
}

fn of_block(page: &Page, block: &Block) -> Vec<Step> {
    if block.kind == "sh" {
        return vec![Step {
            place: page.place(block),
            command: block.text.clone(),
            shown: block.prints.clone(),
            must_succeed: true,
        }];
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut continued = false;
    for (number, line) in block.text.lines().enumerate() {
        let place = format!("{}:{}", page.name, block.line + number + 1);
        if let Some(command) = line.strip_prefix("$ ") {
            let shown = Some(String::new());
            steps.push(Step { place, command: command.to_owned(), shown, must_succeed: false });
            continued = true;
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("{place}: output without a command"));
        continued &= line.starts_with("> ");
        match line.strip_prefix("> ").filter(|_| continued) {
            Some(more) => write!(step.command, "\n{more}").unwrap(),
            None => writeln!(step.shown.as_mut().unwrap(), "{line}").unwrap(),
        }
    }
    steps
}

fn play(steps: &[Step], ports: &Ports) -> Vec<String> {
    let dir = TempDir::new();
    fs::write(dir.path("script"), script(steps, ports)).unwrap();
    let mut shell = start(&dir, ports);
    let deadline = Instant::now() + LIMIT;
    while shell.try_wait().unwrap().is_none() && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
    end(&mut shell);
    let seen = fs::read(dir.path("output")).unwrap();
    judge(steps, ports, &ports.original(&String::from_utf8_lossy(&seen)))
}

/// Each step is announced by a mark; `$?` stays what it was.
fn script(steps: &[Step], ports: &Ports) -> String {
    let mut script = format!(
        "exec 2>&1\nmark() {{ status=$?; printf '{MARK}%s\\n' \"$1\"; return $status; }}\n"
    );
    for (number, step) in steps.iter().enumerate() {
        let command = ports.replaced(&step.command);
        let command = command.trim_end();
        if step.must_succeed {
            writeln!(script, "mark {number}\nset -e\n{command}\nset +e").unwrap();
        } else {
            writeln!(script, "mark {number}\n{command}").unwrap();
        }
    }
    writeln!(script, "mark {}", steps.len()).unwrap();
    script
}

fn start(dir: &TempDir, ports: &Ports) -> Child {
    let tools = PathBuf::from(dir.path("tools"));
    fs::create_dir_all(&tools).unwrap();
    fs::create_dir_all(dir.path("here")).unwrap();
    // Whoever types it does not outrun the server that the line before has started.
    let patient = "retry = 100\nretry-delay = 0\nretry-max-time = 20\nretry-connrefused\nsilent\nshow-error\n";
    fs::write(tools.join(".curlrc"), patient).unwrap();
    super::programs::cargo_for_pages(&tools);
    let program = Path::new(env!("CARGO_BIN_EXE_slipring")).parent().unwrap();
    let before = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{before}", tools.display(), program.display());
    let mut shell = Command::new("sh");
    shell.arg(dir.path("script")).current_dir(dir.path("here")).process_group(0);
    shell.stdin(Stdio::null()).stdout(File::create(dir.path("output")).unwrap());
    shell.env("PATH", path).env("SLIPRING_DIR", dir.path("queues")).env("CURL_HOME", &tools);
    shell.env("REPOSITORY", root());
    for (port, variable) in LISTENERS {
        if let Some(here) = ports.0.get(&port) {
            shell.env(variable, format!("127.0.0.1:{here}"));
        }
    }
    shell.spawn().unwrap()
}

/// Ends all that the shell has started, whatever it is.
fn end(shell: &mut Child) {
    let group = format!("-{}", shell.id());
    let signal = |signal: &str| {
        let mut kill = Command::new("kill");
        kill.args([signal, "--", &group]).stderr(Stdio::null()).status().unwrap().success()
    };
    let deadline = Instant::now() + GRACE;
    signal("-TERM");
    let _ = shell.try_wait();
    while signal("-0") && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
        let _ = shell.try_wait();
    }
    signal("-KILL");
    shell.wait().unwrap();
}

/// Compares what was printed between the marks.
fn judge(steps: &[Step], ports: &Ports, output: &str) -> Vec<String> {
    let seen: Vec<&str> =
        output.split(MARK).skip(1).map(|part| part.split_once('\n').unwrap().1).collect();
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let (place, command) = (&step.place, step.command.trim_end());
        let Some(text) = seen.get(number) else { break };
        let finished = seen.len() > number + 1;
        let same =
            step.shown.as_ref().is_none_or(|shown| compare::same(&ports.original(shown), text));
        if !finished {
            wrong.push(format!(
                "{place}: this failed, or did not end:\n{command}\nand printed:\n{text}"
            ));
        } else if !same {
            let shown = step.shown.as_deref().unwrap_or("");
            wrong.push(format!(
                "{place}:\n$ {command}\nprints:\n{text}and the page shows:\n{shown}"
            ));
        }
    }
    wrong
}

/// The ports that a page names, and those that stand in for them, so that pages don't meet.
struct Ports(BTreeMap<u16, u16>);

impl Ports {
    fn of(page: &Page) -> Self {
        let hosts = ["localhost:", "127.0.0.1:", "0.0.0.0:", "[::1]:"];
        let named = page.blocks.iter().flat_map(|block| {
            hosts.iter().flat_map(|host| {
                block.text.match_indices(host).map(|(at, host)| &block.text[at + host.len()..])
            })
        });
        let number = |rest: &str| -> Option<u16> {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok().filter(|port| *port != 0)
        };
        let mut ports: BTreeMap<u16, u16> =
            named.filter_map(number).map(|port| (port, 0)).collect();
        ports.extend(LISTENERS.map(|(port, _)| (port, 0)));
        // All of them are held until all are known, so that they differ.
        let held: Vec<TcpListener> =
            ports.keys().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        for (here, held) in ports.values_mut().zip(&held) {
            *here = held.local_addr().unwrap().port();
        }
        Self(ports)
    }

    fn replaced(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (port, here)| exchange(&text, *port, *here))
    }

    fn original(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (port, here)| exchange(&text, *here, *port))
    }
}

/// One port for another, wherever it stands behind a colon.
fn exchange(text: &str, from: u16, to: u16) -> String {
    let colon = format!(":{from}");
    let mut parts = text.split(&colon);
    let mut exchanged = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let longer = part.starts_with(|c: char| c.is_ascii_digit());
        write!(exchanged, ":{}{part}", if longer { from } else { to }).unwrap();
    }
    exchanged
}
