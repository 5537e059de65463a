//! Formulas over series: `(A - B) / A * 100`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MAX_FORMULA_CHARS;

/// An expression over the series A, B, …: `+`, `-` (or `−`), `*` (or `×`), `/` (or `÷`), numbers and parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    text: String,
    root: Expression,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Number(f64),
    Series(usize),
    Minus(Box<Expression>),
    Both(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Formula {
    /// Reads a formula over so many series, or says in words why not.
    pub fn parse(text: &str, series: usize) -> Result<Formula, String> {
        if text.chars().count() > MAX_FORMULA_CHARS {
            return Err(format!("a formula has at most {MAX_FORMULA_CHARS} characters"));
        }
        let mut reader = Reader { rest: text, series };
        let root = reader.sum()?;
        if let Some(next) = reader.next() {
            return Err(format!("{next:?} is not expected here"));
        }
        Ok(Formula {
            text: text.to_owned(),
            root,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its value over the values of the series; null where one that it needs is null, or where it divides by 0.
    pub fn value(&self, series: &[Option<f64>]) -> Option<f64> {
        self.root.value(series).filter(|value| value.is_finite())
    }
}

impl Expression {
    fn value(&self, series: &[Option<f64>]) -> Option<f64> {
        match self {
            Expression::Number(number) => Some(*number),
            Expression::Series(n) => series.get(*n).copied().flatten(),
            Expression::Minus(of) => of.value(series).map(|value| -value),
            Expression::Both(left, operator, right) => {
                let (left, right) = (left.value(series)?, right.value(series)?);
                match operator {
                    Operator::Plus => Some(left + right),
                    Operator::Minus => Some(left - right),
                    Operator::Times => Some(left * right),
                    Operator::Over => (right != 0.0).then(|| left / right),
                }
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    series: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn operator(&mut self, known: &[(char, Operator)]) -> Option<Operator> {
        let next = self.next()?;
        let (_, operator) = known.iter().find(|(c, _)| *c == next)?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(*operator)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        let known = [
            ('+', Operator::Plus),
            ('-', Operator::Minus),
            ('−', Operator::Minus),
        ];
        while let Some(operator) = self.operator(&known) {
            left = Expression::Both(Box::new(left), operator, Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.factor()?;
        let known = [
            ('*', Operator::Times),
            ('×', Operator::Times),
            ('/', Operator::Over),
            ('÷', Operator::Over),
        ];
        while let Some(operator) = self.operator(&known) {
            left = Expression::Both(Box::new(left), operator, Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expression, String> {
        let next = self.next().ok_or("the formula ends too early")?;
        match next {
            '-' | '−' => {
                self.rest = &self.rest[next.len_utf8()..];
                Ok(Expression::Minus(Box::new(self.factor()?)))
            }
            '(' => {
                self.rest = &self.rest[1..];
                let inner = self.sum()?;
                if self.next() != Some(')') {
                    return Err("a parenthesis is not closed".to_owned());
                }
                self.rest = &self.rest[1..];
                Ok(inner)
            }
            'A'..='Z' => {
                let n = next as usize - 'A' as usize;
                if n >= self.series {
                    return Err(format!("there is no series {next}"));
                }
                self.rest = &self.rest[1..];
                Ok(Expression::Series(n))
            }
            '0'..='9' => {
                let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '.');
                let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                let number = digits.parse().map_err(|_| format!("{digits:?} is no number"))?;
                self.rest = rest;
                Ok(Expression::Number(number))
            }
            other => Err(format!("{other:?} is not expected here: series are A, B, …")),
        }
    }
}

impl Serialize for Formula {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Formula {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Formula, D::Error> {
        let text = String::deserialize(deserializer)?;
        Formula::parse(&text, 26).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_bind_before_sums_and_division_by_zero_is_null() {
        let value = |text: &str| {
            Formula::parse(text, 3)
                .unwrap()
                .value(&[Some(6.0), Some(0.0), None])
        };
        for (text, expected) in [
            ("1 + 2 * 3", Some(7.0)),
            ("(1+2)×3", Some(9.0)),
            ("A − 1 - 1", Some(4.0)),
            ("A / 4 * 100", Some(150.0)),
            ("A ÷ 4 / 3", Some(0.5)),
            ("-A * --2.5", Some(-15.0)),
            ("A / B", None),
            ("A / (B * 2)", None),
            ("C + 1", None),
            ("B / A", Some(0.0)),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_formula_is_refused() {
        for text in [
            "", "A +", "(A", "A)", "D", "a", "A B", "1.2.3", "A ** B", "A % B", ".",
        ] {
            assert!(Formula::parse(text, 3).is_err(), "{text}");
        }
        assert!(Formula::parse(&"-".repeat(201), 3).is_err());
    }
}
