//! TLS under a client's bytes: what the socket carries is sealed, what a face reads and writes is not.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// A certificate that clients are shown, with its key and the versions and ciphers of TLS that may be used.
pub(super) type Identity = Arc<ServerConfig>;

/// Reads a chain of certificates and its key, both in PEM.
pub(super) fn load(certificate: &str, key: &str) -> io::Result<Identity> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| wrong(certificate, error))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "no certificate is in it (PEM, the server's own first)"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config = config.map_err(|error| wrong(&format!("{certificate}, {key}"), error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn wrong(path: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{path}: {error}"))
}

/// One client's side of it. What waits in here is bounded: a little of each direction, and a handshake.
pub(super) struct Tls(Box<ServerConnection>);

impl Tls {
    pub(super) fn new(identity: &Identity) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(identity)).map_err(io::Error::other)?;
        Ok(Self(Box::new(connection)))
    }

    /// A client that has begun with these bytes.
    pub(super) fn after(
        identity: &Identity,
        mut first: &[u8],
        socket: &mut impl Write,
    ) -> io::Result<Self> {
        let mut tls = Self::new(identity)?;
        while !first.is_empty() {
            tls.0.read_tls(&mut first)?;
            tls.process(socket)?;
        }
        Ok(tls)
    }

    /// Something waits for the socket.
    pub(super) fn has_output(&self) -> bool {
        self.0.wants_write()
    }

    /// Takes as much to be sent as it has room for.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.writer().write(bytes)
    }

    /// Says goodbye, behind all that was taken.
    pub(super) fn end(&mut self) {
        self.0.send_close_notify();
    }

    /// Sends what the socket takes now; whether that was anything.
    pub(super) fn send(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        let mut sent = false;
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => sent = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Reads what the client has said. What is not TLS, or not right, is [`ErrorKind::InvalidData`], of which the client is told.
    pub(super) fn read<S: Read + Write>(
        &mut self,
        socket: &mut S,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // It went without a goodbye. The faces know where their messages end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            self.0.read_tls(socket)?;
            self.process(socket)?;
        }
    }

    fn process(&mut self, socket: &mut impl Write) -> io::Result<()> {
        let taken = self.0.process_new_packets();
        // The handshake's next words, or what was wrong.
        self.send(socket)?;
        taken.map(drop).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }
}
