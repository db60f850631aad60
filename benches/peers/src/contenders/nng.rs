//! nng over `ipc://`: a pair of sockets for each link. Its threads share their side's core; its waiting is its own, in the kernel.

use nng::options::{Options, RecvBufferSize, SendBufferSize};
use nng::{Error, Message as Frame, Protocol, Socket};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

/// The most messages that nng buffers.
const BUFFER: usize = 8192;

/// A path for each link.
pub struct Nng {
    urls: Vec<String>,
    buffer: i32,
}

impl Nng {
    fn socket(&self) -> Result<Socket> {
        let socket = Socket::new(Protocol::Pair0)?;
        socket.set_opt::<SendBufferSize>(self.buffer)?;
        socket.set_opt::<RecvBufferSize>(self.buffer)?;
        Ok(socket)
    }
}

/// The end that listens.
pub struct Listening(Socket);

impl<M: Message> Peer<M> for Nng {
    type Tx = Socket;
    type Rx = Listening;

    fn create(setup: &Setup) -> Result<Self> {
        <Self as Peer<M>>::open(setup)
    }
    fn open(setup: &Setup) -> Result<Self> {
        let url = |link| format!("ipc://{}", setup.link(link).display());
        let urls = (0..setup.links).map(url).collect();
        Ok(Self { urls, buffer: setup.slots.min(BUFFER) as i32 })
    }
    fn sender(&self, link: usize) -> Result<Socket> {
        let tx = self.socket()?;
        tx.dial_async(&self.urls[link])?;
        Ok(tx)
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Listening> {
        let rx = self.socket()?;
        rx.listen(&self.urls[link])?;
        Ok(Listening(rx))
    }
}

impl<M: Message> Sender<M> for Socket {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        Socket::send(self, message).map_err(|(_, error)| error).expect("a socket that can send");
    }
}

impl Receiver for Listening {
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        match self.0.try_recv() {
            Ok(frame) => read(&frame),
            Err(Error::TryAgain) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }
    #[inline(always)]
    fn wait(&mut self, _: Pause, read: &mut impl FnMut(&[u8])) {
        let frame: Frame = self.0.recv().expect("a socket that can receive");
        read(&frame);
    }
}
