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

/// What of events is not in their rows: a number for each row and column that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The texts behind the numbers.
    pub texts: Texts,
    rows: u32,
    numbers: [Vec<u32>; Column::COUNT],
    /// Of the rows from `ids_from` on.
    ids: Vec<u128>,
    ids_from: u32,
    bare: Vec<u32>,
}

impl Columns {
    /// Adds the next rows of a column.
    pub fn extend(&mut self, column: Column, numbers: impl Iterator<Item = u32>) {
        self.numbers[column.place()].extend(numbers);
    }

    /// Adds the ids of the next rows: of all that are still to come.
    pub fn extend_ids(&mut self, ids: &[u128]) {
        if self.ids.is_empty() {
            self.ids_from = self.rows;
        }
        self.ids.extend(ids);
    }

    /// So many rows are complete now. What was left out of their columns is missing.
    pub fn complete(&mut self, rows: usize) {
        self.rows += rows as u32;
    }

    /// How many rows there are: the number of the next.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Ends the adding, for now.
    pub fn settle(&mut self) {
        self.bare = self.texts.bare();
    }

    /// The event's id, where ids are there.
    pub fn id(&self, row: u32) -> Option<u128> {
        let place = row.checked_sub(self.ids_from)?;
        self.ids.get(place as usize).copied()
    }

    /// The number of the text; 0 in columns that were not asked for.
    pub fn number(&self, column: Column, row: u32) -> u32 {
        let numbers = &self.numbers[column.place()];
        numbers.get(row as usize).copied().unwrap_or(0)
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
