//! A small server around the connection machine: a thread for each client, and one lock around all of them.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use slipring::gateway::nats::{
    Action, Connect, Connection, Delivery, Index, Info, Key, Limits, Peer, Permissions,
    ServerError, Settings,
};

use super::wire::{MAX_PAYLOAD, MAX_PINGS_OUT, MAX_SUBSCRIPTIONS, MAX_TOKENS, PATIENCE, Setup};

pub struct Server {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Messages above `stream_above` come in pieces.
    pub fn start(setup: &Setup, stream_above: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hub = Arc::new(Mutex::new(Hub::new(setup, address, stream_above)));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for (stream, id) in listener.incoming().zip(1..) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (stream, hub, stopped) = (stream.unwrap(), hub.clone(), stopped.clone());
                threads.push(std::thread::spawn(move || serve(stream, id, &hub, &stopped)));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Self { address, stop, accepting: Some(accepting) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        let ended = self.accepting.take().expect("dropped once").join();
        assert!(ended.is_ok() || std::thread::panicking(), "a thread of the server panicked");
    }
}

/// Reads for one client, and looks at its deadline when nothing comes.
fn serve(mut stream: TcpStream, id: u32, hub: &Mutex<Hub>, stop: &AtomicBool) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 700];
    hub.lock().unwrap().open(id, stream.try_clone().unwrap());
    while !stop.load(Ordering::Relaxed) {
        let len = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(_) => break,
        };
        if !hub.lock().unwrap().feed(id, &buffer[..len]) {
            break;
        }
    }
    hub.lock().unwrap().close(id);
    let _ = stream.shutdown(Shutdown::Both);
}

struct Client {
    connection: Connection,
    stream: TcpStream,
    out: Vec<u8>,
    /// A long message that is coming in.
    long: Option<Published>,
}

#[derive(Clone)]
struct Published {
    subject: Vec<u8>,
    reply: Option<Vec<u8>>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

struct Hub {
    setup: Setup,
    settings: Arc<Settings>,
    started: Instant,
    clients: BTreeMap<u32, Client>,
    index: Index<(u32, Key)>,
    turn: usize,
}

/// What is left to do after an operation, when nothing is borrowed from the connection any more.
enum Todo {
    Nothing,
    Accept(Option<Arc<Permissions>>),
    Route(Published),
    End,
}

impl Hub {
    fn new(setup: &Setup, address: SocketAddr, stream_above: usize) -> Self {
        let info = Info {
            server_id: "slipring".into(),
            server_name: "slipring".into(),
            version: "2.9.10".into(),
            host: address.ip().to_string(),
            port: address.port(),
            ..Info::default()
        };
        let standard = Settings::default();
        let settings = Settings {
            info,
            auth_required: !setup.users.is_empty() || setup.token.is_some(),
            auth_timeout: setup.auth_timeout.unwrap_or(standard.auth_timeout),
            limits: Limits { max_payload: MAX_PAYLOAD, stream_above, ..Limits::default() },
            max_subscriptions: MAX_SUBSCRIPTIONS,
            max_tokens: MAX_TOKENS,
            ping_interval: setup.ping_interval.unwrap_or(standard.ping_interval),
            max_pings_out: MAX_PINGS_OUT,
        };
        Self {
            setup: setup.clone(),
            settings: Arc::new(settings),
            started: Instant::now(),
            clients: BTreeMap::new(),
            index: Index::default(),
            turn: 0,
        }
    }

    fn open(&mut self, id: u32, stream: TcpStream) {
        let peer = Peer { id: id.into(), ip: stream.peer_addr().unwrap().ip().to_string() };
        let mut out = Vec::new();
        let mut connection =
            Connection::new(self.settings.clone(), peer, self.started.elapsed(), &mut out);
        if self.setup.max_connections.is_some_and(|max| self.clients.len() >= max) {
            connection.fail(ServerError::Connections, &mut out);
        }
        self.clients.insert(id, Client { connection, stream, out, long: None });
        self.flush();
    }

    /// Bytes from a client, or none: then only time has passed. `false` when the connection is over.
    fn feed(&mut self, id: u32, mut input: &[u8]) -> bool {
        let now = self.started.elapsed();
        while self.step(id, now, &mut input) {}
        let Some(Client { connection, out, .. }) = self.clients.get_mut(&id) else { return false };
        connection.tick(now, out);
        let over = connection.is_over();
        self.flush();
        !over
    }

