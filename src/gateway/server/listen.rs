//! Where clients come from: ports, and the sockets of those who came.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};

use super::connection::Face;
use super::tls::Identity;
use super::wire::Wire;
use super::world::World;

/// What clients of a port speak.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    /// The face that a new client meets; it may speak first. With an identity it is to speak TLS.
    pub(super) greet: fn(&mut Wire, Option<&Identity>, &World) -> Face,
    /// What a client over a limit is told, who may be at a port of TLS.
    pub(super) refuse: fn(&mut Vec<u8>, Option<IpAddr>, bool, &World),
}

/// A socket that listens, and what is spoken there.
pub(super) struct Port {
    listener: Listener,
    pub(super) protocol: Protocol,
    /// Clients speak TLS.
    pub(super) secure: bool,
}

enum Listener {
    Tcp(TcpListener),
    /// With its name, which goes with it.
    Unix(UnixListener, PathBuf),
}

impl Port {
    pub(super) fn tcp(address: SocketAddr, protocol: Protocol, secure: bool) -> io::Result<Self> {
        let listener =
            StdListener::bind(address).map_err(|error| cannot(&address.to_string(), &error))?;
        listener.set_nonblocking(true)?;
        let listener = Listener::Tcp(TcpListener::from_std(listener));
        Ok(Self { listener, protocol, secure })
    }

    /// A socket with a name, for this user alone. A name that nobody listens at any more is taken over.
    pub(super) fn unix(path: &str, protocol: Protocol) -> io::Result<Self> {
        let name = Path::new(path);
        let is_dead = || match std::os::unix::net::UnixStream::connect(name) {
            Err(error) => error.kind() == ErrorKind::ConnectionRefused,
            Ok(_) => false,
        };
        let bind = || {
            let listener = match UnixListener::bind(name) {
                Err(error) if error.kind() == ErrorKind::AddrInUse && is_dead() => {
                    fs::remove_file(name)?;
                    UnixListener::bind(name)?
                }
                other => other?,
            };
            fs::set_permissions(name, Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener = bind().map_err(|error| cannot(path, &error))?;
        let listener = Listener::Unix(listener, name.to_owned());
        Ok(Self { listener, protocol, secure: false })
    }

    /// Lets clients that come wake the loop.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.listener {
            Listener::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Listener::Unix(listener, _) => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// The address, if it is one of TCP.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// Takes the next client in; with where it comes from, unless it is of this machine by its nature.
    pub(super) fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match &self.listener {
            Listener::Tcp(listener) => {
                let (socket, peer) = listener.accept()?;
                let _ = socket.set_nodelay(true);
                Ok((Socket::Tcp(socket), Some(peer.ip())))
            }
            Listener::Unix(listener, _) => Ok((Socket::Unix(listener.accept()?.0), None)),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if let Listener::Unix(_, name) = &self.listener {
            let _ = fs::remove_file(name);
        }
    }
}

/// The first address of a setting.
pub(super) fn resolve(setting: &str, text: &str) -> io::Result<SocketAddr> {
    let addresses = text.to_socket_addrs();
    let mut addresses = addresses.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("{setting} = {text:?}: {error}; use ADDRESS:PORT, as 127.0.0.1:7117"),
        )
    })?;
    Ok(addresses.next().ok_or(ErrorKind::AddrNotAvailable)?)
}

fn cannot(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't listen on {name}: {error}"))
}

/// A client's socket.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(socket) => socket,
            Self::Unix(socket) => socket,
        }
    }

    /// The client's address, if it has one.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(socket) => Some(socket.peer_addr().ok()?.ip()),
            Self::Unix(_) => None,
        }
    }

    /// Says that nothing else will be sent.
    pub(super) fn end(&self) {
        let _ = match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
        };
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write_vectored(parts),
            Self::Unix(socket) => socket.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
