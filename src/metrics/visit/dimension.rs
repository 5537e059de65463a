//! What sessions are told apart by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Column;

/// A property of sessions. All but the pages are those of the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Where it came from: `utm_source`, else the referrer's host without `www.`; null is "Direct / None".
    Source,
    /// The referrer's host, as it is.
    Referrer,
    /// `utm_medium`.
    Medium,
    /// `utm_campaign`.
    Campaign,
    /// The path of a page view. A session has one value for each page that it saw.
    Page,
    /// The path of its first page view.
    EntryPage,
    /// The path of its last page view.
    ExitPage,
    /// The host name of the site.
    Host,
    /// The country, ISO 3166-1 alpha-2.
    Country,
    /// The region.
    Region,
    /// The city.
    City,
    /// `desktop`, `mobile`, `tablet` or `bot`.
    Device,
    /// The browser.
    Browser,
    /// The operating system.
    Os,
}

impl Dimension {
    /// Those that a web overview tables unless told otherwise.
    pub const OVERVIEW: [Dimension; 9] = [
        Dimension::Source,
        Dimension::Campaign,
        Dimension::Page,
        Dimension::EntryPage,
        Dimension::ExitPage,
        Dimension::Country,
        Dimension::Device,
        Dimension::Browser,
        Dimension::Os,
    ];

    /// The columns that tell it.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Dimension::Source => &[Column::UtmSource, Column::ReferrerHost, Column::Host],
            Dimension::Referrer => &[Column::ReferrerHost],
            Dimension::Medium => &[Column::UtmMedium],
            Dimension::Campaign => &[Column::UtmCampaign],
            Dimension::Page | Dimension::EntryPage | Dimension::ExitPage => &[Column::Path],
            Dimension::Host => &[Column::Host],
            Dimension::Country => &[Column::Country],
            Dimension::Region => &[Column::Region],
            Dimension::City => &[Column::City],
            Dimension::Device => &[Column::Device],
            Dimension::Browser => &[Column::Browser],
            Dimension::Os => &[Column::Os],
        }
    }
}
