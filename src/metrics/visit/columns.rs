//! The texts of events as numbers.

use std::collections::HashMap;

/// A text of events that sessions are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Of page views; of other events nothing.
    Path,
    Host,
    ReferrerHost,
    UtmSource,
    UtmMedium,
    UtmCampaign,
    Country,
    Region,
    City,
    Device,
    Browser,
    Os,
}

impl Column {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// All of them.
    pub const ALL: [Column; Column::COUNT] = [
        Column::Path,
        Column::Host,
        Column::ReferrerHost,
        Column::UtmSource,
        Column::UtmMedium,
        Column::UtmCampaign,
        Column::Country,
        Column::Region,
        Column::City,
        Column::Device,
        Column::Browser,
        Column::Os,
    ];

    /// Its place among them.
    pub fn place(self) -> usize {
        self as usize
    }

    /// The property of events, without a dollar sign.
    pub fn name(self) -> &'static str {
        match self {
            Column::Path => "path",
            Column::Host => "host",
            Column::ReferrerHost => "referrer_host",
            Column::UtmSource => "utm_source",
            Column::UtmMedium => "utm_medium",
            Column::UtmCampaign => "utm_campaign",
            Column::Country => "country",
            Column::Region => "region",
            Column::City => "city",
            Column::Device => "device",
            Column::Browser => "browser",
            Column::Os => "os",
        }
    }
}

/// Texts and their numbers, given in order of appearance. 0 is the empty text, which is a missing one.
#[derive(Clone, Debug)]
pub struct Texts {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts {
            texts: vec!["".into()],
            numbers: HashMap::from([("".into(), 0)]),
        }
    }
}

impl Texts {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// The number of a text, if it has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The text behind a number; `None`: missing.
    pub fn text(&self, number: u32) -> Option<&str> {
        let text = self.texts.get(number as usize)?;
        (number > 0).then_some(text)
    }

    /// How many there are, the missing one included.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// There is always the missing one.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// For each text the number of the same without a leading `www.`, which may be a new one.
    fn bare(&mut self) -> Vec<u32> {
        let bare = |text: &str| text.strip_prefix("www.").unwrap_or(text).to_owned();
        let texts: Vec<String> = self.texts.iter().map(|text| bare(text)).collect();
        texts.iter().map(|text| self.number(text)).collect()
    }
}

/// What of events is not in their rows: a number for each row and column that is asked for. Rows come in parts, which are
/// read side by side.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The texts behind the numbers.
    pub texts: Texts,
    parts: Vec<ColumnPart>,
    bare: Vec<u32>,
}

/// Some rows of [`Columns`].
#[derive(Clone, Debug, Default)]
pub struct ColumnPart {
    rows: usize,
    numbers: [Vec<u32>; Column::COUNT],
    ids: Vec<u128>,
}

/// Bits of a row's number that say where in its part it is; the others say in which part.
const PLACE_BITS: u32 = 27;

/// The most parts of [`Columns`]: more than threads read, the second looks at some persons included.
const MAX_PARTS: usize = 1 << (u32::BITS - PLACE_BITS);

impl ColumnPart {
    /// Adds the next rows of a column. What is left out is missing.
    pub fn extend(&mut self, column: Column, numbers: impl Iterator<Item = u32>) {
        self.numbers[column.place()].extend(numbers);
    }

    /// Adds the ids of the next rows: of all of the part, or of none.
    pub fn extend_ids(&mut self, ids: &[u128]) {
        self.ids.extend(ids);
    }

    /// So many rows are complete now.
    pub fn complete(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// How many rows there are: the place of the next.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

impl Columns {
    /// What a row of all columns takes, in bytes.
    pub const ROW_BYTES: usize = Column::COUNT * size_of::<u32>();

    /// The number of a row.
    pub fn row(part: usize, place: usize) -> u32 {
        (part as u32) << PLACE_BITS | place as u32
    }

    /// How many parts there are: the number of the next.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// How many rows all of them have.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(ColumnPart::rows).sum()
    }

    /// Adds the next part.
    pub fn add(&mut self, part: ColumnPart) {
        debug_assert!(self.parts.len() < MAX_PARTS, "a row's number names its part");
        self.parts.push(part);
    }

    /// Ends the adding, for now.
    pub fn settle(&mut self) {
        self.bare = self.texts.bare();
    }

    /// Its texts without any rows: rows that are read into it have the same numbers for the same texts.
    pub fn without_rows(&self) -> Columns {
        Columns {
            texts: self.texts.clone(),
            ..Columns::default()
        }
    }

    /// Takes the texts of columns that began [without rows](Columns::without_rows) as these ones.
    pub fn adopt_texts(&mut self, grown: &mut Columns) {
        self.texts = std::mem::take(&mut grown.texts);
        self.settle();
    }

    /// Copies a row of columns that have the same texts behind the rows that are here, without its id; its number.
    pub fn copy(&mut self, from: &Columns, row: u32) -> u32 {
        if self.parts.is_empty() {
            self.parts.push(ColumnPart::default());
        }
        let to = &mut self.parts[0];
        for column in Column::ALL {
            to.numbers[column.place()].push(from.number(column, row));
        }
        to.rows += 1;
        Columns::row(0, to.rows - 1)
    }

    fn place(&self, row: u32) -> Option<(&ColumnPart, usize)> {
        let part = self.parts.get((row >> PLACE_BITS) as usize)?;
        Some((part, (row & ((1 << PLACE_BITS) - 1)) as usize))
    }

    /// The event's id, where ids are there.
    pub fn id(&self, row: u32) -> Option<u128> {
        let (part, place) = self.place(row)?;
        part.ids.get(place).copied()
    }

    /// The number of the text; 0 in columns that were not asked for.
    pub fn number(&self, column: Column, row: u32) -> u32 {
        let number = self
            .place(row)
            .and_then(|(part, place)| part.numbers[column.place()].get(place));
        number.copied().unwrap_or(0)
    }

    /// The number of the source that an event tells.
    pub fn source(&self, row: u32) -> u32 {
        let bare = |column: Column| {
            let number = self.number(column, row);
            self.bare.get(number as usize).copied().unwrap_or(number)
        };
        match self.number(Column::UtmSource, row) {
            0 => match bare(Column::ReferrerHost) {
                own if own == bare(Column::Host) => 0,
                referrer => referrer,
            },
            campaign => campaign,
        }
    }
}
