//! Server-side parameters `p0`, `p1`, … that pieces of SQL collect on their way.

use clickhouse::query::Query;

enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(f64),
    Integer(i64),
    Actors(Vec<u64>),
}

/// The parameters of a statement that is made of pieces. Every piece binds what it compares with and writes the
/// placeholder that it gets back; [`Bind::apply`] gives them all to the query.
#[derive(Default)]
pub struct Bind {
    values: Vec<Value>,
    aliases: usize,
}

impl Bind {
    /// No parameters yet.
    pub fn new() -> Bind {
        Bind::default()
    }

    fn add(&mut self, value: Value, kind: &str) -> String {
        let name = self.values.len();
        self.values.push(value);
        format!("{{p{name}:{kind}}}")
    }

    /// A `String`.
    pub fn text(&mut self, text: impl Into<String>) -> String {
        self.add(Value::Text(text.into()), "String")
    }

    /// An `Array(String)`.
    pub fn texts(&mut self, texts: &[String]) -> String {
        self.add(Value::Texts(texts.to_vec()), "Array(String)")
    }

    /// A `Float64`.
    pub fn number(&mut self, number: f64) -> String {
        self.add(Value::Number(number), "Float64")
    }

    /// An `Int64`.
    pub fn integer(&mut self, number: i64) -> String {
        self.add(Value::Integer(number), "Int64")
    }

    /// An `Array(UInt64)`. ClickHouse takes parameters of 128 KiB: 6,000 of the longest numbers.
    pub fn actors(&mut self, actors: &[u64]) -> String {
        self.add(Value::Actors(actors.to_vec()), "Array(UInt64)")
    }

    /// A name that no other piece uses, for an expression that is written once and read several times: a statement
    /// has at most 128 KiB.
    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    /// The query with all parameters bound, reading numbers in texts to the last bit.
    pub fn apply(self, query: Query) -> Query {
        let query = query.with_setting("precise_float_parsing", "1");
        self.values
            .into_iter()
            .enumerate()
            .fold(query, |query, (n, value)| {
                let name = format!("p{n}");
                match value {
                    Value::Text(text) => query.param(&name, text),
                    Value::Texts(texts) => query.param(&name, texts),
                    Value::Number(number) => query.param(&name, number),
                    Value::Integer(number) => query.param(&name, number),
                    Value::Actors(actors) => query.param(&name, actors),
                }
            })
    }
}
