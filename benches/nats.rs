//! From publishers to subscribers over NATS: nats-server and the gateway in turn, the same clients, the same machine.
//!
//! `cargo bench --features cli --bench nats [-- MESSAGES]`. A publisher sends 128 bytes a message, 4096 at a time, and goes on when all subscribers have
//! them. `queue` is a subject that a queue holds, `live` one that none holds. Given are the medians of five runs in turn: deliveries a second, and what a delivery
//! costs the server, which does not depend on how busy the machine is otherwise.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const SIZE: usize = 128;
const BATCH: usize = 4096;
const RUNS: usize = 5;
const SUBSCRIBERS: [usize; 3] = [1, 8, 32];
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a directory of its own.
struct Server {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
}

impl Server {
    fn dir(name: &str) -> PathBuf {
        let dir =
            PathBuf::from(format!("/dev/shm/slipring-bench-nats-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn gateway() -> Self {
        let dir = Self::dir("gateway");
        slipring::Queue::options().topic(true).create(dir.join("queue").to_str().unwrap()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--nats", "127.0.0.1:0"]);
        command.env("SLIPRING_DIR", &dir).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let url =
            lines.find_map(|line| Some(line.strip_prefix("listening on nats://")?.to_owned()));
        Self { child, address: url.expect("it listens").parse().unwrap(), dir }
    }

    fn reference() -> Self {
        let dir = Self::dir("reference");
        // Free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let program = ["nats-server", "/usr/sbin/nats-server"].into_iter().find_map(|program| {
            let log = dir.join("log");
            Command::new(program).args(["-a", "127.0.0.1", "-p", &port, "-l"]).arg(log).spawn().ok()
        });
        let child = program.expect("nats-server is needed: apt-get install nats-server");
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "nats-server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, address, dir }
    }

    /// Processor time that it has used, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    fn client(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"CONNECT {\"verbose\":false}\r\n").unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Reads messages of one length, and says when each batch is whole.
fn subscribe(server: &Server, subject: &str, batches: usize) -> Receiver<()> {
    let mut stream = server.client();
    let (sender, receiver) = channel();
    stream.write_all(format!("SUB {subject} 1\r\nPING\r\n").as_bytes()).unwrap();
    let mut input = Vec::new();
    while !input.ends_with(b"PONG\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        input.push(byte[0]);
    }
    let message = format!("MSG {subject} 1 {SIZE}\r\n").len() + SIZE + 2;
    std::thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        for _ in 0..batches {
            let mut left = message * BATCH;
            while left > 0 {
                let most = left.min(buffer.len());
                match stream.read(&mut buffer[..most]) {
                    Ok(0) => panic!("the server hung up"),
                    Ok(count) => left -= count,
                    Err(error) => panic!("{error}"),
                }
            }
            let _ = sender.send(());
        }
    });
    receiver
}

/// Deliveries a second, and nanoseconds of the server's for each.
fn run(server: &Server, subject: &str, subscribers: usize, batches: usize) -> (f64, f64) {
    let done: Vec<_> = (0..subscribers).map(|_| subscribe(server, subject, batches)).collect();
    let mut publisher = server.client();
    let batch = format!("PUB {subject} {SIZE}\r\n{}\r\n", "x".repeat(SIZE)).repeat(BATCH);
    let (begun, ticks) = (Instant::now(), server.ticks());
    for _ in 0..batches {
        publisher.write_all(batch.as_bytes()).unwrap();
        done.iter().for_each(|done| done.recv_timeout(PATIENCE).expect("all of them come"));
    }
    let (took, ticks) = (begun.elapsed(), server.ticks() - ticks);
    let deliveries = (batches * BATCH * subscribers) as f64;
    (deliveries / took.as_secs_f64(), ticks as f64 * 1e7 / deliveries)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let messages: usize = messages.unwrap_or(1_000_000);
    println!("subscribers  server               deliveries/s  server's ns a delivery");
    for subscribers in SUBSCRIBERS {
        let batches = (messages / BATCH / subscribers).max(4);
        let mut figures = [const { (Vec::new(), Vec::new()) }; 3];
        for _ in 0..RUNS {
            let (reference, gateway) = (Server::reference(), Server::gateway());
            let turns = [
                (&reference, "live.subject"),
                (&gateway, "queue.subject"),
                (&gateway, "live.subject"),
            ];
            for ((server, subject), (rates, costs)) in turns.into_iter().zip(&mut figures) {
                let (rate, cost) = run(server, subject, subscribers, batches);
                rates.push(rate);
                costs.push(cost);
            }
        }
        for (name, (rates, costs)) in
            ["nats-server", "slipring serve, queue", "slipring serve, live"]
                .into_iter()
                .zip(figures)
        {
            println!("{subscribers:>11}  {name:<21}{:>12.0}{:>24.0}", median(rates), median(costs));
        }
    }
}
