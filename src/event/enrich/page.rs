//! The parts of a page's address.

/// The parts of an address that are kept on their own. Split by hand: addresses come from browsers, which
/// have normalised them, and a broken one must cost nothing but its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// Host name in lower case, without port; empty for a relative address.
    pub host: String,
    /// Path as it is, without query and fragment; `/` where a host stands alone.
    pub path: &'a str,
    /// Query without its question mark.
    pub query: &'a str,
}

impl<'a> Page<'a> {
    /// Splits `https://host/path?query#fragment`, `//host/path` or `/path?query`.
    pub fn split(url: &'a str) -> Page<'a> {
        let url = url.trim();
        let (host, rest) = authority(url).unwrap_or(("", url));
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let host = host_name(host);
        let path = if !host.is_empty() && path.is_empty() {
            "/"
        } else if host.is_empty() && !path.starts_with('/') {
            // `about:blank`, `data:…`, a mere word: nothing of it is a page's path.
            ""
        } else {
            path
        };
        Page { host, path, query }
    }
}

/// Splits an absolute address into its authority and what follows it.
fn authority(url: &str) -> Option<(&str, &str)> {
    let start = match url.find("://") {
        Some(colon) if url[..colon].bytes().all(is_scheme_byte) => colon + 3,
        _ if url.starts_with("//") => 2,
        _ => return None,
    };
    let rest = &url[start..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The host of an authority: no user, no port, lower case. Longer than a DNS name may be: none.
fn host_name(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if host.len() > 253 {
        return String::new();
    }
    host.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, &str, &str) {
        let page = Page::split(url);
        (page.host, page.path, page.query)
    }

    #[test]
    fn an_address_splits_into_host_path_and_query() {
        assert_eq!(
            parts("https://Shop.example:8443/a/b/?x=1&y=2#top"),
            ("shop.example".to_owned(), "/a/b/", "x=1&y=2")
        );
        assert_eq!(
            parts("https://shop.example?x=1"),
            ("shop.example".to_owned(), "/", "x=1")
        );
        assert_eq!(parts("http://me:secret@[::1]:80/x"), ("::1".to_owned(), "/x", ""));
        assert_eq!(parts("//cdn.example/x#?no"), ("cdn.example".to_owned(), "/x", ""));
        assert_eq!(
            parts("/pricing?plan=pro"),
            (String::new(), "/pricing", "plan=pro")
        );
    }

    #[test]
    fn what_is_no_page_has_no_parts() {
        for url in ["", "about:blank", "nonsense", "data:text/html,x"] {
            assert_eq!(parts(url), (String::new(), "", ""), "{url}");
        }
    }
}
