//! Patterns of `matches`: the syntax of RE2, as far as it means the same in ClickHouse (RE2) and here.
//!
//! The `regex` crate descends from RE2, but knows more and reads some things by Unicode that RE2 reads by ASCII.
//! So a pattern is parsed, everything that one of the two does not know (or reads otherwise) is refused, and what
//! remains is compiled with RE2's classes. In both a dot matches line breaks too, as in ClickHouse's `match`.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::{
    AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem, ClassUnicodeKind, Flag, Flags, FlagsItemKind,
    GroupKind, HexLiteralKind, Literal, LiteralKind, RepetitionKind, RepetitionRange, Span, Visitor, parse,
    visit,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MAX_PATTERN_CHARS;

/// The most repetitions of one piece, those of pieces around it multiplied.
const MAX_REPETITIONS: u32 = 1_000;
/// Bytes that a compiled pattern may take here: far below what RE2 grants.
const MAX_COMPILED: usize = 1 << 20;
/// Unicode's general categories, which both know by these names.
const CATEGORIES: &[&str] = &[
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps",
    "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp",
];

/// A pattern that RE2 understands. It occurs in a text wherever it matches; `^` and `$` bind it to the ends.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    compiled: Regex,
}

impl Pattern {
    /// Reads a pattern, or says in words why not.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            return Err("a pattern must not be empty".to_owned());
        }
        if text.chars().count() > MAX_PATTERN_CHARS {
            return Err(format!("a pattern has at most {MAX_PATTERN_CHARS} characters"));
        }
        let ast = parse::Parser::new()
            .parse(text)
            .map_err(|error| format!("RE2 does not know this: {}", error.kind()))?;
        let classes = visit(&ast, Re2::default())?;
        let mut translated = text.to_owned();
        for (span, class) in classes.into_iter().rev() {
            translated.replace_range(span.start.offset..span.end.offset, class);
        }
        let compiled = RegexBuilder::new(&translated)
            .dot_matches_new_line(true)
            .size_limit(MAX_COMPILED)
            .build()
            .map_err(|_| "the pattern is too large: repeat less".to_owned())?;
        Ok(Pattern {
            text: text.to_owned(),
            compiled,
        })
    }

    /// Whether it matches somewhere in the text.
    pub fn is_in(&self, text: &str) -> bool {
        self.compiled.is_match(text.as_bytes())
    }

    /// The text with every match replaced by `with`, as it is written. A match of nothing is none.
    pub fn replaced(&self, text: &str, with: &str) -> String {
        let mut replaced: Vec<u8> = Vec::with_capacity(text.len());
        let mut from = 0;
        for found in self.compiled.find_iter(text.as_bytes()) {
            if !found.is_empty() {
                replaced.extend(&text.as_bytes()[from..found.start()]);
                replaced.extend(with.as_bytes());
                from = found.end();
            }
        }
        replaced.extend(&text.as_bytes()[from..]);
        String::from_utf8_lossy(&replaced).into_owned()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Refuses what RE2 does not know and collects what it reads by ASCII: where, and what the `regex` crate calls it.
#[derive(Default)]
struct Re2 {
    classes: Vec<(Span, &'static str)>,
    /// The repetitions around the current place, the outermost first.
    repeated: Vec<u32>,
}

impl Re2 {
    fn literal(literal: &Literal) -> Result<(), String> {
        match literal.kind {
            LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Special(_) => Ok(()),
            LiteralKind::HexFixed(HexLiteralKind::X) | LiteralKind::HexBrace(HexLiteralKind::X) => Ok(()),
            _ => Err("RE2 does not know this escape".to_owned()),
        }
    }

    fn flags(flags: &Flags) -> Result<(), String> {
        let known = flags.items.iter().all(|item| match item.kind {
            FlagsItemKind::Negation => true,
            FlagsItemKind::Flag(flag) => matches!(
                flag,
                Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed
            ),
        });
        let refused = || Err("RE2 knows the flags i, m, s and U".to_owned());
        if known { Ok(()) } else { refused() }
    }

    fn perl(&mut self, class: &ClassPerl) {
        let ascii = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => "[\\t\\n\\f\\r ]",
            (ClassPerlKind::Space, true) => "[^\\t\\n\\f\\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.classes.push((class.span, ascii));
    }

    fn unicode(kind: &ClassUnicodeKind) -> Result<(), String> {
        let known = match kind {
            ClassUnicodeKind::OneLetter(letter) => CATEGORIES.contains(&letter.to_string().as_str()),
            ClassUnicodeKind::Named(name) => CATEGORIES.contains(&name.as_str()),
            ClassUnicodeKind::NamedValue { .. } => false,
        };
        let refused =
            || Err("of Unicode's classes the general categories such as \\pL and \\p{Lu}".to_owned());
        if known { Ok(()) } else { refused() }
    }
}

impl Visitor for Re2 {
    type Output = Vec<(Span, &'static str)>;
    type Err = String;

    fn finish(self) -> Result<Self::Output, String> {
        Ok(self.classes)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Literal(literal) => Self::literal(literal),
            Ast::Flags(set) => Self::flags(&set.flags),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::ClassUnicode(class) => Self::unicode(&class.kind),
            Ast::Assertion(assertion) => {
                match assertion.kind {
                    AssertionKind::WordBoundary => self.classes.push((assertion.span, "(?-u:\\b)")),
                    AssertionKind::NotWordBoundary => self.classes.push((assertion.span, "(?-u:\\B)")),
                    AssertionKind::StartLine
                    | AssertionKind::EndLine
                    | AssertionKind::StartText
                    | AssertionKind::EndText => {}
                    _ => return Err("of word boundaries RE2 knows \\b and \\B".to_owned()),
                }
                Ok(())
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => Self::flags(flags),
                GroupKind::CaptureName {
                    starts_with_p: false, ..
                } => Err("write named groups as (?P<name>…)".to_owned()),
                _ => Ok(()),
            },
            Ast::Repetition(repetition) => {
                if matches!(
                    *repetition.ast,
                    Ast::Repetition(_) | Ast::Assertion(_) | Ast::Flags(_)
                ) {
                    return Err("there is nothing to repeat".to_owned());
                }
                let most = match &repetition.op.kind {
                    RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n,
                    RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n,
                    RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
                };
                let around = self.repeated.last().copied().unwrap_or(1);
                let total = around.saturating_mul(most.max(1));
                if total > MAX_REPETITIONS {
                    return Err(format!(
                        "a pattern repeats a piece at most {MAX_REPETITIONS} times"
                    ));
                }
                self.repeated.push(total);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), String> {
        if matches!(ast, Ast::Repetition(_)) {
            self.repeated.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Literal(literal) => Self::literal(literal),
            ClassSetItem::Range(range) => Self::literal(&range.start).and(Self::literal(&range.end)),
            ClassSetItem::Unicode(class) => Self::unicode(&class.kind),
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            ClassSetItem::Bracketed(_) => Err("write [ within a class as \\[".to_owned()),
            ClassSetItem::Empty(_) | ClassSetItem::Ascii(_) | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(
        &mut self,
        _: &regex_syntax::ast::ClassSetBinaryOp,
    ) -> Result<(), String> {
        Err("RE2 does not know differences and intersections of classes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).unwrap().is_in(text)
    }

    #[test]
    fn classes_are_ascii_and_a_dot_matches_every_character() {
        assert!(is_in(r"^\d+$", "42") && !is_in(r"\d", "٣"));
        assert!(is_in(r"^[\w.]+$", "a_1.b") && !is_in(r"\w", "é"));
        assert!(is_in("^a.b$", "a\nb") && is_in("^.$", "é"));
        assert!(is_in(r"(?i)ÉTÉ", "été") && is_in(r"\pL", "é"));
        assert!(is_in(r"\bx\b", "éxé"), "é is no word character to RE2");
        assert!(!is_in("a$", "a\n") && is_in("(?m)a$", "a\n"));
    }

    #[test]
    fn what_re2_does_not_know_is_refused() {
        for pattern in [
            "",
            "(",
            "a(?=b)",
            r"(a)\1",
            "(?<!a)b",
            "a**",
            "a{2}{3}",
            "^*",
            "[a[b]]",
            "[a&&b]",
            "[a--b]",
            r"\<a",
            r"\b{start}",
            r"\u0041",
            "(?x)a",
            "(?u)a",
            "(?R)a",
            r"\p{Alphabetic}",
            r"\p{sc=Greek}",
            "(?<n>a)",
            "a{1001}",
            "((a{100}){100}){2}",
            "*a",
            "(?-u:a)",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(&"a".repeat(201)).is_err());
        assert!(Pattern::parse(r"(?P<n>a|b)+?c{2,5}[^\]\d-]\x{e9}\pN").is_ok());
    }
}
