// Keys of `penstock top`, and how tables are laid out.

import Bytes
import Telemetry
import Testing

@testable import penstock

@Suite struct TopViewTests {
    private static func view() -> TopView {
        var backends = TextTable("pool", "backend", "state")
        for (pool, backend) in [("chat", "http://a"), ("chat", "http://b"), ("embed", "http://c")] {
            backends.append([pool, backend, "serves"])
        }
        var gateway = TextTable("version", "state")
        gateway.append(["1", "serving"])
        var view = TopView()
        view.take([gateway, backends])
        return view
    }

    private static func press(_ view: inout TopView, _ keys: String) -> TopView.Effect {
        var effect = TopView.Effect.none
        for key in keys.utf8 { effect = view.press([key]) }
        return effect
    }

    @Test func aChangeIsAskedForTwice() {
        var view = Self.view()
        #expect(Self.press(&view, "j") == .none)
        #expect(Self.press(&view, "d") == .none)
        #expect(view.note == "drain http://b of chat? press d again")
        #expect(Self.press(&view, "d") == .change("drain", pool: "chat", backend: "http://b"))
        // Another key in between, or another backend, means that it was not meant.
        for keys in ["dxd", "djd", "dud", "ddd", "dkd"] {
            #expect(Self.press(&view, keys) == .none, "\(keys)")
            _ = Self.press(&view, "x")
        }
        #expect(view.press([0x1b, 0x5b, 0x41]) == .none)
        #expect(Self.press(&view, "kuu") == .change("undrain", pool: "chat", backend: "http://a"))
        #expect(
            Self.press(&view, "jjjjjjuu") == .change("undrain", pool: "embed", backend: "http://c"))
        #expect(Self.press(&view, "q") == .end)
    }

    @Test func onlyWhatIsLookedForIsShown() {
        var view = Self.view()
        _ = Self.press(&view, "/EMBEDq")
        #expect(!view.lines(width: 80).contains { $0.contains("http://") })
        _ = view.press([0x7f])
        _ = view.press([0x0d])
        let lines = view.lines(width: 80)
        #expect(lines.contains { $0.hasPrefix("> embed  http://c") })
        #expect(
            !lines.contains { $0.contains("http://a") } && lines.contains { $0.contains("serving") }
        )
        #expect(Self.press(&view, "dd") == .change("drain", pool: "embed", backend: "http://c"))
        _ = Self.press(&view, "/")
        _ = view.press([0x1b])
        #expect(view.lines(width: 80).contains { $0.contains("http://a") })
    }

    @Test func keysAreToldApart() {
        #expect(TopView.keys(in: []) == [])
        #expect(
            TopView.keys(in: [0x6a, 0x1b, 0x5b, 0x41, 0x64, 0x1b])
                == [[0x6a], [0x1b, 0x5b, 0x41], [0x64], [0x1b]])
    }

    /// Backends may go while one is chosen.
    @Test func whatIsChosenIsThere() {
        var view = Self.view()
        _ = Self.press(&view, "jjj")
        view.take([])
        #expect(Self.press(&view, "dd") == .none)
        #expect(view.lines(width: 3).allSatisfy { $0.count <= 2 })
    }

    @Test func tablesAreReadAsTheyWereWritten() {
        var table = TextTable("a", "b_c")
        table.append(["1\t2", "x\r\ny"])
        table.append(["", "\u{1b}[2J"])
        var buffer = ByteBuffer()
        table.render(into: &buffer)
        let bytes = buffer.bytes
        let text = String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        #expect(TextTable.tables(in: text) == [table] && table.rows[0] == ["1 2", "x y"])
        #expect(
            TableLayout.text(of: text + "\n" + text)
                == "A    B C\n1 2  x y\n     ?[2J\n\nA    B C\n1 2  x y\n     ?[2J\n")
        #expect(TextTable.tables(in: "a\tb\n1\n1\t2\t3\n\n\n\nc\n").map(\.rows) == [[], []])
        #expect(TableLayout.text(of: "") == "nothing to show\n")
    }
}
