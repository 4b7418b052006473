// Standard output as a terminal: whether it is one, how wide it is, and drawing in place.

internal import Glibc
internal import Policy
internal import Reactor

/// Standard output.
package struct Terminal {
    /// Whether standard output is a terminal that can move its cursor.
    package let isInteractive: Bool
    /// Whether colours are wanted: https://no-color.org.
    package let isColoured: Bool
    /// Whether standard output takes no more, as when the program that read it has ended.
    package private(set) var isBroken = false

    private var drawnLines = 0

    /// Looks at standard output and the environment.
    package init() {
        isInteractive = isatty(1) == 1 && ProcessEnvironment.variable("TERM") != "dumb"
        isColoured =
            isInteractive && (ProcessEnvironment.variable("NO_COLOR") ?? "").isEmpty
    }

    /// Columns; 80 where the terminal does not say.
    package var width: Int {
        var size = winsize()
        // The kernel fills in one winsize, which lives through the call.
        let result = unsafe ioctl(1, UInt(TIOCGWINSZ), &size)
        return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Rows; 24 where the terminal does not say.
    private var height: Int {
        var size = winsize()
        // The kernel fills in one winsize, which lives through the call.
        let result = unsafe ioctl(1, UInt(TIOCGWINSZ), &size)
        return result == 0 && size.ws_row > 0 ? Int(size.ws_row) : 24
    }

    /// Draws `lines` over those that were drawn before; the last ones do not show where the
    /// terminal is too low.
    package mutating func draw(_ lines: [String]) {
        let lines = lines.prefix(max(1, height - 1))
        // Up to the first line; then each line is written over the old one and the rest of that
        // erased.
        var text = drawnLines > 0 ? "\u{1b}[\(drawnLines)A\r" : "\u{1b}[?25l"
        for line in lines { text += "\(line)\u{1b}[K\n" }
        drawnLines = lines.count
        write(text + "\u{1b}[J")
    }

    /// Lets the cursor be seen again, below what was drawn.
    package mutating func endDrawing() {
        if drawnLines > 0 { write("\u{1b}[?25h") }
        drawnLines = 0
    }

    /// Writes `text`, whole; what cannot be written is lost, and `isBroken` tells.
    package mutating func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty && !isBroken {
            // The slice's own storage is borrowed for the call.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(1, $0.baseAddress, $0.count)
            }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR && errno != EAGAIN {
                isBroken = true
            }
        }
    }
}
