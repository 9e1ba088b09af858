//! The connections of `rest.rs` where Syncthing listens on a Unix socket: lets ureq speak HTTP over
//! one. Knows no HTTP. Keeping connections and time limits are left to ureq.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, time::Duration,
};
use ureq::{Error, Timeout};

/// An agent that connects to the socket at `path`, whatever host an address names.
pub fn agent(config: Config, path: PathBuf) -> ureq::Agent {
    ureq::Agent::with_parts(config, SocketConnector(path), NoNames)
}

/// Looks up no names, since there is only one place to connect to.
#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(([0, 0, 0, 0], 0).into());
        Ok(addresses)
    }
}

#[derive(Debug)]
struct SocketConnector(PathBuf);

impl Connector for SocketConnector {
    type Out = SocketTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<SocketTransport>, Error> {
        let stream = UnixStream::connect(&self.0)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(SocketTransport {
            stream,
            buffers,
            write_limit: None,
            read_limit: None,
        }))
    }
}

#[derive(Debug)]
struct SocketTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
    write_limit: Option<Duration>,
    read_limit: Option<Duration>,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let limit = limit(&timeout)?;
        if limit != self.write_limit {
            self.stream.set_write_timeout(limit.map(|limit| *limit))?;
            self.write_limit = limit;
        }
        self.stream
            .write_all(&self.buffers.output()[..amount])
            .map_err(|error| told(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let limit = limit(&timeout)?;
        if limit != self.read_limit {
            self.stream.set_read_timeout(limit.map(|limit| *limit))?;
            self.read_limit = limit;
        }
        let input = self.buffers.input_append_buf();
        let n_bytes = loop {
            match self.stream.read(input) {
                // A signal arrived; at worst the time limit restarts.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| told(error, timeout.reason))?,
            }
        };
        self.buffers.input_appended(n_bytes);
        Ok(0 < n_bytes)
    }

    /// An idle connection has nothing to read; if it is readable, the other end closed it.
    fn is_open(&mut self) -> bool {
        let probe = self
            .stream
            .set_nonblocking(true)
            .and_then(|()| self.stream.read(&mut [0]));
        let idle = probe.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        idle && self.stream.set_nonblocking(false).is_ok()
    }
}

/// The time left, `None` without a limit.
fn limit(timeout: &NextTimeout) -> Result<Option<Duration>, Error> {
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero())
}

/// A socket reports `WouldBlock` when its time limit is over.
fn told(error: io::Error, reason: Timeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(reason),
        _ => error.into(),
    }
}
