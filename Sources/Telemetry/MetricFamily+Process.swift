// The families about the process, under the names that all Prometheus client libraries use.

extension MetricFamily {
    static let processFamilies: [MetricFamily] = [
        MetricFamily(
            name: "process_cpu_seconds_total", kind: .counter, unit: .seconds, labels: [],
            help: "User and system CPU time of the process."
        ) { writer, scrape in writer.seconds("", nanoseconds: scrape.process.cpuNanoseconds) },
        .single(
            "process_resident_memory_bytes", .gauge, unit: .bytes, "Resident memory of the process."
        ) { $0.process.residentBytes },
        .single(
            "process_virtual_memory_bytes", .gauge, unit: .bytes, "Virtual memory of the process."
        ) { $0.process.virtualBytes },
        .single("process_open_fds", .gauge, "File descriptors that the process has open.") {
            $0.process.openDescriptors
        },
        .single("process_max_fds", .gauge, "File descriptors that the process may have open.") {
            $0.process.maxDescriptors
        },
        MetricFamily(
            name: "process_start_time_seconds", kind: .gauge, unit: .seconds, labels: [],
            help: "When the process started, in seconds since 1970."
        ) { writer, scrape in writer.seconds("", nanoseconds: scrape.process.startNanoseconds) },
    ]
}
