//! An event loop with mio: a queue's descriptor beside a socket.

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use slipring::{Queue, RecvError};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::thread;

const QUEUE: Token = Token(0);
const SOCKET: Token = Token(1);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::options().capacity(1 << 16).open_or_create("loop")?;
    let rx = queue.consumer("default")?;

    // Somebody else sends into both.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let sender = thread::spawn({
        let queue = queue.clone();
        move || {
            let mut socket = TcpStream::connect(address).expect("nobody listens");
            queue
                .producer()
                .and_then(|mut tx| {
                    tx.send(b"by the queue").expect("not sent");
                    queue.close()
                })
                .expect("no queue");
            socket.write_all(b"by the socket").expect("not written");
        }
    });
    let (socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    let mut socket = mio::net::TcpStream::from_std(socket);

    let mut poll = Poll::new()?;
    let fd = rx.as_fd().as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), QUEUE, Interest::READABLE)?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
    let (mut events, mut seen, mut open) = (Events::with_capacity(16), Vec::new(), 2);
    while open > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                // Until it says `Empty`, which arms it again; the first time without waiting, which mio does by itself.
                QUEUE => loop {
                    match rx.try_recv() {
                        Ok(message) => {
                            seen.push(String::from_utf8_lossy(message.payload()).into_owned());
                            message.ack()?;
                        }
                        Err(RecvError::Empty) => break,
                        Err(RecvError::Closed) => {
                            poll.registry().deregister(&mut SourceFd(&fd))?;
                            open -= 1;
                            break;
                        }
                        Err(error) => return Err(error.into()),
                    }
                },
                _ => {
                    let mut text = String::new();
                    match socket.read_to_string(&mut text) {
                        Ok(_) => open -= 1,
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                    seen.extend((!text.is_empty()).then_some(text));
                }
            }
        }
    }
    seen.sort();
    println!("{}", seen.join("\n"));
    sender.join().expect("the sender has panicked");
    Queue::unlink("loop")?;
    Ok(())
}
