//! Memory for what waits to be sent. Most clients are idle, so none keeps its own; and to get it from the system each time costs more than to fill it.

use std::cell::RefCell;
use std::rc::Rc;

/// Buffers that are kept, and the largest of them.
const BUFFERS: usize = 32;
const LARGEST: usize = 256 << 10;

/// Buffers that are used again.
#[derive(Clone, Default)]
pub(super) struct Pool(Rc<RefCell<Vec<Vec<u8>>>>);

impl Pool {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// A buffer that is not needed any more.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.0.borrow_mut();
        if (1..=LARGEST).contains(&buffer.capacity()) && buffers.len() < BUFFERS {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}
