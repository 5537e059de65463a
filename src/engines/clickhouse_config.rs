//! The two files that make an embedded ClickHouse ours: who may do what, and how much it may take.

use std::path::Path;

use super::clickhouse::Passwords;

/// Databases that the embedded users may touch, as a pattern of ClickHouse's grants.
const DATABASES: &str = "footfall*";

/// `config.xml`. `users` is the path of the other file, `memory` the cap of the whole engine in bytes.
pub(super) fn config(directory: &Path, users: &Path, memory: u64) -> String {
    let directory = xml(&directory.display().to_string());
    let users = xml(&users.display().to_string());
    // The library's own session always is `default` without a password, and it must be allowed to read our
    // pipe. So no request may come in as `default`: only those with a header naming one of our users are
    // handled at all, and ClickHouse refuses a request that names two users in two ways.
    format!(
        "<clickhouse>
  <path>{directory}/</path>
  <tmp_path>{directory}/tmp/</tmp_path>
  <user_files_path>{directory}/user_files/</user_files_path>
  <format_schema_path>{directory}/format_schemas/</format_schema_path>
  <users_config>{users}</users_config>
  <listen_host>127.0.0.1</listen_host>
  <logger><level>warning</level><console>1</console></logger>
  <http_handlers>
    <rule>
      <url>/ping</url><methods>GET</methods>
      <handler><type>ping</type></handler>
    </rule>
    <rule>
      <methods>GET,POST</methods>
      <headers><X-ClickHouse-User>regex:(rw|ro)</X-ClickHouse-User></headers>
      <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
    </rule>
  </http_handlers>
  <backups><allowed_path>{directory}/backups/</allowed_path><allow_concurrent_backups>false</allow_concurrent_backups></backups>
  <keep_alive_timeout>30</keep_alive_timeout>
  <max_concurrent_queries>64</max_concurrent_queries>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <index_mark_cache_size>67108864</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <merge_tree>
    <max_bytes_to_merge_at_max_space_in_pool>21474836480</max_bytes_to_merge_at_max_space_in_pool>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
"
    )
}

/// `users.xml`: `rw` for worker and migrations, `ro` for questions (may set limits, may not change anything),
/// and the library's own session.
pub(super) fn users(passwords: &Passwords) -> String {
    let (rw, ro) = (xml(&passwords.rw), xml(&passwords.ro));
    let user = |name: &str, login: &str, profile: &str, grants: &[String]| {
        let grants: String = grants
            .iter()
            .map(|grant| format!("<query>GRANT {grant}</query>"))
            .collect();
        format!(
            "    <{name}>{login}<networks><ip>127.0.0.1</ip></networks><profile>{profile}</profile><quota>default</quota>
      <grants>{grants}</grants></{name}>\n"
        )
    };
    let all = [
        user(
            "default",
            "<no_password/>",
            "default",
            &[
                "SYSTEM LISTEN ON *.*",
                "READ ON FILE",
                "CREATE TEMPORARY TABLE ON *.*",
            ]
            .map(String::from),
        ),
        user(
            "rw",
            &format!("<password>{rw}</password>"),
            "default",
            &[
                format!("ALL ON {DATABASES}.*"),
                "SELECT ON system.*".into(),
                "TABLE ENGINE ON *".into(),
                "CREATE TEMPORARY TABLE ON *.*".into(),
                "KILL QUERY ON *.*".into(),
            ],
        ),
        user(
            "ro",
            &format!("<password>{ro}</password>"),
            "reader",
            &[format!("SELECT ON {DATABASES}.*")],
        ),
    ]
    .concat();
    format!(
        "<clickhouse>
  <profiles>
    <default><async_insert>0</async_insert><log_queries>0</log_queries></default>
    <reader><readonly>2</readonly><log_queries>0</log_queries></reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
{all}  </users>
</clickhouse>
"
    )
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
