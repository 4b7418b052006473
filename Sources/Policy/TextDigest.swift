// SHA-256 of what files hold, as `sha256sum` shows it.
//
// The uses of `unsafe` rest on libcrypto's keeping no pointer after its call, on the pointers' being used within their closures
// only, and on the digest's being 32 bytes, which is what SHA-256 writes.

import CShims

/// Makes digests of texts.
package enum TextDigest {
    /// The digest of `bytes`, 64 hexadecimal digits; empty where there is no memory to make it with.
    package static func hexadecimal(of bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        let isMade = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe digest.withUnsafeMutableBufferPointer { output in
                unsafe penstock_sha256(input.baseAddress, input.count, output.baseAddress)
            }
        }
        guard isMade != 0 else { return "" }
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
