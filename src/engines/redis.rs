//! The embedded Redis: a private `redis-server` on a Unix socket, which loses nothing that it acknowledged.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::child::{Child, Launch};
use super::directory::{create_private, create_private_in_public};
use super::lock::{DirectoryLock, holder};
use super::{EngineError, EngineOptions, memory, shim};

/// `sun_path` holds 108 bytes with its final NUL.
const SOCKET_BYTES: usize = 107;
/// A predecessor may still be writing its last page; the lock is its to give back.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// The oldest server that the stream's scripts are tested with.
const OLDEST: (u32, u32) = (7, 0);

/// Arguments of the hidden `footfall engine redis`.
#[derive(Debug, clap::Args)]
pub struct RedisCommand {
    /// The engine's directory.
    #[arg(long)]
    directory: PathBuf,
    /// The Unix socket to listen on.
    #[arg(long)]
    socket: PathBuf,
    /// The redis-server program.
    #[arg(long)]
    server: PathBuf,
    /// Most bytes it may use; what would go beyond is refused, nothing is evicted.
    #[arg(long)]
    max_memory: u64,
}

/// Starts it in `<data_dir>/redis` and waits until it has read its log and answers PING. Returns its URL.
pub(super) async fn start(
    options: &EngineOptions,
    data_dir: &Path,
    log: PathBuf,
) -> Result<(Child, String), EngineError> {
    let server = find(options)?;
    let directory = data_dir.join("redis");
    create_private(&directory)?;
    let socket = socket_path(&directory)?;
    let url = format!("redis+unix://{}?db=0", percent_encode(&socket));
    let mut args: Vec<OsString> = ["engine", "redis", "--directory"].map(OsString::from).into();
    args.push(directory.clone().into());
    args.extend([OsString::from("--socket"), socket.clone().into()]);
    args.extend([OsString::from("--server"), server.into()]);
    let max_memory = options.redis_max_memory.unwrap_or_else(memory_limit);
    args.extend([OsString::from("--max-memory"), max_memory.to_string().into()]);
    let child = Child::start(Launch {
        name: "redis",
        program: options.program.clone(),
        args,
        log,
        // The server of a predecessor that was killed answers on the same socket until it has ended. Once our
        // shim holds the lock, it has.
        ready: Box::new(move |shim| holder(&directory) == Some(shim) && answers(&socket)),
        // Reading back a long append-only file takes a while: about a second for each 300 MB.
        start_within: Duration::from_secs(120),
        stop_within: Duration::from_secs(20),
    })
    .await?;
    Ok((child, url))
}

/// `footfall engine redis`: locks the directory and runs redis-server until stdin ends.
pub(super) fn run(command: &RedisCommand) -> Result<ExitCode, EngineError> {
    let lock = DirectoryLock::take(&command.directory, LOCK_PATIENCE)?;
    lock.share_with_children()?;
    let mut args: Vec<OsString> = Vec::new();
    let mut set = |name: &str, value: OsString| args.extend([OsString::from(format!("--{name}")), value]);
    set("port", "0".into());
    set("unixsocket", command.socket.clone().into());
    set("unixsocketperm", "700".into());
    set("dir", command.directory.clone().into());
    set("daemonize", "no".into());
    // An answer means that the disk has it, also while the file is being rewritten, and nothing is evicted.
    set("appendonly", "yes".into());
    set("appendfsync", "always".into());
    set("no-appendfsync-on-rewrite", "no".into());
    set("save", "".into());
    set("maxmemory", command.max_memory.to_string().into());
    set("maxmemory-policy", "noeviction".into());
    shim::run_server(&command.server, args)
}

/// An eighth of the memory, within [256 MiB, 4 GiB]: at 72 B an event about 60 million of them at the most.
fn memory_limit() -> u64 {
    (memory::total() / 8).clamp(256 << 20, 4 << 30)
}

/// The explicit program, else `redis-server` on the PATH.
pub(super) fn find(options: &EngineOptions) -> Result<PathBuf, EngineError> {
    let program = options
        .redis_server
        .clone()
        .unwrap_or_else(|| "redis-server".into());
    match version(&program) {
        Ok(found) if found < OLDEST => Err(EngineError::Missing {
            what: format!(
                "a redis-server {}.{} or newer ({} is {}.{})",
                OLDEST.0,
                OLDEST.1,
                program.display(),
                found.0,
                found.1
            ),
            remedy: "install a newer one, or set FOOTFALL_REDIS_URL".into(),
        }),
        Ok(_) => Ok(program),
        Err(error) => Err(EngineError::Missing {
            what: format!("a redis-server ({}: {error})", program.display()),
            remedy: "get it with `make engines` (or apt-get install redis-server), or set FOOTFALL_REDIS_URL"
                .into(),
        }),
    }
}

