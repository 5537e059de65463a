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
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    container.map_or(machine, |limit| limit.min(machine))
}
