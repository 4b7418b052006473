// The buffer against a plain array, and its promises about storage.

import Bytes
import HTTP1
import Testing

@Suite struct ByteBufferTests {
    @Test(arguments: 1...10) func behavesLikeAnArray(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for _ in 0..<3_000 {
            switch random.below(7) {
            case 0:
                let byte = UInt8(random.below(256))
                buffer.append(byte)
                model.append(byte)
            case 1, 2:
                let bytes = (0..<random.below(random.below(10) == 0 ? 3_000 : 100)).map { _ in
                    UInt8(random.below(256))
                }
                buffer.append(bytes.span)
                model += bytes
            case 3, 4:
                let count = random.below(model.count + 1)
                buffer.drop(count)
                model.removeFirst(count)
            case 5:
                buffer.reserve(random.below(500))
            default:
                let count = random.below(50)
                buffer.reserve(count)
                buffer.withFreeStorage(atMost: count) { bytes, range in
                    for index in range { bytes[index] = 7 }
                    return range.count
                }
                model += [UInt8](repeating: 7, count: count)
            }
            #expect(buffer.count == model.count, "seed \(seed)")
            #expect(buffer.isEmpty == model.isEmpty)
            if contents(of: buffer) != model {
                Issue.record("seed \(seed): other bytes than an array has")
                return
            }
        }
    }

    @Test func everyLengthIsCopiedExactly() {
        let source = (0..<200).map { UInt8($0 + 1) }
        for count in source.indices {
            var buffer = ByteBuffer()
            buffer.append(0xee)
            buffer.append(source.span.extracting(..<count))
            buffer.append(0xff)
            #expect(contents(of: buffer) == [0xee] + source[..<count] + [0xff])
        }
    }

    @Test func emptyBufferOwnsNothing() {
        var buffer = ByteBuffer()
        buffer.append(all: [])
        buffer.reserve(0)
        #expect(buffer.capacity == 0)
        buffer.append(1)
        #expect(buffer.capacity > 0)
    }

    @Test func takesAllBytesWithTheirStorage() {
        var source = ByteBuffer()
        source.append("droppedkept")
        source.drop(7)
        let capacity = source.capacity
        var buffer = ByteBuffer()
        buffer.takeAll(of: &source)
        #expect(buffer.count == 4)
        #expect(buffer.bytes[0] == UInt8(ascii: "k") && buffer.bytes[3] == UInt8(ascii: "t"))
        #expect(buffer.capacity == capacity)
        #expect(source.isEmpty && source.capacity == 0)
        // Both can still be used.
        source.append("more")
        buffer.append("!")
        #expect(source.count == 4 && buffer.count == 5)
    }

    @Test func storageIsHandedOn() {
        var buffer = ByteBuffer()
        buffer.append(all: [1, 2, 3])
        let capacity = buffer.capacity
        let storage = buffer.giveStorage()
        #expect(storage.count == capacity)
        #expect(buffer.isEmpty == true)
        #expect(buffer.capacity == 0)
        buffer.takeStorage(storage)
        #expect(buffer.isEmpty == true)
        #expect(buffer.capacity == capacity)
        buffer.append(4)
        #expect(contents(of: buffer) == [4])
    }

    @Test func roomAtTheFrontIsUsedBeforeStorageGrows() {
        var buffer = ByteBuffer()
        buffer.reserve(512)
        let capacity = buffer.capacity
        for _ in 0..<100 {
            buffer.append([UInt8](repeating: 1, count: 400).span)
            buffer.drop(400)
            buffer.append([UInt8](repeating: 2, count: 100).span)
            buffer.drop(50)
            buffer.reserve(capacity - buffer.count)
            buffer.drop(50)
        }
        #expect(buffer.capacity == capacity)
    }

    @Test func removeAllKeepsStorage() {
        var buffer = ByteBuffer()
        buffer.append(all: [1, 2, 3])
        let capacity = buffer.capacity
        buffer.removeAll()
        #expect(buffer.isEmpty == true)
        #expect(buffer.capacity == capacity)
    }

    @Test func numbers() {
        for value in [0, 1, 9, 10, 99, 100, 65_536, 1_234_567_890, Int.max] {
            var buffer = ByteBuffer()
            buffer.append(decimal: value)
            #expect(contents(of: buffer) == Array(String(value).utf8))
            buffer.removeAll()
            buffer.append(hexadecimal: value)
            #expect(contents(of: buffer) == Array(String(value, radix: 16).utf8))
        }
    }

    @Test func misuseTraps() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.append(1)
            buffer.drop(2)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.append(1)
            buffer.takeStorage([0, 0])
        }
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.reserve(1)
            buffer.withFreeStorage(atMost: 1) { _, _ in 2 }
        }
    }
}

extension ByteBuffer {
    /// Appends an array that has no name.
    fileprivate mutating func append(all bytes: [UInt8]) {
        append(bytes.span)
    }
}
