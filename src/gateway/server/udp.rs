//! The UDP face: a socket for a queue, each datagram a message. A datagram goes from the kernel into the ring at once: its length is asked for, so many bytes are
//! reserved there, and the kernel writes them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::listen::resolve;
use super::queues::Queues;
use crate::SendError;
use crate::gateway::config::Config;

/// Datagrams that a socket gets before others have their turn.
const TURN: usize = 256;

/// Linux' MSG_PEEK and MSG_TRUNC: how long the next datagram is, which stays.
const LENGTH_ONLY: i32 = 0x02 | 0x20;

/// A socket that collects messages for a queue.
pub(super) struct Collector {
    socket: UdpSocket,
    local: SocketAddr,
    queue: String,
    /// The messages' event name; empty for none.
    event: String,
    /// Bytes of the longest datagram that is taken.
    limit: usize,
    counters: Counters,
}

/// What has become of the datagrams that the kernel delivered.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    received: u64,
    too_large: u64,
    full: u64,
    unavailable: u64,
}

/// What becomes of a datagram.
enum Outcome {
    Received,
    TooLarge,
    Full,
    /// There is no such queue, or it is closed.
    Unavailable,
}

impl Collector {
    /// A socket by its setting: `ADDRESS:PORT=QUEUE` or `ADDRESS:PORT=QUEUE/EVENT`.
    pub(super) fn open(setting: &str, config: &Config) -> io::Result<Self> {
        let error = |kind, text: &str| io::Error::new(kind, format!("udp = {setting:?}: {text}"));
        let invalid = |text| error(io::ErrorKind::InvalidInput, text);
        let (address, target) = setting
            .split_once('=')
            .ok_or_else(|| invalid("use ADDRESS:PORT=QUEUE or ADDRESS:PORT=QUEUE/EVENT"))?;
        let (queue, event) = target.split_once('/').unwrap_or((target, ""));
        if queue.is_empty() || event.len() > 255 {
            return Err(invalid("a queue needs a name, an event's has at most 255 bytes"));
        }
        let address = resolve("udp", address)?;
        if !address.ip().is_loopback() && !config.insecure {
            return Err(invalid("anybody could send here: say insecure, or use 127.0.0.1"));
        }
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if config.udp_buffer > 0 {
            socket.set_recv_buffer_size(config.udp_buffer)?;
        }
        socket.bind(&address.into()).map_err(|bind| error(bind.kind(), &bind.to_string()))?;
        let socket = UdpSocket::from_std(socket.into());
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            queue: queue.into(),
            event: event.into(),
            limit: config.payload,
            counters: Counters::default(),
        })
    }

    /// Lets datagrams that come wake the loop.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Takes what has come, for a turn; `true`: there may be more.
    pub(super) fn collect(&mut self, queues: &mut Queues) -> bool {
        for _ in 0..TURN {
            let counters = &mut self.counters;
            match receive(&self.socket, (&self.queue, &self.event), self.limit, queues) {
                Ok(Outcome::Received) => counters.received += 1,
                Ok(Outcome::TooLarge) => counters.too_large += 1,
                Ok(Outcome::Full) => counters.full += 1,
                Ok(Outcome::Unavailable) => counters.unavailable += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // The network's errors about datagrams that were sent from here: there are none; or a signal.
                Err(_) => {}
            }
        }
        true
    }

    /// Takes what the kernel has now, as much as it can have: the gateway is about to end.
    pub(super) fn finish(&mut self, queues: &mut Queues) {
        let most = SockRef::from(&self.socket).recv_buffer_size().unwrap_or_default();
        for _ in 0..=most / TURN {
            if !self.collect(queues) {
                return;
            }
        }
    }

    /// Its figures, in Prometheus' text format: a name, labels and a value for each.
    pub(super) fn figures(&self) -> [(&'static str, String, u64); 5] {
        let labels = format!("address=\"{}\",queue=\"{}\"", self.local, self.queue);
        let dropped = |reason: &str| format!("{labels},reason=\"{reason}\"");
        let Counters { received, too_large, full, unavailable } = self.counters;
        [
            ("received", labels.clone(), received),
            ("dropped", dropped("kernel"), self.kernel_drops().unwrap_or_default()),
            ("dropped", dropped("too_large"), too_large),
            ("dropped", dropped("full"), full),
            ("dropped", dropped("unavailable"), unavailable),
        ]
    }

    /// Datagrams for which the kernel had no room, by its table of sockets.
    fn kernel_drops(&self) -> Option<u64> {
        let inode = fs::metadata(format!("/proc/self/fd/{}", self.socket.as_raw_fd())).ok()?.ino();
        let inode = inode.to_string();
        let name = if self.local.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let table = fs::read_to_string(name).ok()?;
        // The tenth column is the inode, the last one the drops.
        let mut rows = table.lines().map(|line| line.split_ascii_whitespace());
        rows.find(|row| row.clone().nth(9) == Some(&inode))?.last()?.parse().ok()
    }
}

/// Takes the next datagram from the kernel, whatever becomes of it.
fn receive(
    socket: &UdpSocket,
    (queue, event): (&str, &str),
    limit: usize,
    queues: &mut Queues,
) -> io::Result<Outcome> {
    let length = SockRef::from(socket).recv_with_flags(&mut [], LENGTH_ONLY)?;
    let give_up = |outcome| socket.recv_from(&mut []).map(|_| outcome);
    if length > limit {
        return give_up(Outcome::TooLarge);
    }
    let Ok(producer) = queues.producer(queue) else { return give_up(Outcome::Unavailable) };
    let reservation = if event.is_empty() {
        producer.try_reserve(length)
    } else {
        producer.try_reserve_event(event, length)
    };
    match reservation {
        // Given up, if the datagram should be gone.
        Ok(mut bytes) => {
            let (length, _) = socket.recv_from(&mut bytes)?;
            bytes.commit(length);
            Ok(Outcome::Received)
        }
        Err(SendError::Full) => give_up(Outcome::Full),
        Err(SendError::TooLarge { .. }) => give_up(Outcome::TooLarge),
        Err(_) => give_up(Outcome::Unavailable),
    }
}
