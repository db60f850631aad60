//! Aeron IPC: an exclusive publication for each sender and a subscription for each receiver. The media driver (one thread, Aeron's
//! own defaults but for the terms: 16 MiB, the largest MTU) lives in the first process. Messages longer than a frame are put together by
//! Aeron's assembler. In place is `try_claim`, which takes 65,472 bytes at most.

use std::ffi::CString;
use std::time::Duration;

use rusteron_media_driver::{
    Aeron as Client, AeronContext, AeronDriver, AeronDriverContext, AeronExclusivePublication,
    AeronFragmentClosureAssembler, AeronHeader, AeronOfferError, AeronSubscription, Handlers,
    bindings::aeron_threading_mode_enum::AERON_THREADING_MODE_SHARED,
};

use crate::Result;
use crate::message::Message;
use crate::peer::{Pause, Peer, Receiver, Sender, Setup};

const CHANNEL: &std::ffi::CStr = c"aeron:ipc?term-length=16m|mtu=65504";
const PATIENCE: Duration = Duration::from_secs(5);
/// What Aeron's own samples take from a subscription at once.
const FRAGMENTS: usize = 10;

/// A media driver, in the process that made it, and what its clients need.
pub struct Aeron {
    dir: CString,
    pause: Pause,
    _driver: Option<AeronDriver>,
}

impl Aeron {
    fn client(&self) -> Result<Client> {
        let context = AeronContext::new()?;
        context.set_dir(&self.dir)?;
        context.set_pre_touch_mapped_memory(true)?;
        let client = Client::new(&context)?;
        client.start()?;
        Ok(client)
    }
    fn stream(link: usize) -> i32 {
        1001 + link as i32
    }
}

impl<M: Message> Peer<M> for Aeron {
    type Tx = Offering;
    type Rx = Polling;

    fn create(setup: &Setup) -> Result<Self> {
        let aeron = <Self as Peer<M>>::open(setup)?;
        let context = AeronDriverContext::new()?;
        context.set_dir(&aeron.dir)?;
        context.set_dir_delete_on_shutdown(true)?;
        context.set_threading_mode(AERON_THREADING_MODE_SHARED)?;
        context.set_term_buffer_sparse_file(false)?;
        let driver = AeronDriver::new(&context)?;
        driver.start(false)?;
        Ok(Self { _driver: Some(driver), ..aeron })
    }
    fn open(setup: &Setup) -> Result<Self> {
        let dir = CString::new(setup.dir.join("aeron").to_string_lossy().as_bytes())?;
        Ok(Self { dir, pause: setup.pause, _driver: None })
    }
    fn sender(&self, link: usize) -> Result<Offering> {
        let client = self.client()?;
        let tx = client
            .async_add_exclusive_publication(CHANNEL, Self::stream(link))?
            .poll_blocking(PATIENCE)?;
        let longest = tx.max_payload_length()?;
        Ok(Offering { tx, longest, pause: self.pause, _client: client })
    }
    fn receiver(&self, link: usize, _: usize) -> Result<Polling> {
        let client = self.client()?;
        let rx = client
            .async_add_subscription(CHANNEL, Self::stream(link), Handlers::NONE, Handlers::NONE)?
            .poll_blocking(PATIENCE)?;
        let assembler = (M::SIZE > LONGEST).then(AeronFragmentClosureAssembler::new).transpose()?;
        Ok(Polling { rx, assembler, _client: client })
    }
}

/// What fits into one frame of the channel above.
const LONGEST: usize = 65504 - 32;

/// The end that offers.
pub struct Offering {
    tx: AeronExclusivePublication,
    longest: usize,
    pause: Pause,
    _client: Client,
}

impl Offering {
    /// Tries again while there is no room, and while nobody is connected yet.
    #[inline(always)]
    fn insist<T>(&self, mut offer: impl FnMut() -> std::result::Result<T, AeronOfferError>) -> T {
        let mut done = None;
        self.pause.until(|| {
            match offer() {
                Ok(one) => done = Some(one),
                Err(error) if error.is_retryable() => {}
                Err(error) => panic!("{error:?}"),
            }
            done.is_some()
        });
        done.expect("just done")
    }
}

impl<M: Message> Sender<M> for Offering {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        self.insist(|| self.tx.offer(message));
    }
    #[inline(always)]
    fn send_in_place(&mut self, write: impl FnOnce(&mut [u8])) {
        let mut claim = self.insist(|| self.tx.try_claim_owned(M::SIZE.min(self.longest)));
        write(claim.data());
        claim.commit().expect("a claim is good for one commit");
    }
}

/// The end that polls.
pub struct Polling {
    rx: AeronSubscription,
    /// Only for messages that are longer than a frame.
    assembler: Option<AeronFragmentClosureAssembler>,
    _client: Client,
}

impl Receiver for Polling {
    #[inline(always)]
    fn poll(&mut self, read: &mut impl FnMut(&[u8])) -> bool {
        let polled = match &mut self.assembler {
            None => self.rx.poll_fn(|bytes, _| read(bytes), FRAGMENTS),
            Some(assembler) => assembler.poll(&self.rx, read, hand_over, FRAGMENTS),
        };
        polled.expect("the driver is there") > 0
    }
}

fn hand_over<R: FnMut(&[u8])>(read: &mut R, bytes: &[u8], _: AeronHeader) {
    read(bytes);
}
