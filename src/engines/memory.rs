//! How much memory the embedded engines may share.

/// Bytes that this machine, or the container we are in, has. 4 GiB where that cannot be read.
pub(super) fn total() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(4 << 30, |kib| kib * 1024);
    // Version 2 of the control groups, then version 1; without a limit they say "max", or more than there is.
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let container = limits
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    container.map_or(machine, |limit| limit.min(machine))
}
