//! How many connections the system lets this process have.

/// Of four descriptors three may be connections of clients; the rest is for payment services, the database and files. Out of descriptors, accepting could be tried again later, but a session in flight would fail.
const SHARE: (usize, usize) = (3, 4);
/// Connections of the internal listener. Its clients are a few probes and collectors of measurements, so that more is a mistake or an attack, which must not cost the descriptors of the public listener.
const INTERNAL_MAX: usize = 64;
/// Where the system allows very few open files, the internal listener has one of so many.
const INTERNAL_SHARE: usize = 8;

/// Most connections of each listener. What is beyond waits in the backlog until a connection ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connections {
    pub(super) public: usize,
    pub(super) internal: usize,
}

// === impl Connections ===

impl Connections {
    /// The wanted number for the public listener, or less where the system allows fewer open files.
    pub(super) fn allowed(wanted: usize) -> Self {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self::within(open_files(&limits), wanted)
    }

    fn within(open_files: Option<usize>, wanted: usize) -> Self {
        let Some(open_files) = open_files else { return Self { public: wanted, internal: INTERNAL_MAX } };
        let both = open_files / SHARE.1 * SHARE.0;
        let internal = INTERNAL_MAX.min(both / INTERNAL_SHARE).max(1);
        Self { public: wanted.min(both.saturating_sub(internal)).max(1), internal }
    }
}

/// The soft limit of open files in the text of `/proc/self/limits`; `None` where there is no such file or no limit.
fn open_files(limits: &str) -> Option<usize> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\nMax processes             95000                95000                processes\nMax open files            1024                 524288               files\n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn the_listeners_share_what_is_there() {
        let shared = |open_files| {
            let Connections { public, internal } = Connections::within(open_files, 10_000);
            (public, internal)
        };
        assert_eq!(shared(None), (10_000, 64));
        assert_eq!(shared(Some(1_000_000)), (10_000, 64));
        assert_eq!(shared(Some(1024)), (704, 64), "three quarters together");
        assert_eq!(shared(Some(64)), (42, 6));
        assert_eq!(shared(Some(0)), (1, 1));
    }
}
