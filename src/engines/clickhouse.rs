//! The embedded ClickHouse: our own binary with libchdb loaded, or a `clickhouse` from the PATH.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::address::{ClickHouseAddress, Credentials};
use super::child::{Child, Launch};
use super::directory::{create_private, read_or_create, write_private};
use super::library::{self, Kind};
use super::lock::DirectoryLock;
use super::{EngineError, EngineOptions, ProcessError, chdb, clickhouse_config, memory, shim};

/// Ports tried when somebody else takes the chosen one first.
const PORT_ATTEMPTS: usize = 3;
/// The database of the embedded engine. Its users may touch every database whose name begins so.
const DATABASE: &str = "footfall";
/// How long a start waits for a predecessor that is about to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of the hidden `footfall engine clickhouse`.
#[derive(Debug, clap::Args)]
pub struct ClickHouseCommand {
    /// The engine's directory.
    #[arg(long)]
    directory: PathBuf,
    /// HTTP port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// libchdb.so to load.
    #[arg(long, required_unless_present = "server")]
    library: Option<PathBuf>,
    /// A clickhouse program to run instead.
    #[arg(long, conflicts_with = "library")]
    server: Option<PathBuf>,
}

/// The random passwords of the embedded users, kept in the file `passwords`.
pub(super) struct Passwords {
    pub rw: String,
    pub ro: String,
}

impl Passwords {
    /// Reads them, or makes them at the first start.
    fn of(directory: &Path) -> Result<Self, EngineError> {
        let path = directory.join("passwords");
        let text = read_or_create(&path, || {
            Ok(format!("rw={}\nro={}\n", random_password()?, random_password()?))
        })?;
        let find = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned).ok_or_else(|| EngineError::File {
                path: path.clone(),
                cause: std::io::Error::other(format!(
                    "has no line {name}=; remove the file to make new ones"
                )),
            })
        };
        Ok(Self {
            rw: find("rw")?,
            ro: find("ro")?,
        })
    }
}

fn random_password() -> Result<String, EngineError> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| EngineError::System("draw a password", error.into()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Starts it in `<data_dir>/clickhouse` and waits until it answers its reader.
pub(super) async fn start(
    options: &EngineOptions,
    data_dir: &Path,
    log: PathBuf,
) -> Result<(Child, ClickHouseAddress), EngineError> {
    let directory = data_dir.join("clickhouse");
    create_private(&directory)?;
    let passwords = Passwords::of(&directory)?;
    let kind = library::find(options, &directory)?;
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let mut args: Vec<OsString> = ["engine", "clickhouse", "--directory"].map(OsString::from).into();
        args.extend([directory.clone().into(), "--port".into(), port.to_string().into()]);
        args.extend(match &kind {
            Kind::Library(path) => [OsString::from("--library"), path.into()],
            Kind::Server(path) => [OsString::from("--server"), path.into()],
        });
        let reader = Credentials::new("ro", &passwords.ro);
        let probe = reader.clone();
        let launch = Launch {
            name: "clickhouse",
            program: options.program.clone(),
            args,
            log: log.clone(),
            // Asked as our own reader: another server that took the port would not know the password.
            ready: Box::new(move |_| select_one("127.0.0.1", port, &probe).is_ok()),
            start_within: Duration::from_secs(60),
            stop_within: Duration::from_secs(15),
        };
        match Child::start(launch).await {
            Ok(child) => {
                let address = ClickHouseAddress {
                    url: format!("http://127.0.0.1:{port}"),
                    database: DATABASE.into(),
                    writer: Credentials::new("rw", &passwords.rw),
                    reader,
                };
                return Ok((child, address));
            }
            Err(EngineError::Process(ProcessError::NotStarted { log, .. }))
                if attempt < PORT_ATTEMPTS
                    && log.iter().any(|line| line.contains("Address already in use")) =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// `footfall engine clickhouse`: holds the directory and is the engine, until stdin ends.
pub(super) fn run(command: &ClickHouseCommand) -> Result<ExitCode, EngineError> {
    let directory = &command.directory;
    let lock = DirectoryLock::take(directory, LOCK_PATIENCE)?;
    let (config, users) = (directory.join("config.xml"), directory.join("users.xml"));
    let passwords = Passwords::of(directory)?;
    write_private(&users, &clickhouse_config::users(&passwords))?;
    let data = directory.join("data");
    write_private(
        &config,
        &clickhouse_config::config(&data, &users, memory::total() / 2),
    )?;
    create_private(&data)?;
    let (config, port) = (config.display().to_string(), command.port.to_string());
    if let Some(server) = &command.server {
        lock.share_with_children()?;
        let args = [
            "server",
            &format!("--config-file={config}"),
            "--",
            &format!("--http_port={port}"),
        ];
        return shim::run_server(server, args.map(OsString::from).into());
    }
    let library = command.library.as_deref().unwrap_or(Path::new("libchdb.so"));
    let args = [
        "clickhouse",
        &format!("--path={}", data.display()),
        "--listen_host=127.0.0.1",
        &format!("--http_port={port}"),
        "--log-level=warning",
        &format!("--config-file={config}"),
        "--query",
        // The second statement ends when our stdin does, and with it the engine, cleanly.
        "SYSTEM START LISTEN HTTP; SELECT count() FROM file('/dev/stdin', 'LineAsString', 's String') FORMAT Null",
    ];
    let result = chdb::run(library, &args.map(String::from));
    drop(lock);
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(reason) => {
            eprintln!("{}: {reason}", library.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn free_port() -> Result<u16, EngineError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| EngineError::System("find a free port", error))
}

/// Asks a ClickHouse `SELECT 1` with these credentials; the error says what it answered.
pub(super) fn select_one(host: &str, port: u16, who: &Credentials) -> std::io::Result<()> {
    let limit = Duration::from_secs(2);
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::other("the host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(
        stream,
        "GET /?query=SELECT%201 HTTP/1.1\r\nHost: {host}\r\nX-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\nConnection: close\r\n\r\n",
        who.user, who.password
    )?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    let body = answer
        .split_once("\r\n\r\n")
        .map_or(answer.as_ref(), |(_, body)| body);
    Err(std::io::Error::other(
        body.trim().chars().take(300).collect::<String>(),
    ))
}
