//! How many connections the system lets this process have.

/// Of four descriptors three may be connections of clients; the rest is for payment services, the database and files. Out of descriptors, accepting could be tried again later, but a session in flight would fail.
const SHARE: (usize, usize) = (3, 4);

/// The wanted number, or less where the system allows fewer open files. What is beyond waits in the backlog until a connection ends.
pub(super) fn connections_max(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match open_files(&limits) {
        Some(open_files) => wanted.min((open_files / SHARE.1 * SHARE.0).max(1)),
        None => wanted,
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
        assert!(connections_max(1) == 1);
    }
}
