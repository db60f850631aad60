//! The gateway is killed again and again under load, and so are members of groups, with what they have not confirmed: every durable subscriber gets every event,
//! in order. `SLIPRING_KILLS` sets how often the gateway is (default 40).

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::common::{self, TempDir};
use super::nats::start;
use super::{Gateway, LIMIT};

/// Half of them are members of a group of their own, the others keep their position.
const CLIENTS: usize = 20;

/// A member of a group dies with every so manieth message that it gets.
const LAST: usize = 97;

/// Events between one kill and the next.
const EVENTS: u64 = 200;

/// One subscriber, and how many events it has seen without a gap.
struct Subscriber<'t> {
    number: usize,
    next: &'t AtomicU64,
    /// As many it has confirmed, and got since it began.
    confirmed: u64,
    got: usize,
    /// What the last message's position was, if this one keeps it.
    place: String,
    address: SocketAddr,
}

impl Subscriber<'_> {
    fn keeps_its_place(&self) -> bool {
        self.number % 2 == 1
    }

    /// Reads until the connection ends, or there are as many events as there will be.
    fn read(&mut self, end: &AtomicU64) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        let subscription = match self.keeps_its_place() {
            true => format!("SUB $SLIPRING.FROM.{}.q.> 1\r\n", self.place),
            false => format!("SUB q.> durable-{} 1\r\n", self.number),
        };
        let hello = "CONNECT {\"verbose\":false,\"headers\":true}\r\n";
        stream.write_all(format!("{hello}{subscription}PING\r\n").as_bytes())?;
        let mut input = BufReader::new(stream.try_clone()?);
        let mut before = None;
        loop {
            let line = match line(&mut input) {
                Ok(line) if line.is_empty() => return Ok(()),
                Err(_) if self.next.load(Ordering::Relaxed) >= end.load(Ordering::Relaxed) => {
                    return Ok(());
                }
                other => other?,
            };
            match line.split(' ').next() {
                Some("PING") => {
                    stream.write_all(b"PONG\r\n")?;
                    self.confirmed = self.next.load(Ordering::Relaxed);
                }
                Some("MSG" | "HMSG") => {
                    let number = self.message(&line, &mut input)?;
                    let next = self.next.load(Ordering::Relaxed);
                    // In order, without a gap; again only what had not been confirmed.
                    let expected = before.map_or(next, |before| before + 1);
                    assert!(
                        number == expected
                            || before.is_none() && number < next && !self.keeps_its_place(),
                        "subscriber {} got {number} and not {expected}",
                        self.number
                    );
                    before = Some(number);
                    self.next.store(next.max(number + 1), Ordering::Relaxed);
                    if self.dies() {
                        return forget(&stream, &mut input);
                    }
                }
                Some("-ERR") => panic!("subscriber {}: {line}", self.number),
                _ => {}
            }
        }
    }

    /// With it goes what it has not confirmed.
    fn dies(&mut self) -> bool {
        self.got += 1;
        let dies = !self.keeps_its_place() && self.got.is_multiple_of(LAST);
        if dies {
            self.next.store(self.confirmed, Ordering::Relaxed);
        }
        dies
    }

    /// The rest of a message; the number that it carries.
    fn message(&mut self, head: &str, input: &mut impl BufRead) -> std::io::Result<u64> {
        let sizes: Vec<usize> = head.split(' ').skip(3).map(|size| size.parse().unwrap()).collect();
        let mut body = vec![0; sizes[sizes.len() - 1] + 2];
        // Time-outs do not part a message: it was sent whole, or the connection ends.
        let mut have = 0;
        while have < body.len() {
            match input.read(&mut body[have..]) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => have += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let text = String::from_utf8(body).unwrap();
        if let Some((_, rest)) = text.split_once("Slipring-Position: ") {
            self.place = rest.split_once("\r\n").unwrap().0.into();
        }
        Ok(text.trim_end().rsplit("\r\n").next().unwrap().parse().unwrap())
    }
}

/// Hangs up, and reads on without a look until the gateway has noticed.
fn forget(stream: &TcpStream, input: &mut impl BufRead) -> std::io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut rest = [0; 4096];
    loop {
        match input.read(&mut rest) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// A whole line; an empty one at the end of the connection.
fn line(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = Vec::new();
    loop {
        match input.read_until(b'\n', &mut line) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && !line.is_empty() => {}
            Err(error) => return Err(error),
            Ok(_) if line.last() == Some(&b'\n') => {
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            Ok(_) => return Ok(String::new()),
        }
    }
}

#[test]
fn durable_subscribers_get_every_event() {
    let kills = std::env::var("SLIPRING_KILLS").map_or(40, |kills| kills.parse().unwrap());
    let dir = TempDir::new();
    // Holds them all, so that nobody who keeps his place is overrun.
    let capacity = (kills * EVENTS * 64).next_power_of_two().max(1 << 20);
    let queue = common::queue(&dir, "q", capacity);
    let (mut gateway, address) = start(&dir, &["--nats", "127.0.0.1:0"]);
    let fixed = address.to_string();
    let end = AtomicU64::new(u64::MAX);
    let seen: Vec<AtomicU64> = (0..CLIENTS).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for (number, next) in seen.iter().enumerate() {
            let end = &end;
            let (confirmed, got, place) = (0, 0, "earliest".into());
            let mut subscriber = Subscriber { number, next, confirmed, got, place, address };
            scope.spawn(move || {
                let (mut before, mut since) = (0, Instant::now());
                while next.load(Ordering::Relaxed) < end.load(Ordering::Relaxed) {
                    // The gateway is gone, or goes while we read.
                    let _ = subscriber.read(end);
                    let have = next.load(Ordering::Relaxed);
                    if std::mem::replace(&mut before, have) < have {
                        since = Instant::now();
                    }
                    assert!(since.elapsed() < LIMIT, "subscriber {number} does not get on");
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let groups = || {
            queue.stats().groups.iter().filter(|group| group.name.starts_with("durable")).count()
        };
        let begun = Instant::now();
        while groups() < CLIENTS / 2 {
            assert!(begun.elapsed() < LIMIT, "not all have subscribed");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut producer = queue.producer().unwrap();
        let mut killed = 0;
        for number in 0..kills * EVENTS {
            producer.send_event("event", number.to_string().as_bytes()).unwrap();
            if number % 20 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            // At another place in each round.
            if number % EVENTS == number / EVENTS * 37 % EVENTS {
                killed += 1;
                gateway.signal("KILL");
                gateway.wait();
                gateway = Gateway::start(&dir, &["--nats", &fixed]);
            }
        }
        end.store(kills * EVENTS, Ordering::Relaxed);
        assert_eq!(killed, kills);
    });
    assert!(seen.iter().all(|next| next.load(Ordering::Relaxed) == kills * EVENTS));
}
