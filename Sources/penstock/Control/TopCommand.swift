// `penstock top`: a running gateway's pools, backends and tenants, drawn anew each second; lines where there is no terminal.

import Admission
import Control
import Demo
import Reactor
import Telemetry

/// Watches a running gateway.
struct TopCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch a running gateway, second by second.",
        discussion: """
            Keys: up and down (or k and j) choose a backend, d drains it and u undrains it when pressed twice, / shows \
            only what has the letters that follow, q ends. Without a terminal, the tables of `penstock ctl status` are \
            printed each second.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .option("-n", value: "number", \.count, "End after so many looks; 0 for no end."),
            socketOption,
        ]
    }

    var count = 0
    var socket = Self.usualSocket

    func run() throws {
        SignalSource.blockSignals()
        let reactor = try Reactor()
        let screen = TopScreen(client, most: count, in: reactor)
        let signals = try SignalSource(reactor: reactor) { _ in screen.end() }
        screen.begin()
        reactor.run()
        screen.restore()
        extendLifetime(signals)
        if let failure = screen.failure {
            var standardError = StandardError()
            print(PlainText.visible(failure.text), to: &standardError)
            throw ExitCode.failure
        }
    }
}

/// The screen of `penstock top`.
private final class TopScreen: EventHandler {
    private let client: ControlClient
    private let reactor: Reactor
    private let most: Int
    private var looks = 0
    private var terminal = Terminal()
    private var keys: TerminalKeys?
    private var view = TopView()
    /// Why nothing could be shown at all.
    private(set) var failure: ControlClient.Failure?

    init(_ client: ControlClient, most: Int, in reactor: Reactor) {
        self.client = client
        self.most = most
        self.reactor = reactor
        super.init()
        reactor.register(self)
    }

    func begin() {
        if terminal.isInteractive {
            keys = TerminalKeys(reactor: reactor) { [unowned self] in press($0) }
        }
        // In the loop, which what is looked at may end.
        reactor.setDeadline(of: self, to: reactor.now)
    }

    func end() { reactor.stop() }

    func restore() {
        keys?.restore()
        if terminal.isInteractive { terminal.endDrawing() }
    }

    override func deadlineReached() { look() }

    private func look() {
        do throws(ControlClient.Failure) {
            let text = try client.get("/status")
            view.take(TextTable.tables(in: text))
            if !terminal.isInteractive {
                if looks > 0 { terminal.write("\n") }
                terminal.write(TableLayout.text(of: text))
            }
        } catch {
            // One that was there may come back; one that never was is a wrong path.
            guard looks > 0, terminal.isInteractive else {
                failure = error
                return end()
            }
            view.note = PlainText.visible(error.text)
        }
        looks += 1
        draw()
        if terminal.isBroken || most > 0 && looks >= most { return end() }
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: 1_000_000_000))
    }

    private func draw() {
        guard terminal.isInteractive else { return }
        terminal.draw(view.lines(width: terminal.width))
    }

    private func press(_ bytes: [UInt8]) {
        // Ctrl-D, or a terminal that is gone.
        guard !bytes.isEmpty, bytes != [4] else { return end() }
        for key in TopView.keys(in: bytes) {
            switch view.press(key) {
            case .none: break
            case .end: return end()
            case .change(let name, let pool, let backend):
                change(name, pool, backend)
                view.take(tables())
            }
        }
        draw()
    }

    private func change(_ name: String, _ pool: String, _ backend: String) {
        do throws(ControlClient.Failure) {
            let answer = try client.post(name, ["pool": pool, "backend": backend])
            view.note = PlainText.visible(String(answer.dropLast()))
        } catch {
            view.note = PlainText.visible(error.text)
        }
    }

    /// What is so now; nothing where the gateway does not answer.
    private func tables() -> [TextTable] {
        (try? client.get("/status")).map { TextTable.tables(in: $0) } ?? []
    }
}
