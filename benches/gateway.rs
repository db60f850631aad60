//! How long a message takes from a process that sends it into a queue to a client of the gateway that has it, beside a bare echo: a process that waits in epoll
//! and passes on what a socket brings. `cargo bench --features cli --bench gateway [ROUNDS]`.
//!
//! The same thread sends and waits for what comes of it, so that one clock tells the time; the other side is a process on another core. The sides take turns,
//! a few hundred messages each, so that what disturbs the machine disturbs all of them.

#[path = "common/cores.rs"]
mod cores;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slipring::{Producer, Queue};

const PAYLOAD: usize = 64;
/// Messages of a side before the next one has its turn, and those before them that only warm it up.
const TURN: usize = 500;
const WARMING: usize = 50;

fn main() {
    // Where there is one core only, all are there.
    let rounds = match std::env::args().nth(1).as_deref() {
        Some("echo") => return echo(),
        Some(rounds) => rounds.parse().unwrap_or(20),
        None => 20,
    };
    let place = Place::new();
    cores::pin(1);
    let echo = Side::echo();
    let gateway = Gateway::start(&place.0);
    cores::pin(0);
    let (first, second) = (place.queue("a"), place.queue("b"));
    let mut sides = [
        echo,
        Side::of_gateway(&gateway, &first, "WebSocket", "/ws/a?format=raw", WEBSOCKET, b""),
        Side::of_gateway(&gateway, &second, "server-sent events", "/q/b/events", "", b"\n\n"),
    ];
    for _ in 0..rounds {
        for side in &mut sides {
            side.turn();
        }
    }
    println!(
        "{:<20} {:>8} {:>8} {:>8}  us, of {} messages",
        "",
        "p50",
        "p90",
        "p99",
        rounds * TURN
    );
    let bare = sides[0].percentile(50);
    for side in &mut sides {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| side.percentile(percent));
        println!("{:<20} {p50:>8.1} {p90:>8.1} {p99:>8.1}  {:+.1}", side.name, p50 - bare);
    }
}

/// Sends by one way, and receives from a socket.
struct Side {
    name: &'static str,
    input: Input,
    output: TcpStream,
    /// What ends a message, or nothing if its length does.
    end: &'static [u8],
    times: Vec<Duration>,
    _child: Option<Process>,
}

enum Input {
    Socket(TcpStream),
    Queue(Box<Producer>),
}

impl Side {
    fn echo() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg("echo").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address: SocketAddr = line.trim().parse().unwrap();
        let (input, output) = (connect(address), connect(address));
        let input = Input::Socket(input);
        Self {
            name: "bare epoll echo",
            input,
            output,
            end: b"",
            times: Vec::new(),
            _child: Some(Process(child)),
        }
    }

    fn of_gateway(
        gateway: &Gateway,
        queue: &Queue,
        name: &'static str,
        target: &str,
        fields: &str,
        end: &'static [u8],
    ) -> Self {
        let mut output = connect(gateway.address);
        let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n{fields}\r\n");
        let request = if fields.is_empty() { request } else { request.replace("1.0", "1.1") };
        output.write_all(request.as_bytes()).unwrap();
        // The head, and of a stream the event that says where it begins.
        let mut seen = Vec::new();
        let ends = if end.is_empty() { 1 } else { 2 };
        while String::from_utf8_lossy(&seen).replace('\r', "").matches("\n\n").count() < ends {
            let mut bytes = [0; 1024];
            let count = output.read(&mut bytes).unwrap();
            assert!(count > 0, "{name}: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&bytes[..count]);
        }
        let input = Input::Queue(Box::new(queue.producer().unwrap()));
        Self { name, input, output, end, times: Vec::new(), _child: None }
    }

    fn turn(&mut self) {
        for number in 0..WARMING + TURN {
            let time = self.pass();
            if number >= WARMING {
                self.times.push(time);
            }
        }
    }

    fn pass(&mut self) -> Duration {
        let payload = [b'x'; PAYLOAD];
        let start = Instant::now();
        match &mut self.input {
            Input::Socket(socket) => socket.write_all(&payload).unwrap(),
            Input::Queue(producer) => drop(producer.send(&payload).unwrap()),
        }
        let mut bytes = [0; 1024];
        let mut count = 0;
        while count < PAYLOAD || !bytes[..count].ends_with(self.end) {
            let more = self.output.read(&mut bytes[count..]).unwrap();
            assert!(more > 0, "{}: it has gone", self.name);
            count += more;
        }
        start.elapsed()
    }

    fn percentile(&mut self, percent: usize) -> f64 {
        self.times.sort_unstable();
        self.times[self.times.len() * percent / 100].as_secs_f64() * 1e6
    }
}

const WEBSOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The bare echo: what the first connection sends goes to the second one, until that is over.
fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let [mut from, mut to] = [(); 2].map(|()| listener.accept().unwrap().0);
    to.set_nodelay(true).unwrap();
    from.set_nonblocking(true).unwrap();
    let mut poll = Poll::new().unwrap();
    let fd = from.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE).unwrap();
    let mut events = Events::with_capacity(1024);
    let mut bytes = [0; 1024];
    loop {
        poll.poll(&mut events, None).unwrap();
        // Edge-triggered: to the end of what there is.
        loop {
            match from.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => to.write_all(&bytes[..count]).unwrap(),
                Err(_) => break,
            }
        }
    }
}

/// A directory with queues that keep no sender waiting.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let place = Self(format!("/dev/shm/slipring-bench-{}", std::process::id()).into());
        std::fs::create_dir_all(&place.0).unwrap();
        place
    }

    fn queue(&self, name: &str) -> Queue {
        let path = self.0.join(name);
        Queue::options().capacity(1 << 20).topic(true).create(path.to_str().unwrap()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The gateway that is measured.
struct Gateway {
    address: SocketAddr,
    _child: Process,
}

impl Gateway {
    fn start(dir: &PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("SLIPRING_DIR", dir);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
        Self { address: address.parse().unwrap(), _child: Process(child) }
    }
}

/// Ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
