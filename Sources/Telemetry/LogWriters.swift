// The logs of a process: two at most, which share a writer where they go to the same place.

package import Policy
internal import Reactor

/// The writers of the operational and of the access log.
package struct LogWriters: Sendable {
    /// The operational log's.
    package let operational: LogWriter
    /// The access log's; nil where it is off.
    package let access: LogWriter?
    private let settings: LogSettings

    /// Opens what `settings` ask for, except what `former` has open already.
    package init(
        _ settings: LogSettings, former: LogWriters? = nil
    ) throws(LogWriter.Failure) {
        self.settings = settings
        operational = try LogWriters.writer(to: settings.destination, former)
        guard let destination = settings.access, !destination.isSame(as: settings.destination)
        else {
            access = settings.access == nil ? nil : operational
            return
        }
        do throws(LogWriter.Failure) {
            access = try LogWriters.writer(to: destination, former)
        } catch {
            if operational !== former?.writer(to: settings.destination) { operational.discard() }
            throw error
        }
    }

    /// These come into use: what was open before under another path of the same file is opened again at the
    /// present one.
    package func follow() {
        operational.follow(settings.destination)
        if let access, access !== operational, let destination = settings.access {
            access.follow(destination)
        }
    }

    /// Ends those that are not among `former`, and removes files that were made for them and are empty: they
    /// do not come into use.
    package func discard(besides former: LogWriters? = nil) {
        for writer in [operational, access].compactMap(\.self)
        where writer !== former?.operational && writer !== former?.access {
            writer.discard()
        }
    }

    /// What `settings` ask for that cannot be opened, without opening or making anything.
    package static func faults(_ settings: LogSettings) -> [(isAccess: Bool, LogWriter.Failure)] {
        var found: [(isAccess: Bool, LogWriter.Failure)] = []
        if let failure = LogWriter.failure(settings.destination) { found.append((false, failure)) }
        if let access = settings.access, access != settings.destination,
            let failure = LogWriter.failure(access)
        {
            found.append((true, failure))
        }
        return found
    }

    private static func writer(
        to destination: LogSettings.Destination, _ former: LogWriters?
    ) throws(LogWriter.Failure) -> LogWriter {
        if let open = former?.writer(to: destination) { return open }
        return try LogWriter(destination: destination)
    }

    /// What is open to `destination`.
    private func writer(to destination: LogSettings.Destination) -> LogWriter? {
        if destination.isSame(as: settings.destination) { return operational }
        return settings.access.map(destination.isSame) ?? false ? access : nil
    }
}

extension LogSettings.Destination {
    /// Whether both are one file, by whatever links.
    fileprivate func isSame(as other: LogSettings.Destination) -> Bool {
        if case .file(let path) = self, case .file(let otherPath) = other {
            return FilePlace.resolved(path) == FilePlace.resolved(otherPath)
        }
        return self == other
    }
}
