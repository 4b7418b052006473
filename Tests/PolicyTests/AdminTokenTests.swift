// The token of the admin listener: its file, and what is compared with it.

import Testing

@testable import Policy

@Suite struct AdminTokenTests {
    private static let text = "0123456789abcdef0123456789ABCDEF"

    @Test func itIsAWordWithSpaceAround() throws {
        for text in [Self.text, "\(Self.text)\n", " \t\(Self.text)\r\n\n"] {
            #expect(try AdminToken.read(text, file: "t") == Array(Self.text.utf8))
        }
    }

    @Test(arguments: [
        "", "\n", "short", "two words of twenty characters", "0123456789abcdef\u{e9}",
        "0123456789abcde",
        String(repeating: "x", count: 1025),
    ])
    func whatIsNoneIsNotShown(_ text: String) {
        do throws(PolicyError) {
            _ = try AdminToken.read(text, file: "a.token")
            Issue.record("it was taken")
        } catch {
            #expect(
                error.diagnostics.map(\.description) == [
                    "a.token:1:1: error: admin token: is not one word of 16 to 1024 visible ASCII characters; "
                        + "write one with `openssl rand -hex 32`"
                ])
        }
    }

    private func isToken(_ offered: [UInt8], of token: AdminToken) -> Bool {
        token.isEqual(to: offered.span)
    }

    @Test func onlyTheSameIsEqual() throws {
        var token = AdminToken(file: "t")
        #expect(!isToken([], of: token))
        token.bytes = Array(Self.text.utf8)
        #expect(isToken(Array(Self.text.utf8), of: token))
        #expect(!isToken(Array(Self.text.utf8.dropLast()), of: token))
        #expect(!isToken(Array("\(Self.text)0".utf8), of: token))
        for index in token.bytes.indices {
            var other = token.bytes
            other[index] ^= 1
            #expect(!isToken(other, of: token))
        }
    }
}