    /// One operation of a client's. `false` when all input is taken.
    fn step(&mut self, id: u32, now: Duration, input: &mut &[u8]) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let Client { connection, out, long, .. } = client;
        // Large parts are received without the machine, as straight into a queue; small ones come through it.
        let missing = connection.missing().min(input.len());
        if let Some(long) = long.as_mut().filter(|_| missing > 32) {
            long.payload.extend_from_slice(&input[..missing]);
            connection.received(missing);
            *input = &input[missing..];
        }
        let Some(action) = connection.next(now, input, out) else { return false };
        let published = |message: slipring::gateway::nats::Message<'_>, payload: &[u8]| Published {
            subject: message.subject.to_vec(),
            reply: message.reply.map(<[u8]>::to_vec),
            headers: message.headers.as_bytes().to_vec(),
            payload: payload.to_vec(),
        };
        let mut todo = Todo::Nothing;
        match action {
            Action::Continue | Action::Pong => {}
            Action::Connect(options) => todo = Todo::Accept(permissions(&self.setup, options)),
            Action::Publish(message, payload) => todo = Todo::Route(published(message, payload)),
            Action::Begin(message, _) => *long = Some(published(message, b"")),
            Action::Payload(part) => long.as_mut().expect("begun").payload.extend_from_slice(part),
            Action::End => todo = Todo::Route(long.take().expect("begun")),
            Action::Subscribe(key, new) => {
                assert!(self.index.insert(new.subject(), new.group(), (id, key)));
                connection.ok(out);
            }
            Action::Unsubscribe(key, old) => {
                assert!(self.index.remove(old.subject(), old.group(), (id, key)));
            }
            Action::Close(_) => todo = Todo::End,
        }
        match todo {
            Todo::Nothing => true,
            Todo::Accept(Some(permissions)) => {
                connection.accept(permissions, now, out);
                true
            }
            Todo::Accept(None) => {
                connection.fail(ServerError::Authorization, out);
                true
            }
            Todo::Route(message) => {
                connection.ok(out);
                self.route(id, &message);
                true
            }
            Todo::End => false,
        }
    }

    fn route(&mut self, from: u32, message: &Published) {
        let Published { subject, reply, headers, payload } = message;
        let reply = reply.as_deref();
        let delivery = Delivery::new(subject, reply, headers.len(), payload.len());
        let found = self.index.matches(subject);
        let plain: Vec<_> = found.plain().collect();
        let groups: Vec<Vec<_>> = found.groups().into_values().collect();
        let mut delivered = false;
        for to in plain {
            delivered |= self.deliver(from, to, &delivery, message);
        }
        self.turn += 1;
        for members in groups {
            let start = self.turn % members.len();
            let (before, after) = members.split_at(start);
            let mut members = after.iter().chain(before);
            delivered |= members.any(|to| self.deliver(from, *to, &delivery, message));
        }
        let Some(reply) = reply.filter(|_| !delivered) else { return };
        let own = self.index.matches(reply).plain().find(|key| key.0 == from);
        let client = self.clients.get_mut(&from).expect("it has just published");
        if let Some((_, key)) = own {
            client.connection.no_responders(reply, key, &mut client.out);
        }
    }

    fn deliver(
        &mut self,
        from: u32,
        to: (u32, Key),
        delivery: &Delivery,
        message: &Published,
    ) -> bool {
        let Client { connection, out, .. } =
            self.clients.get_mut(&to.0).expect("it has subscribed");
        let Some(sent) = connection.deliver(to.1, delivery, from == to.0, out) else {
            return false;
        };
        if sent.headers {
            out.extend_from_slice(&message.headers);
        }
        out.extend_from_slice(&message.payload);
        out.extend_from_slice(b"\r\n");
        if let Some(old) = sent.ended {
            assert!(self.index.remove(old.subject(), old.group(), to));
        }
        true
    }

    fn flush(&mut self) {
        for client in self.clients.values_mut().filter(|client| !client.out.is_empty()) {
            // A client that is gone is noticed by its reader.
            let _ = client.stream.write_all(&client.out);
            client.out.clear();
        }
    }

    fn close(&mut self, id: u32) {
        let Some(client) = self.clients.remove(&id) else { return };
        for (key, old) in client.connection.subscriptions() {
            assert!(self.index.remove(old.subject(), old.group(), (id, key)));
        }
    }
}

/// Whether a client may come in, and what it may do then.
fn permissions(setup: &Setup, options: &Connect) -> Option<Arc<Permissions>> {
    if let Some(token) = setup.token {
        return (options.auth_token == token).then(Arc::default);
    }
    if setup.users.is_empty() {
        return Some(Arc::default());
    }
    let user = setup.users.iter().find(|user| user.0 == options.user && user.1 == options.pass)?;
    Some(Arc::new(user.2.clone()))
}
