//! What a question would ask of ClickHouse, without asking it: a reader whose connection leads to ourselves. Each
//! statement is noted as it would have been sent, with its parameters, and answered with no rows. So whatever a question
//! does, its explanation is what it does.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use clickhouse::{Client, Row};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::{Deserialize, Serialize};
use tokio::io::DuplexStream;
use utoipa::ToSchema;

use super::{Store, StoreError};

/// Bytes of a statement and its answer on their way.
const BUFFER: usize = 64 << 10;

/// A statement that a question sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Statement {
    /// The SQL, with `{name:Type}` where a parameter stands.
    pub sql: String,
    /// The parameters by name, as text.
    #[schema(example = json!({"project": "1", "from": "1793491200"}))]
    pub parameters: BTreeMap<String, String>,
    /// What ClickHouse expects to read for it, table by table.
    pub reads: Vec<Estimate>,
}

/// What ClickHouse expects to read of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Estimate {
    /// The table.
    #[schema(example = "events")]
    pub table: String,
    /// Parts of it.
    pub parts: u64,
    /// Rows, before filters that no index serves.
    pub rows: u64,
}

/// A line of ClickHouse's estimate.
#[derive(Row, Deserialize)]
struct Planned {
    #[serde(rename = "database")]
    _database: String,
    table: String,
    parts: u64,
    rows: u64,
    #[serde(rename = "marks")]
    _marks: u64,
}

/// The statements that were noted.
#[derive(Clone, Default)]
pub struct Noted {
    statements: Arc<Mutex<Vec<Statement>>>,
}

impl Store {
    /// The same database to a question that shall not run: what it would send is noted.
    pub fn explaining(&self) -> (Store, Noted) {
        let noted = Noted::default();
        let to_us = HyperClient::builder(TokioExecutor::new()).build(ToUs(noted.clone()));
        let reader = Client::with_http_client(to_us)
            .with_url("http://explain")
            .with_database(&self.database)
            // No rows, no columns.
            .with_validation(false);
        let store = Store {
            reader,
            ..self.clone()
        };
        (store, noted)
    }

    /// The noted statements with the rows that ClickHouse expects to read.
    ///
    /// # Errors
    /// When ClickHouse does not answer.
    pub async fn estimates(&self, noted: &Noted) -> Result<Vec<Statement>, StoreError> {
        let mut statements = noted.statements();
        for statement in &mut statements {
            let sql = format!("EXPLAIN ESTIMATE {}", statement.sql);
            let mut query = self.reader.query_raw(&sql);
            for (name, value) in &statement.parameters {
                query = query.with_setting(format!("param_{name}"), value);
            }
            let found: Vec<Planned> = query.fetch_all().await?;
            for planned in found {
                let reads = &mut statement.reads;
                match reads.iter_mut().find(|known| known.table == planned.table) {
                    Some(known) => {
                        known.parts += planned.parts;
                        known.rows += planned.rows;
                    }
                    None => reads.push(Estimate {
                        table: planned.table,
                        parts: planned.parts,
                        rows: planned.rows,
                    }),
                }
            }
        }
        Ok(statements)
    }
}

impl Noted {
    fn statements(&self) -> Vec<Statement> {
        let noted = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        noted.clone()
    }

    fn note(&self, mut members: HashMap<String, String>) {
        let statement = Statement {
            sql: members
                .remove("query")
                .unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            parameters: members
                .into_iter()
                .filter_map(|(name, value)| Some((name.strip_prefix("param_")?.to_owned(), value)))
                .collect(),
            reads: Vec::new(),
        };
        let mut noted = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push(statement);
    }
}

/// Takes a request as if we were ClickHouse.
async fn take(noted: Noted, request: Request<Incoming>) -> Result<Response<Whole>, Infallible> {
    let boundary = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()?.split_once("boundary="))
        .map(|(_, boundary)| boundary.trim_matches('"').to_owned());
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) =
        std::future::poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut body), context)).await
    {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    noted.note(match boundary {
        Some(boundary) => members(&text, &boundary),
        None => HashMap::from([("query".to_owned(), text.into_owned())]),
    });
    Ok(Response::new(Whole))
}

/// The members of a form.
fn members(text: &str, boundary: &str) -> HashMap<String, String> {
    let boundary = format!("--{boundary}");
    text.split(&boundary[..])
        .filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, name) = head.split_once("name=\"")?;
            let name = name.split('"').next()?;
            let value = value.strip_suffix("\r\n").unwrap_or(value);
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// An answer without rows.
struct Whole;

impl hyper::body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Connects to ourselves, whatever the address.
#[derive(Clone)]
struct ToUs(Noted);

impl tower::Service<Uri> for ToUs {
    type Response = Pipe;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Pipe, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let noted = self.0.clone();
        let service = service_fn(move |request| take(noted.clone(), request));
        // Ends with the connection, which ends with the client.
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(ours), service),
        );
        Box::pin(std::future::ready(Ok(Pipe(TokioIo::new(theirs)))))
    }
}

/// A connection within the process.
struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
