//! `footfall doctor`: what is wrong, in words, with the command that mends it.

use std::process::ExitCode;

use crate::config::Config;
use crate::engines::{self, Check, EngineOptions};
use crate::meta::Meta;

/// Prints every check and ends with failure if one did not pass.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let options = EngineOptions {
        program: std::env::current_exe()?,
        data_dir: config.data_dir.clone(),
        clickhouse_url: config.clickhouse_url.clone(),
        redis_url: config.redis_url.clone(),
        chdb_library: config.chdb_library.clone(),
        redis_server: config.redis_server.clone(),
        redis_max_memory: None,
    };
    let mut checks = engines::checks(&options).await;
    checks.push(control_database(config).await);
    checks.push(port(config).await);
    let mut sound = true;
    for check in &checks {
        sound &= check.ok;
        println!(
            "{} {}: {}",
            if check.ok { "ok  " } else { "BAD " },
            check.name,
            check.detail
        );
        if let (false, Some(remedy)) = (check.ok, &check.remedy) {
            println!("     {remedy}");
        }
    }
    println!(
        "{}",
        if sound {
            "nothing is wrong"
        } else {
            "mend what is marked BAD, then ask again"
        }
    );
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn port(config: &Config) -> Check {
    let (name, address) = ("listen", config.listen);
    let check = |ok, detail, remedy| Check {
        name,
        ok,
        detail,
        remedy,
    };
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => check(true, format!("{address} is free"), None),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let detail = format!("{address} is taken; a server that starts now takes the next free port");
            check(true, detail, None)
        }
        Err(error) => check(
            false,
            format!("{address}: {error}"),
            Some("choose another --listen".into()),
        ),
    }
}

async fn control_database(config: &Config) -> Check {
    let name = "control database";
    let Some(url) = &config.database_url else {
        return Check {
            name,
            ok: true,
            detail: "SQLite in the data directory".into(),
            remedy: None,
        };
    };
    let answer = match Meta::connect(url).await {
        Ok(meta) => meta.ping().await.map(|()| meta.engine()),
        Err(error) => Err(error),
    };
    match answer {
        Ok(engine) => Check {
            name,
            ok: true,
            detail: format!("{engine} answers"),
            remedy: None,
        },
        Err(error) => Check {
            name,
            ok: false,
            detail: error.to_string(),
            remedy: Some("check FOOTFALL_DATABASE_URL, and that the server runs and lets us in".into()),
        },
    }
}
