//! ZeroMQ over `ipc://`: PUSH to PULL, one I/O thread for each process, which shares its side's core. Its waiting is its own, in
//! the kernel; there is no spinning.

use zmq::{Context, Message as Frame, PULL, PUSH, Socket};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

/// A path for each link.
pub struct Zmq {
    context: Context,
    endpoints: Vec<String>,
    depth: i32,
}

impl Zmq {
    fn socket(&self, kind: zmq::SocketType) -> Result<Socket> {
        let socket = self.context.socket(kind)?;
        socket.set_sndhwm(self.depth)?;
        socket.set_rcvhwm(self.depth)?;
        socket.set_linger(0)?;
        Ok(socket)
    }
}

/// The end that receives.
pub struct Pulling {
    rx: Socket,
    frame: Frame,
}

impl<M: Message> Peer<M> for Zmq {
    type Tx = Socket;
    type Rx = Pulling;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let endpoint = |link| format!("ipc://{}", setup.link(link).display());
        let endpoints = (0..setup.links).map(endpoint).collect();
        Ok(Self { context: Context::new(), endpoints, depth: setup.slots as i32 })
    }
    fn sender(&self, link: usize) -> Result<Socket> {
        let tx = self.socket(PUSH)?;
        tx.connect(&self.endpoints[link])?;
        Ok(tx)
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Pulling> {
        let rx = self.socket(PULL)?;
        rx.bind(&self.endpoints[link])?;
        Ok(Pulling { rx, frame: Frame::new() })
    }
}

impl<M: Message> Sender<M> for Socket {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        Socket::send(self, message, 0).expect("a socket that can send");
    }
}

impl Receiver for Pulling {
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        match self.rx.recv(&mut self.frame, zmq::DONTWAIT) {
            Ok(()) => read(&self.frame),
            Err(zmq::Error::EAGAIN) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        self.rx.recv(&mut self.frame, 0).expect("a socket that can receive");
        read(&self.frame);
    }
}
