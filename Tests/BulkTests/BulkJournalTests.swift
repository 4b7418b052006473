// What a client counts: lines that it sends, and answers that it has.

import Testing

@testable import Bulk

@Suite struct BulkJournalTests {
    @Test func linesAreCountedAsTheGatewayCountsThem() {
        let seed = UInt64.random(in: 1 ... .max)
        var random = SplitMix(seed)
        let parts = ["\n", "\r\n", " ", "\t", "\r", "x", "longer than most lines here", "\n\n"]
        for _ in 0..<500 {
            let text = (0..<random.below(40)).map { _ in parts[random.below(parts.count)] }
                .joined()
            let bytes = Array(text.utf8)
            var reader = BulkLineReader(maxLineBytes: 5)
            var found = 0
            var index = 0
            while reader.next(in: bytes.span, at: &index) != .needMoreData { found += 1 }
            if reader.finish() != .needMoreData { found += 1 }
            var counter = BulkLineCounter()
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + 1 + random.below(9))
                let piece = Array(bytes[start..<end])
                let passed = counter.pass(piece.span)
                #expect(passed == piece.count)
                start = end
            }
            counter.finish()
            #expect(counter.count == found, "seed \(seed): \(text)")
        }
    }

    @Test func itStopsBehindALine() {
        let bytes = Array("\na\n\nbb\r\nc".utf8)
        var counter = BulkLineCounter()
        let none = counter.pass(bytes.span, to: 0)
        let first = counter.pass(bytes.span, to: 1)
        let second = counter.pass(bytes.span, from: 3, to: 2)
        let rest = counter.pass(bytes.span, from: 8, to: 9)
        #expect([none, first, second, rest] == [0, 3, 8, 9])
        #expect(counter.count == 2)
        counter.finish()
        #expect(counter.count == 3)
    }

    @Test func anAnswerCountsOnce() {
        var journal = BulkJournal()
        let early = journal.note(1, status: 200)
        #expect(early && journal.doneBelow == 0)
        let again = journal.note(1, status: 200)
        let first = journal.note(0, status: nil)
        #expect(!again && first && journal.doneBelow == 2)
        let late = journal.note(0, status: 200)
        let other = journal.note(3, status: 404)
        #expect(!late && other && journal.doneBelow == 2)
        #expect(journal.count == 3 && journal.failed == 2 && !journal.isForeign)
        for index in 10..<10 + BulkWindow.maxLines {
            let isNew = journal.note(index, status: 200)
            #expect(isNew)
        }
        #expect(journal.isForeign)
    }
}
