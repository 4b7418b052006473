// Keys of a terminal as they are pressed, one by one and without an echo, as long as this lives.

internal import CShims
internal import Glibc

/// What is typed on standard input, in a reactor.
package final class TerminalKeys: EventHandler {
    private let pressed: ([UInt8]) -> Void
    private var former = termios()

    /// Calls `pressed` with what is typed, a few bytes for a key with a name; nil where standard input is no terminal.
    package init?(reactor: Reactor, _ pressed: @escaping ([UInt8]) -> Void) {
        self.pressed = pressed
        super.init()
        // The structure lives through the calls.
        guard isatty(0) == 1, unsafe tcgetattr(0, &former) == 0 else { return nil }
        var raw = former
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        guard unsafe tcsetattr(0, TCSANOW, &raw) == 0,
            reactor.register(self, descriptor: 0, interest: .readable)
        else { return nil }
    }

    /// Has the terminal be as it was.
    package func restore() { _ = unsafe tcsetattr(0, TCSANOW, &former) }

    public override func ready(_ readiness: Readiness) {
        var bytes = InlineArray<64, UInt8>(repeating: 0)
        // A terminal has something to read, or is gone; 64 bytes are there to be written to.
        let count = unsafe withUnsafeMutableBytes(of: &bytes) {
            unsafe read(0, $0.baseAddress, $0.count)
        }
        guard count > 0 else { return pressed([]) }
        pressed((0..<count).map { bytes[$0] })
    }
}
