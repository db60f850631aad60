//! A client's socket, and what waits to be sent to it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Instant;

use super::listen::Socket;
use super::tls::{Identity, Tls};

/// A socket with a bounded queue of bytes before it.
pub(super) struct Wire {
    pub(super) socket: Socket,
    tls: Option<Tls>,
    out: Vec<u8>,
    /// Bytes of `out` that have been sent.
    sent: usize,
    limit: usize,
    /// When bytes last went out, or began to wait.
    pub(super) progress: Instant,
    broken: bool,
}

impl Wire {
    pub(super) fn new(socket: Socket, limit: usize) -> Self {
        let progress = Instant::now();
        Self { socket, tls: None, out: Vec::new(), sent: 0, limit, progress, broken: false }
    }

    /// From here on it is TLS.
    pub(super) fn secure(&mut self, identity: &Identity) {
        match Tls::new(identity) {
            Ok(tls) => self.tls = Some(tls),
            Err(_) => self.broken = true,
        }
    }

    /// More may be written to the client.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() - self.sent < self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty() && !self.tls.as_ref().is_some_and(Tls::has_output)
    }

    /// Where what is to be sent is appended.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        if self.out.is_empty() {
            self.progress = Instant::now();
        }
        &mut self.out
    }

    /// Sends what waits and then a payload from where it lies; only what the socket does not take is copied.
    pub(super) fn send(&mut self, payload: &[u8]) {
        if self.tls.is_some() {
            self.out().extend_from_slice(payload);
            self.broken |= self.flush().is_err();
            return;
        }
        let waiting = self.out.len() - self.sent;
        let mut taken = 0;
        if !self.broken {
            let parts = [IoSlice::new(&self.out[self.sent..]), IoSlice::new(payload)];
            match self.socket.write_vectored(&parts) {
                Ok(count) => taken = count,
                Err(error) if is_passing(&error) => {}
                Err(_) => self.broken = true,
            }
        }
        self.progress = Instant::now();
        self.sent += taken.min(waiting);
        let rest = &payload[taken.saturating_sub(waiting)..];
        self.out.extend_from_slice(rest);
        self.forget_sent();
    }

    /// Sends what the socket takes now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.broken && self.write()? {
            self.progress = Instant::now();
        }
        self.forget_sent();
        if self.broken { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    /// Sends some of what waits; `false`: nothing went.
    fn write(&mut self) -> io::Result<bool> {
        let waiting = &self.out[self.sent..];
        if let Some(tls) = &mut self.tls {
            self.sent += tls.take(waiting)?;
            return tls.send(&mut self.socket);
        }
        if waiting.is_empty() {
            return Ok(false);
        }
        match self.socket.write(waiting) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.sent += count;
                Ok(true)
            }
            Err(error) if is_passing(&error) => Ok(error.kind() == ErrorKind::Interrupted),
            Err(error) => Err(error),
        }
    }

    fn forget_sent(&mut self) {
        if self.sent == self.out.len() {
            // The memory is not kept: most clients are idle.
            self.out = Vec::new();
            self.sent = 0;
        } else if self.sent >= self.limit {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Reads what has come; `None` if there is nothing now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let read = match &mut self.tls {
                Some(tls) => tls.read(&mut self.socket, buffer),
                None => self.socket.read(buffer),
            };
            match read {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that nothing else will be sent.
    pub(super) fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.end();
            // What it does not take now, nobody reads.
            let _ = tls.send(&mut self.socket);
        }
        self.socket.end();
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
