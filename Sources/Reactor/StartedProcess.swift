// Another process that this one starts, with descriptors of its own choice and nothing else that is open here.

internal import CShims
internal import Glibc

/// A process that was started.
package struct StartedProcess: Sendable {
    /// Its number.
    package let number: Int32

    /// Bytes for `LISTEN_PID=` and the number, which only the new process knows.
    private static let pidBytes = 12

    /// Starts the program at `path` with `words`, its name first, and the environment `variables`.
    ///
    /// It finds `descriptors` as 3, 4 and so on, the first `listening` of which are told of as systemd does it
    /// (sd_listen_fds(3)). Throws where there can be no other process; that the program is missing shows only in that
    /// it ends at once.
    package init(
        path: String, words: [String], variables: [String], descriptors: [Int32], listening: Int
    ) throws(SystemError) {
        let texts = StartedProcess.texts(words)
        var environment = StartedProcess.texts(variables + ["LISTEN_FDS=\(listening)"])
        let prefix = Array("LISTEN_PID=".utf8)
        environment.append(prefix + [UInt8](repeating: 0, count: StartedProcess.pidBytes))
        // The arrays live through the call, and so do the texts that the pointers lead to; the new process has a copy of
        // all of them, and writes its number into that copy, within the last text.
        let number = unsafe StartedProcess.pointers(to: texts) { words in
            unsafe StartedProcess.pointers(to: environment) { variables in
                guard let last = unsafe variables[environment.count - 1] else { return pid_t(-1) }
                return unsafe descriptors.withUnsafeBufferPointer { descriptors in
                    unsafe penstock_start(
                        path, words, variables, last.advanced(by: prefix.count),
                        descriptors.baseAddress, Int32(descriptors.count))
                }
            }
        }
        guard number > 0 else { throw SystemError("start \(path)") }
        self.number = number
    }

    private static func texts(_ all: [String]) -> [[UInt8]] { all.map { Array($0.utf8) + [0] } }

    /// Lends `body` a list of pointers to copies of the texts, with a null behind them.
    private static func pointers<Result>(
        to texts: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: texts.count + 1)
        for (place, text) in texts.enumerated() {
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
            for (index, byte) in text.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
            unsafe list.advanced(by: place).initialize(to: copy)
        }
        unsafe list.advanced(by: texts.count).initialize(to: nil)
        defer {
            // As many as were made above.
            for place in texts.indices { unsafe list[place]?.deallocate() }
            unsafe list.deallocate()
        }
        return unsafe body(list)
    }

    /// Whether it has ended; asked until it has, so that nothing is left of it.
    package var hasEnded: Bool { penstock_ended(number) >= 0 }

    /// Ends it at once.
    package func kill() { _ = Glibc.kill(number, SIGKILL) }
}
