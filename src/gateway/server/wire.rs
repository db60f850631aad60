//! A client's socket, and what waits to be sent to it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::listen::Socket;
use super::meter::Meter;
use super::pool::Pool;
use super::tls::{Identity, Tls};
use crate::gateway::config::Config;

/// Pieces that go out with one call.
const SLICES: usize = 64;

/// A piece of what waits.
enum Part {
    Own(Vec<u8>),
    /// A range of what many clients are sent.
    Shared(Arc<[u8]>, Range<usize>),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes, range) => &bytes[range.clone()],
        }
    }
}

/// A socket with a bounded queue of bytes before it.
pub(super) struct Wire {
    pub(super) socket: Socket,
    tls: Option<Tls>,
    /// What goes out before `out`.
    parts: VecDeque<Part>,
    /// Bytes of the parts.
    queued: usize,
    out: Vec<u8>,
    pool: Pool,
    /// Bytes that have been sent of the first of all that.
    sent: usize,
    limit: usize,
    /// When bytes last went out, or began to wait.
    pub(super) progress: Instant,
    /// Some waited when it was last flushed.
    waited: bool,
    broken: bool,
    /// What the client may still send.
    pub(super) meter: Meter,
}

impl Wire {
    pub(super) fn new(socket: Socket, config: &Config, pool: &Pool) -> Self {
        Self {
            socket,
            tls: None,
            parts: VecDeque::new(),
            queued: 0,
            out: Vec::new(),
            pool: pool.clone(),
            sent: 0,
            limit: config.out_queue,
            progress: Instant::now(),
            waited: false,
            broken: false,
            meter: Meter::new(config),
        }
    }

    /// From here on it is TLS.
    pub(super) fn secure(&mut self, identity: &Identity) {
        match Tls::new(identity) {
            Ok(tls) => self.tls = Some(tls),
            Err(_) => self.broken = true,
        }
    }

    /// From here on it is TLS, which the client has begun with these bytes. Nothing else may wait to be sent.
    pub(super) fn upgrade(&mut self, identity: &Identity, first: &[u8]) -> bool {
        let tls = Tls::after(identity, first, &mut self.socket);
        self.tls = tls.ok().filter(|_| self.nothing_waits());
        self.broken |= self.tls.is_none();
        !self.broken
    }

    /// Bytes that may still be written to the client; the last message may be longer.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.waiting())
    }

    /// More may be written to the client.
    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.queued + self.out.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nothing_waits() && !self.tls.as_ref().is_some_and(Tls::has_output)
    }

    fn nothing_waits(&self) -> bool {
        self.parts.is_empty() && self.out.is_empty()
    }

    /// Where what is to be sent is appended.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = self.pool.take();
        }
        &mut self.out
    }

    /// Appends what others are sent, too.
    pub(super) fn share(&mut self, bytes: &Arc<[u8]>, range: Range<usize>) {
        // A small piece would keep the whole in memory.
        if range.len() <= bytes.len() / 2 {
            return self.out().extend_from_slice(&bytes[range]);
        }
        if !self.out.is_empty() {
            let own = std::mem::take(&mut self.out);
            self.queued += own.len();
            self.parts.push_back(Part::Own(own));
        }
        self.queued += range.len();
        self.parts.push_back(Part::Shared(Arc::clone(bytes), range));
    }

    /// Sends what waits and then a payload from where it lies; only what the socket does not take is copied.
    pub(super) fn send(&mut self, payload: &[u8]) {
        if self.tls.is_some() {
            self.out().extend_from_slice(payload);
            self.broken |= self.flush().is_err();
            return;
        }
        let taken = if self.broken { Ok(0) } else { self.write(payload) };
        let taken = taken.unwrap_or_else(|error| {
            self.broken = !is_passing(&error);
            0
        });
        self.progress = Instant::now();
        self.out.extend_from_slice(&payload[taken..]);
    }

    /// Something was pushed. The first goes out before the queue is looked at again, which may take longer than to send.
    pub(super) fn send_first(&mut self, pushed: &mut bool) {
        if !std::mem::replace(pushed, true) {
            self.broken |= self.flush().is_err();
        }
    }

    /// Sends what the socket takes now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut went = false;
        while !self.broken && self.push()? {
            went = true;
        }
        let waits = !self.is_empty();
        if went || waits && !self.waited {
            self.progress = Instant::now();
        }
        self.waited = waits;
        if self.out.is_empty() {
            self.pool.give(std::mem::take(&mut self.out));
        }
        if self.broken { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    /// Sends some of what waits; `false`: nothing went.
    fn push(&mut self) -> io::Result<bool> {
        if self.tls.is_some() {
            return self.push_encrypted();
        }
        if self.nothing_waits() {
            return Ok(false);
        }
        match self.write(&[]) {
            Ok(_) => Ok(true),
            Err(error) if is_passing(&error) => Ok(error.kind() == ErrorKind::Interrupted),
            Err(error) => Err(error),
        }
    }

    fn push_encrypted(&mut self) -> io::Result<bool> {
        while let Some(tls) = &mut self.tls {
            let first = self.parts.front().map_or(self.out.as_slice(), Part::bytes);
            let taken = tls.take(&first[self.sent..])?;
            if taken == 0 {
                return tls.send(&mut self.socket);
            }
            self.forget(taken);
        }
        Ok(false)
    }

    /// Sends once, what waits and then what is behind it; returns how much of the latter.
    fn write(&mut self, behind: &[u8]) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let rest = [self.out.as_slice(), behind];
        let pieces = self.parts.iter().map(Part::bytes).chain(rest).filter(|one| !one.is_empty());
        for (slice, bytes) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(if count == 0 { &bytes[self.sent..] } else { bytes });
            count += 1;
        }
        match self.socket.write_vectored(&slices[..count]) {
            Ok(0) if count > 0 => Err(ErrorKind::WriteZero.into()),
            Ok(written) => Ok(self.forget(written)),
            Err(error) => Err(error),
        }
    }

    /// Lets go of bytes that have been sent; returns how many there were more than those that waited.
    fn forget(&mut self, written: usize) -> usize {
        self.sent += written;
        while let Some(first) = self.parts.front() {
            let length = first.bytes().len();
            if self.sent < length {
                return 0;
            }
            self.sent -= length;
            self.queued -= length;
            if let Some(Part::Own(bytes)) = self.parts.pop_front() {
                self.pool.give(bytes);
            }
        }
        if self.sent >= self.out.len() {
            let more = self.sent - self.out.len();
            self.pool.give(std::mem::take(&mut self.out));
            self.sent = 0;
            return more;
        }
        if self.sent >= self.limit {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        0
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
