//! What `footfall doctor` asks about the engines, without starting any.

use std::path::Path;

use super::address::ClickHouseAddress;
use super::clickhouse::select_one;
use super::{EngineOptions, library, lock, redis};

/// Less free space than this is reported: a merge needs room beside what it merges.
const FREE_BYTES: u64 = 2 << 30;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was checked, in a few words.
    pub name: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it; none when it is well.
    pub remedy: Option<String>,
}

impl Check {
    fn well(name: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            name,
            ok: true,
            detail,
            remedy: None,
        }
    }

    fn bad(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (detail, remedy) = (detail.into(), Some(remedy.into()));
        Self {
            name,
            ok: false,
            detail,
            remedy,
        }
    }
}

/// Looks at everything that the engines of these options need.
pub async fn checks(options: &EngineOptions) -> Vec<Check> {
    let mut found = Vec::new();
    found.push(directory(&options.data_dir));
    found.extend(free_space(&options.data_dir));
    let asked = options.clone();
    let engines = tokio::task::spawn_blocking(move || [clickhouse(&asked), redis_server(&asked)]);
    match engines.await {
        Ok(engines) => found.extend(engines.into_iter().flatten()),
        Err(error) => found.push(Check::bad("engines", error.to_string(), "report this")),
    }
    if let Some(url) = &options.redis_url {
        found.push(match redis::policy_warnings(url).await {
            Ok(warnings) if warnings.is_empty() => Check::well("redis policy", "keeps what it acknowledged"),
            Ok(warnings) => Check::bad("redis policy", warnings.join("; "), "change it in redis.conf or by CONFIG SET"),
            Err(error) => Check::bad(
                "redis policy",
                format!("could not be read: {error}"),
                "check FOOTFALL_REDIS_URL; where CONFIG is forbidden, make sure of appendonly yes, appendfsync \
                 always and maxmemory-policy noeviction yourself",
            ),
        });
    }
    found
}

fn directory(path: &Path) -> Check {
    let name = "data directory";
    // Before the first start it is not there yet; then its parent must let us make it.
    let there = existing(path);
    if !there.is_dir() {
        return Check::bad(
            name,
            format!("{} is no directory", there.display()),
            "choose another --data-dir",
        );
    }
    let engines = ["clickhouse", "redis"];
    if let Some(pid) = engines
        .iter()
        .find_map(|engine| lock::held_by(&path.join(engine)))
    {
        return Check::well(name, format!("{} is in use by process {pid}", path.display()));
    }
    match rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) => Check::well(name, format!("{} is writable", there.display())),
        Err(errno) => Check::bad(
            name,
            format!("{}: {}", there.display(), std::io::Error::from(errno)),
            "let this user write there, or choose another --data-dir",
        ),
    }
}

fn free_space(path: &Path) -> Option<Check> {
    let disk = rustix::fs::statvfs(existing(path)).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let detail = format!("{:.1} GB free for {}", free as f64 / 1e9, path.display());
    Some(if free >= FREE_BYTES {
        Check::well("disk", detail)
    } else {
        Check::bad("disk", detail, "make room, or move the data directory")
    })
}

/// The folder itself, or the nearest one above it that exists.
fn existing(path: &Path) -> &Path {
    let mut ancestors = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    ancestors.find(|folder| folder.exists()).unwrap_or(Path::new("."))
}

fn clickhouse(options: &EngineOptions) -> Option<Check> {
    let name = "clickhouse";
    let Some(url) = &options.clickhouse_url else {
        return Some(
            match (library::find_library(options), library::server_version()) {
                (_, Some((major, minor))) if options.chdb_library.is_none() => Check::well(
                    name,
                    format!("embedded, clickhouse {major}.{minor} from the PATH"),
                ),
                (Ok(path), _) => Check::well(name, format!("embedded, {}", path.display())),
                (Err(error), _) => Check::bad(name, error.to_string(), "make engines"),
            },
        );
    };
    let remedy = "check FOOTFALL_CLICKHOUSE_URL and that the server runs";
    let address = match ClickHouseAddress::parse(url) {
        Ok(address) => address,
        Err(error) => return Some(Check::bad(name, error.to_string(), remedy)),
    };
    let (host, port) = address.host_and_port()?;
    Some(match select_one(&host, port, &address.reader) {
        Ok(()) => Check::well(name, format!("{} answers", address.url)),
        Err(error) => Check::bad(name, format!("{}: {error}", address.url), remedy),
    })
}

fn redis_server(options: &EngineOptions) -> Option<Check> {
    if options.redis_url.is_some() {
        return None;
    }
    let found = redis::find(options).map(|program| (redis::version(&program), program));
    Some(match found {
        Ok((Ok((major, minor)), program)) => Check::well(
            "redis",
            format!("embedded, {} {major}.{minor}", program.display()),
        ),
        Ok((Err(error), program)) => {
            Check::bad("redis", format!("{}: {error}", program.display()), "make engines")
        }
        Err(error) => Check::bad("redis", error.to_string(), "make engines"),
    })
}
