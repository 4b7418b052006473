// The page at `/` of the admin listener: one file, dashboard.html beside this one, which is carried in the binary as it
// stands. The browser is told to run its script and no other (CSP Level 3 section 6.7), by that script's digest.

internal import Gateway
internal import Inference

/// The page's bytes, and what a browser may do with them.
enum DashboardPage {
    /// The file.
    static let bytes = PackageResources.dashboard_html

    /// The value of the `Content-Security-Policy` field.
    static let securityPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(scriptDigest)'; "
        + "connect-src 'self'; frame-ancestors 'none'"

    private static let begin = Array("<script>".utf8)
    private static let end = Array("</script>".utf8)

    /// The SHA-256 of what stands between the script's tags, in base64.
    private static let scriptDigest: String = {
        guard let from = place(of: begin, from: 0), let to = place(of: end, from: from),
            let digest = KeyDigest(of: bytes.span.extracting((from + begin.count)..<to))
        else { return "" }
        let digits = Array(digest.hexadecimal.utf8)
        let raw = stride(from: 0, to: digits.count, by: 2).compactMap { index in
            UInt8(String(decoding: digits[index..<(index + 2)], as: UTF8.self), radix: 16)
        }
        return Base64.encode(raw.span)
    }()

    private static func place(of word: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= word.count else { return nil }
        return (start...(bytes.count - word.count)).first { index in
            bytes[index] == word[0] && bytes[index..<(index + word.count)].elementsEqual(word)
        }
    }
}
