//! `slipring serve`.

use crate::failure::{Done, FAILURE, Failure, USAGE};
use crate::output;
use slipring::gateway::config::{Config, Settings};
use slipring::gateway::server::Server;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Serve the queues over HTTP, WebSocket and NATS, until interrupted
///
/// Settings come from the file, then from the environment (SLIPRING_LISTEN, SLIPRING_TOKEN, ...), then from flags; docs/gateway.md lists them.
#[derive(clap::Args)]
pub struct Serve {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address and port to listen on; port 0 takes a free one [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Speak NATS, too, at this address and port [default without one: 127.0.0.1:4222]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:4222")]
    nats: Option<String>,
    /// A file with the token that clients have to show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Listen beyond loopback without a token
    #[arg(long)]
    insecure: bool,
    /// Wait until the gateway that serves here ends or dies, then take its place
    #[arg(long)]
    standby: bool,
    /// Answer as the test suites of Engine.IO (at /engine.io/), Socket.IO and WebSocket (at /websocket) want it
    #[arg(long, hide = true)]
    echo: bool,
    /// Any other setting
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
}

pub fn run(args: Serve) -> Done {
    let config = settings(&args)?;
    let server = if args.standby {
        output::note("standing by");
        Server::stand_by(|| settings(&args).map_err(Failure::into_text))
    } else {
        Server::bind(config)
    };
    let mut server = server.map_err(|error| {
        let help = match error.kind() {
            ErrorKind::AddrInUse => "; end what listens there, or choose another --listen",
            _ => "",
        };
        Failure::new(FAILURE, format_args!("{error}{help}"))
    })?;
    output::note(format_args!("listening on {}", server.url()));
    if let Some(url) = server.nats_url() {
        output::note(format_args!("listening on {url}"));
    }
    server.reload_from(move || settings(&args).map_err(Failure::into_text));
    server.run().map_err(|error| Failure::new(FAILURE, error))?;
    let [taken, published, delivered] = server.served();
    output::say(format_args!(
        "serve: interrupted after {}; {} published, {delivered} delivered",
        output::counted(taken, "connection"),
        output::counted(published, "message"),
    ));
    Ok(())
}

fn settings(args: &Serve) -> Result<Config, Failure> {
    let usage = |error: String| Failure::new(USAGE, error);
    let mut settings = Settings::default();
    if let Some(path) = &args.config {
        let named = |error: String| usage(format!("{}: {error}", path.display()));
        settings.file(&read(path)?).map_err(named)?;
    }
    settings.environment(std::env::vars()).map_err(usage)?;
    if let Some(path) = &args.token_file {
        settings.set("token", read(path)?.trim()).map_err(usage)?;
    }
    if let Some(listen) = &args.listen {
        settings.set("listen", listen).map_err(usage)?;
    }
    if let Some(nats) = &args.nats {
        settings.set("nats", nats).map_err(usage)?;
    }
    if args.insecure {
        settings.set("insecure", "true").map_err(usage)?;
    }
    for setting in &args.settings {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(usage(format!("--set {setting}: use NAME=VALUE")));
        };
        settings.set(name, value).map_err(usage)?;
    }
    let mut config = settings.finish().map_err(usage)?;
    config.echo = args.echo;
    Ok(config)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::reading(&error, path))
}
