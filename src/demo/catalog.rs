//! What the made-up shop sells, and where its visitors come from.

/// Name, category and price of what is sold.
pub(super) const PRODUCTS: [(&str, &str, f64); 12] = [
    ("aero-press", "Kitchen", 34.90),
    ("linen-throw", "Home", 59.00),
    ("desk-lamp", "Home", 79.50),
    ("trail-flask", "Outdoor", 24.00),
    ("wool-beanie", "Clothing", 29.00),
    ("canvas-tote", "Clothing", 19.50),
    ("field-notes", "Stationery", 12.00),
    ("brass-pen", "Stationery", 42.00),
    ("pour-over-set", "Kitchen", 64.00),
    ("camp-mug", "Outdoor", 16.50),
    ("oak-stool", "Home", 149.00),
    ("rain-shell", "Clothing", 129.00),
];

/// Pages that people look around on, with their titles.
pub(super) const PAGES: [(&str, &str); 6] = [
    ("/about", "About us"),
    ("/search", "Search"),
    ("/collections/home", "Home"),
    ("/collections/outdoor", "Outdoor"),
    ("/blog/how-we-test", "How we test"),
    ("/help/delivery", "Delivery"),
];

/// Where a visit comes from: referrer, `utm_source`, `utm_medium`, `utm_campaign`.
pub(super) const SOURCES: [(&str, &str, &str, &str); 7] = [
    ("", "", "", ""),
    ("", "", "", ""),
    ("https://www.google.com/", "", "", ""),
    ("https://news.ycombinator.com/item?id=1", "", "", ""),
    ("", "newsletter", "email", "november"),
    ("https://www.instagram.com/", "instagram", "social", "launch"),
    ("https://www.google.com/", "google", "cpc", "brand"),
];

/// Browsers that people come with; the first three are phones.
pub(super) const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
];

/// How many of [`AGENTS`] are phones: they come first.
pub(super) const PHONES: usize = 3;

/// Language and country of visitors.
pub(super) const PLACES: [(&str, &str); 8] = [
    ("en-US", "US"),
    ("en-US", "US"),
    ("en-GB", "GB"),
    ("de-DE", "DE"),
    ("de-AT", "AT"),
    ("fr-FR", "FR"),
    ("pt-BR", "BR"),
    ("ja-JP", "JP"),
];

/// First names of those who sign up.
pub(super) const GIVEN: [&str; 20] = [
    "Ada", "Amir", "Bea", "Carlos", "Dana", "Emil", "Fatou", "Greta", "Hugo", "Ines", "Jonas", "Kaito",
    "Lena", "Mateo", "Nora", "Oskar", "Paula", "Rui", "Sofia", "Tariq",
];

/// Last names of those who sign up.
pub(super) const FAMILY: [&str; 16] = [
    "Almeida", "Berger", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Hansen", "Ito", "Jensen",
    "Keller", "Lambert", "Moreau", "Novak", "Okafor", "Petrov",
];

/// Companies that order for their people: key, name, industry.
pub(super) const COMPANIES: [(&str, &str, &str); 18] = [
    ("acme", "Acme", "Manufacturing"),
    ("birch-and-co", "Birch & Co", "Retail"),
    ("cobalt", "Cobalt", "Software"),
    ("delta-freight", "Delta Freight", "Logistics"),
    ("elm-studio", "Elm Studio", "Design"),
    ("fjord", "Fjord", "Travel"),
    ("granite", "Granite", "Construction"),
    ("harbour", "Harbour", "Logistics"),
    ("inkwell", "Inkwell", "Publishing"),
    ("juniper", "Juniper", "Hospitality"),
    ("kite", "Kite", "Software"),
    ("lantern", "Lantern", "Education"),
    ("meadow", "Meadow", "Food"),
    ("north-bank", "North Bank", "Finance"),
    ("orbit", "Orbit", "Software"),
    ("pine-clinic", "Pine Clinic", "Health"),
    ("quarry", "Quarry", "Construction"),
    ("river-works", "River Works", "Manufacturing"),
];