/// What `redis-server --version` says: `Redis server v=7.0.15 sha=…`.
pub(super) fn version(program: &Path) -> std::io::Result<(u32, u32)> {
    let output = Command::new(program).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = || {
        let mut parts = text.split("v=").nth(1)?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    parse().ok_or_else(|| {
        let said = text.lines().next().unwrap_or_default();
        std::io::Error::other(format!("its --version is not a Redis server's: {said:?}"))
    })
}

/// In the engine's directory where the path is short enough, else in a folder of ours among the temporary files.
fn socket_path(directory: &Path) -> Result<PathBuf, EngineError> {
    let inside = directory.join("redis.sock");
    if inside.as_os_str().len() <= SOCKET_BYTES {
        return Ok(inside);
    }
    let name = format!("footfall-{:016x}", xxh3_64(directory.as_os_str().as_bytes()));
    let folder = Path::new("/tmp").join(name);
    create_private_in_public(&folder)?;
    Ok(folder.join("redis.sock"))
}

fn percent_encode(path: &Path) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|&byte| {
            if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// PING over the socket. While the server reads its log it answers `-LOADING`, which is not yet ready.
fn answers(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG\r\n")
    };
    ask().unwrap_or(false)
}

/// What is weaker about an external Redis than what the embedded one promises. Each sentence names the
/// setting, what it risks, and the value that is needed.
///
/// # Errors
/// Why the server could not be asked; managed ones often forbid `CONFIG`.
pub async fn policy_warnings(url: &str) -> Result<Vec<String>, String> {
    let ask = async {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut found = Vec::new();
        for name in [
            "appendonly",
            "appendfsync",
            "no-appendfsync-on-rewrite",
            "maxmemory-policy",
        ] {
            let pair: Vec<String> = redis::cmd("CONFIG")
                .arg("GET")
                .arg(name)
                .query_async(&mut connection)
                .await?;
            found.push((name, pair.into_iter().nth(1).unwrap_or_default()));
        }
        redis::RedisResult::Ok(found)
    };
    let found = tokio::time::timeout(Duration::from_secs(5), ask)
        .await
        .map_err(|_| "it did not answer within 5 s".to_owned())?
        .map_err(|error| error.to_string())?;
    Ok(found
        .iter()
        .filter_map(|(name, value)| weakness(name, value))
        .collect())
}

fn weakness(name: &str, value: &str) -> Option<String> {
    let (needed, risk) = match name {
        "appendonly" => ("yes", "events that were answered 200 are lost when Redis ends"),
        "appendfsync" => (
            "always",
            "events that were answered 200 can be lost when Redis or its machine fails",
        ),
        "no-appendfsync-on-rewrite" => (
            "no",
            "events answered 200 while Redis rewrites its log can be lost",
        ),
        "maxmemory-policy" => (
            "noeviction",
            "Redis may throw away events and leases when its memory is full",
        ),
        _ => return None,
    };
    (value != needed).then(|| format!("{name} is {value:?}, must be {needed:?}: {risk}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_policy_is_named_with_its_risk() {
        assert_eq!(weakness("appendfsync", "always"), None);
        assert_eq!(weakness("maxmemory-policy", "noeviction"), None);
        let message = weakness("appendfsync", "everysec").expect("weaker");
        assert!(
            message.contains("everysec") && message.contains("always"),
            "{message}"
        );
        assert!(weakness("maxmemory-policy", "allkeys-lru").is_some());
        assert!(weakness("appendonly", "no").is_some());
    }

    #[test]
    fn a_socket_path_always_fits_the_system_call() {
        let short = socket_path(Path::new("/data/redis")).expect("short");
        assert_eq!(short, Path::new("/data/redis/redis.sock"));
        let long = PathBuf::from(format!("/{}/redis", "a-long-folder-name/".repeat(8)));
        let socket = socket_path(&long).expect("long");
        assert!(socket.as_os_str().len() <= SOCKET_BYTES);
        assert_eq!(
            socket,
            socket_path(&long).expect("again"),
            "a restart finds the same socket"
        );
        std::fs::remove_dir(socket.parent().expect("a folder")).expect("ours to remove");
    }

    #[test]
    fn a_path_survives_its_url() {
        assert_eq!(percent_encode(Path::new("/a b/c?d#é")), "/a%20b/c%3Fd%23%C3%A9");
    }
}
