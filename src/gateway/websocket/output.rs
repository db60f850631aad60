//! What the protocol itself has to send, and how far the goodbyes are.

use super::close;
use super::frame::{Opcode, write_frame};

/// Pongs that wait to be sent. Every ping is answered while they are fewer; then only the latest is, as the RFC allows.
const MAX_PONGS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// A Close has been sent, and none has come.
    Closing,
    Closed,
}

/// Pongs and a Close, until they are taken. After a Close nothing is sent.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) state: State,
    pub(super) bytes: Vec<u8>,
    pongs: usize,
    last_pong: usize,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { state: State::Open, bytes: Vec::new(), pongs: 0, last_pong: 0 }
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.state != State::Open {
            return;
        }
        if self.pongs == MAX_PONGS {
            self.bytes.truncate(self.last_pong);
        } else {
            self.pongs += 1;
            self.last_pong = self.bytes.len();
        }
        write_frame(&mut self.bytes, Opcode::Pong, payload);
    }

    /// This side's Close, once; `next` is what the connection is then.
    pub(super) fn close(&mut self, code: Option<u16>, reason: &str, next: State) {
        if self.state == State::Open {
            close::write(&mut self.bytes, code, reason);
        }
        self.state = next;
    }

    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        // The memory is not kept: most connections are idle.
        out.append(&mut std::mem::take(&mut self.bytes));
        self.pongs = 0;
    }
}
