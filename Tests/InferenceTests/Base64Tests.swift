// Base64 both ways: the vectors of RFC 4648 section 10, and every byte.

import Testing

@testable import Inference

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func vectors(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8).span) == encoded)
        #expect(Base64.decode(Array(encoded.utf8).span) == Array(plain.utf8))
    }

    @Test func everyByteComesBack() {
        for count in 0...5 {
            let bytes = Array(UInt8.min...UInt8.max) + Array(repeating: 0xff, count: count)
            #expect(Base64.decode(Array(Base64.encode(bytes.span).utf8).span) == bytes)
        }
    }
}
