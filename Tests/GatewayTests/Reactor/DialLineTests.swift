import Admission
import Policy
import Testing

@testable import Gateway
@testable import Reactor

/// Dials to one backend, of which so many are under way at once.
@Suite struct DialLineTests {
    private let target: DialTarget = {
        let address = BackendAddress(scheme: .http, host: "b", port: 80, label: "b")
        return DialTarget(address)
    }()

    private func dials(_ count: Int, in line: DialLine) -> [Dial] {
        (0..<count).map { _ in Dial(target, line, deadline: .distantFuture) { _ in } }
    }

    /// A line that is full, with dials that wait.
    private func fullLine(waiting count: Int) -> (line: DialLine, waiting: [Dial]) {
        let line = DialLine()
        while line.hasRoom { line.started() }
        let waiting = dials(count, in: line)
        for dial in waiting { line.join(dial) }
        return (line, waiting)
    }

    @Test func soManyStartAndTheOthersFollowInOrder() {
        let (line, waiting) = fullLine(waiting: 3)
        #expect(line.running == DialLine.mostAtOnce)
        #expect(line.next() == nil)
        for dial in waiting {
            line.ended()
            #expect(!line.hasRoom, "those who wait go first")
            #expect(line.next() === dial)
            line.started()
        }
        line.ended()
        #expect(line.next() == nil)
        #expect(line.hasRoom)
    }

    @Test func whoLeavesIsPassedOver() {
        let (line, waiting) = fullLine(waiting: 3)
        for dial in waiting[..<2] {
            dial.completion = nil
            line.left()
        }
        line.ended()
        #expect(line.next() === waiting[2])
    }

    /// However many come and leave while nothing moves, the line keeps only those who stay.
    @Test func whoHasLeftIsLetGoOf() {
        let (line, waiting) = fullLine(waiting: 10)
        for _ in 0..<10_000 {
            let dial = dials(1, in: line)[0]
            line.join(dial)
            dial.completion = nil
            line.left()
        }
        #expect(line.length <= 100)
        for dial in waiting {
            line.ended()
            #expect(line.next() === dial)
        }
        #expect(line.next() == nil)
    }
}
