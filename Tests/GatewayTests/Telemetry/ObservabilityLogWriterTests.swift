// The log writer against files, full disks, readers that stall and readers that leave.

import Foundation
import Gateway
import Policy
import Testing

@testable import Telemetry

@Suite(.timeLimit(.minutes(1))) struct ObservabilityLogWriterTests {
    /// A pipe whose writing end can be opened by path, as a log's destination.
    private final class ReadablePipe {
        let reader: Int32
        private var writer: Int32
        let path: String

        init() {
            var ends: [Int32] = [0, 0]
            // The kernel writes two numbers into the array.
            let result = unsafe pipe(&ends)
            precondition(result == 0)
            reader = ends[0]
            writer = ends[1]
            path = "/proc/self/fd/\(ends[1])"
        }

        deinit {
            closeWriter()
            close(reader)
        }

        /// Leaves the opened destination as the only writer.
        func closeWriter() {
            if writer >= 0 { close(writer) }
            writer = -1
        }

        /// All bytes until the writers are gone.
        func readAll() -> [UInt8] {
            [UInt8](FileHandle(fileDescriptor: reader, closeOnDealloc: false).readDataToEndOfFile())
        }
    }

    @Test func linesArriveWholeAndInOrder() throws {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        for index in 0..<20_000 { writer.append("line \(index)".utf8.span) }
        #expect(writer.flush(within: .seconds(10)))
        #expect(try folder.lines("log") == (0..<20_000).map { "line \($0)" })
        #expect(writer.statistics == LogWriter.Statistics())
    }

    /// One file has one writer, however its path is written: two would mix their lines.
    @Test func oneFileHasOneWriter() throws {
        let folder = try TemporaryFolder()
        let link = folder.file("link")
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: folder.file("log"))
        var settings = LogSettings()
        settings.destination = .file(path: folder.file("log"))
        settings.access = .file(path: link)
        let writers = try LogWriters(settings)
        #expect(writers.access === writers.operational)
        settings.destination = .file(path: folder.file("./log"))
        settings.access = .file(path: folder.file("other"))
        let next = try LogWriters(settings, former: writers)
        #expect(next.operational === writers.operational && next.access !== writers.access)
    }

    /// Whoever cannot go on with both leaves neither behind.
    @Test func aLogThatDoesNotComeIntoUseIsNotLeft() throws {
        let folder = try TemporaryFolder()
        var settings = LogSettings()
        settings.destination = .file(path: folder.file("new"))
        settings.access = .file(path: "/nowhere/access")
        #expect(throws: LogWriter.Failure.self) { try LogWriters(settings) }
        #expect(!FileManager.default.fileExists(atPath: folder.file("new")))
        settings.access = .file(path: folder.file("access"))
        let writers = try LogWriters(settings)
        writers.operational.append("a line".utf8.span)
        #expect(writers.operational.flush(within: .seconds(10)))
        writers.discard()
        #expect(!FileManager.default.fileExists(atPath: folder.file("access")))
        #expect(try folder.lines("new") == ["a line"])
        // One that was there, and one in use, stay.
        let present = try LogWriters(settings)
        try LogWriters(settings, former: present).discard(besides: present)
        present.operational.append("another".utf8.span)
        #expect(present.operational.flush(within: .seconds(10)))
        #expect(try folder.lines("new") == ["a line", "another"])
    }

    @Test func linesArriveWithoutAFlush() async throws {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        for round in 1...3 {
            writer.append("hello".utf8.span)
            var count = 0
            for _ in 0..<1_000 where count < round {
                try await Task.sleep(for: .milliseconds(10))
                count = try folder.lines("log").count
            }
            #expect(count == round)
        }
        writer.close(within: .seconds(1))
    }

    @Test func manyThreadsShareOneWriter() async throws {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for index in 0..<2_000 { writer.append("\(task) \(index)".utf8.span) }
                }
            }
        }
        #expect(writer.close(within: .seconds(10)))
        let lines = try folder.lines("log")
        #expect(lines.count == 8_000)
        for task in 0..<4 {
            let own = lines.filter { $0.hasPrefix("\(task) ") }
            #expect(own == (0..<2_000).map { "\(task) \($0)" })
        }
    }

    @Test func aFileIsAppendedTo() throws {
        let folder = try TemporaryFolder()
        for line in ["first", "second"] {
            let writer = try LogWriter(destination: .file(path: folder.file("log")))
            writer.append(line.utf8.span)
            #expect(writer.close(within: .seconds(10)))
        }
        #expect(try folder.lines("log") == ["first", "second"])
    }

    @Test func aStalledReaderCostsLinesAndNotTime() throws {
        let pipe = ReadablePipe()
        let writer = try LogWriter(destination: .file(path: pipe.path), capacityBytes: 64 << 10)
        let line = [UInt8](repeating: 0x78, count: 999)
        for _ in 0..<5 {
            for _ in 0..<1_000 { writer.append(line.span) }
            // Time for the thread to take what it can.
            usleep(30_000)
        }
        // What the pipe, the thread and the memory hold are 65 lines each.
        #expect(writer.statistics.linesDropped >= 5_000 - 65 * 3)
        #expect(!writer.flush(within: .milliseconds(30)))
        #expect(!writer.close(within: .milliseconds(30)))
        // The reader comes back: what was kept arrives, and the thread ends.
        pipe.closeWriter()
        let received = pipe.readAll()
        #expect(received.count % 1_000 == 0)
        #expect(UInt64(received.count / 1_000) + writer.statistics.linesDropped == 5_000)
        #expect(writer.flush(within: .seconds(10)))
    }

    @Test func aFullDiskIsCounted() throws {
        let writer = try LogWriter(destination: .file(path: "/dev/full"))
        for _ in 0..<10 { writer.append("lost".utf8.span) }
        #expect(writer.flush(within: .seconds(10)))
        writer.append("lost too".utf8.span)
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.statistics.linesDropped == 11)
        #expect(writer.statistics.errors >= 2)
    }

    @Test func aReaderThatLeavesIsCounted() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fifo")
        // The path is lent as a C string; the fifo's first reader is there before its writer opens
        // it.
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let reader = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let writer = try LogWriter(destination: .file(path: path))
        close(reader)
        writer.append("nobody".utf8.span)
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.statistics.linesDropped == 1)
        #expect(writer.statistics.errors == 1)
    }

    @Test func aLineThatBrokeOffDoesNotSpoilTheNext() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fifo")
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let first = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let writer = try LogWriter(destination: .file(path: path))
        writer.append([UInt8](repeating: 0x78, count: 500_000).span)
        #expect(!writer.flush(within: .milliseconds(50)))
        close(first)
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.statistics.linesDropped == 1)

        let second = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(second) }
        var text = ""
        func drain() {
            let handle = FileHandle(fileDescriptor: second, closeOnDealloc: false)
            text += String(decoding: handle.availableData, as: UTF8.self)
        }
        drain()
        writer.append("next".utf8.span)
        #expect(writer.close(within: .seconds(10)))
        eventually("the line arrives") {
            drain()
            return text.hasSuffix("next\n")
        }
        #expect(text.hasSuffix("x\nnext\n") || text == "\nnext\n", "got \(text.suffix(20))")
        #expect(writer.statistics.linesDropped == 1)
    }

    @Test func rotationGoesOnInANewFile() throws {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        writer.append("old".utf8.span)
        try FileManager.default.moveItem(atPath: folder.file("log"), toPath: folder.file("log.1"))
        writer.reopen()
        #expect(writer.flush(within: .seconds(10)))
        // The thread opens the file after it has settled the lines before.
        eventually("the new file is there") {
            FileManager.default.fileExists(atPath: folder.file("log"))
        }
        writer.append("new".utf8.span)
        #expect(writer.close(within: .seconds(10)))
        #expect(try folder.lines("log.1") == ["old"])
        #expect(try folder.lines("log") == ["new"])
    }

    @Test func aRotationThatFailsKeepsTheOldFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("sub/log")
        try FileManager.default.createDirectory(
            atPath: folder.file("sub"), withIntermediateDirectories: false)
        let writer = try LogWriter(destination: .file(path: path))
        try FileManager.default.moveItem(atPath: folder.file("sub"), toPath: folder.file("moved"))
        writer.reopen()
        eventually("the failure is counted") { writer.statistics.errors > 0 }
        #expect(writer.statistics.errors == 1)
        writer.append("still here".utf8.span)
        #expect(writer.close(within: .seconds(10)))
        #expect(try folder.lines("moved/log") == ["still here"])
    }

    @Test func aFileThatCannotBeOpenedIsAnError() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("no/such/log")
        let error = #expect(throws: LogWriter.Failure.self) {
            _ = try LogWriter(destination: .file(path: path))
        }
        #expect(error == .cannotOpen(path: path, code: ENOENT))
        #expect(error?.description == "cannot open log file \(path): No such file or directory")
    }

    @Test func linesAfterTheCloseAreCounted() throws {
        let folder = try TemporaryFolder()
        let writer = try LogWriter(destination: .file(path: folder.file("log")))
        #expect(writer.close(within: .seconds(10)))
        writer.append("late".utf8.span)
        #expect(writer.statistics.linesDropped == 1)
        #expect(writer.flush(within: .seconds(1)))
    }

    @Test func theThreadEndsWithTheLastHandle() throws {
        let pipe = ReadablePipe()
        do {
            let writer = try LogWriter(destination: .file(path: pipe.path))
            writer.append("last words".utf8.span)
        }
        pipe.closeWriter()
        // Ends only when the thread has closed its end.
        #expect(pipe.readAll() == Array("last words\n".utf8))
    }

    @Test func aClosedStandardOutputIsNotMistakenForWhatTakesItsNumber() async {
        await #expect(processExitsWith: .success) {
            close(STDOUT_FILENO)
            let writer = try LogWriter(destination: .standardOutput)
            // The number goes to the writer's own event counter, which accepts eight bytes at a
            // time, or to one of these.
            for _ in 0..<3 { _ = unsafe open("/dev/null", O_WRONLY) }
            writer.append("is lost".utf8.span)
            let isFlushed = writer.flush(within: .seconds(10))
            exit(isFlushed && writer.statistics.linesDropped == 1 ? 0 : 1)
        }
    }

    @Test func standardErrorIsLeftOpen() throws {
        let writer = try LogWriter(destination: .standardError)
        #expect(writer.close(within: .seconds(10)))
        // Time for the thread to end, and to close what it must not.
        usleep(20_000)
        #expect(fcntl(STDERR_FILENO, F_GETFD) >= 0)
    }
}
