// Whose file lies at a unix socket's path: nothing is touched but what is a socket that nobody uses, and
// in the end what this process made.

import CShims
import Foundation
import Glibc
import Policy
import Testing

@testable import Reactor

@Suite struct SocketFileTests {
    /// A folder of the test's own, which goes with it.
    private final class Folder {
        let path: String

        init() throws {
            path = "/tmp/penstock-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
    }

    private static func status(_ path: String) -> stat? {
        var status = stat()
        // The path is lent for the call, which writes the structure whole.
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    private static func isSocket(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFSOCK } ?? false
    }

    private static func mode(_ path: String) -> UInt32? { status(path).map { $0.st_mode & 0o7777 } }

    /// What listening at `path` says against it; nil where it does not.
    private static func refusal(_ path: String) -> String? {
        do throws(SystemError) {
            _ = try ListeningSocket(.unix(path: path))
            return nil
        } catch {
            return error.description
        }
    }

    /// A socket that was bound at `path`, as somebody else would, and listens for so many, if at all.
    private static func stranger(
        _ path: String, _ kind: __socket_type, backlog: Int32?
    ) -> Descriptor {
        let descriptor = Descriptor(owning: socket(AF_UNIX, Int32(kind.rawValue), 0))
        var storage = sockaddr_storage()
        let length = ListeningSocket.fill(&storage, path: path) ?? 0
        // `length` is what was filled in, at most the storage's size.
        #expect(unsafe penstock_bind(descriptor.rawValue, &storage, length) == 0)
        if let backlog { #expect(listen(descriptor.rawValue, backlog) == 0) }
        return descriptor
    }

    private static func leaveBehind(_ path: String) {
        _ = stranger(path, SOCK_STREAM, backlog: 1)
        #expect(isSocket(path))
    }

    @Test func whatIsNoSocketStays() throws {
        let folder = try Folder()
        let files = FileManager.default
        #expect(files.createFile(atPath: folder("file"), contents: Data("keep".utf8)))
        #expect(unsafe mkfifo(folder("fifo"), 0o600) == 0)
        try files.createDirectory(atPath: folder("directory"), withIntermediateDirectories: false)
        try files.createSymbolicLink(
            atPath: folder("link"), withDestinationPath: folder("file"))
        Self.leaveBehind(folder("socket"))
        try files.createSymbolicLink(
            atPath: folder("link to a socket"), withDestinationPath: folder("socket"))
        try files.createSymbolicLink(
            atPath: folder("link to nothing"), withDestinationPath: folder("nothing"))
        for (name, kind) in [
            ("file", "a regular file"), ("fifo", "a FIFO"), ("directory", "a directory"),
            ("link", "a symbolic link"), ("link to a socket", "a symbolic link"),
            ("link to nothing", "a symbolic link"),
        ] {
            let before = try #require(Self.status(folder(name)))
            let said = try #require(Self.refusal(folder(name)), "\(name)")
            #expect(
                said == "cannot listen on unix:\(folder(name)): \(kind) lies there; "
                    + "it is left alone: remove it, or choose another path")
            #expect(Self.status(folder(name))?.st_ino == before.st_ino)
        }
        #expect(files.contents(atPath: folder("file")) == Data("keep".utf8))
        #expect(Self.isSocket(folder("socket")) && !files.fileExists(atPath: folder("nothing")))
    }

    @Test func aSocketThatNobodyUsesIsReplaced() throws {
        let folder = try Folder()
        Self.leaveBehind(folder("a"))
        let listening = try ListeningSocket(.unix(path: folder("a")))
        #expect(throws: Never.self) { try Wire(to: .unix(path: folder("a"))) }
        extendLifetime(listening)
    }

    @Test func aSocketInUseIsAnErrorThatSaysSo() throws {
        let folder = try Folder()
        let live = try ListeningSocket(.unix(path: folder("live")))
        let said = try #require(Self.refusal(folder("live")))
        #expect(
            said.hasSuffix("accepts connections there; stop it, or choose another path"))
        #expect(Self.isSocket(folder("live")))
        extendLifetime(live)
        // A queue that is full would have the probe wait, and says as much.
        let full = Self.stranger(folder("full"), SOCK_STREAM, backlog: 0)
        let first = try Wire(to: .unix(path: folder("full")))
        #expect(try #require(Self.refusal(folder("full"))).contains("another process accepts"))
        extendLifetime(first)
        extendLifetime(full)
        let other = Self.stranger(folder("datagrams"), SOCK_DGRAM, backlog: nil)
        #expect(try #require(Self.refusal(folder("datagrams"))).contains("cannot be told"))
        #expect(Self.isSocket(folder("datagrams")))
        extendLifetime(other)
    }

    @Test func aSuccessorsFileStays() throws {
        let folder = try Folder()
        let path = folder("a")
        do {
            let first = try ListeningSocket(.unix(path: path))
            #expect(unsafe unlink(path) == 0)
            let second = try ListeningSocket(.unix(path: path))
            first.file?.remove()
            Self.end(first)
            #expect(Self.isSocket(path))
            #expect(throws: Never.self) { try Wire(to: .unix(path: path)) }
            Self.end(second)
        }
        #expect(Self.status(path) == nil)
        // Nor is removed what is no socket.
        let third = try ListeningSocket(.unix(path: path))
        #expect(unsafe unlink(path) == 0)
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        Self.end(third)
        #expect(Self.status(path) != nil)
    }

    private static func end(_ socket: consuming ListeningSocket) {}

    /// Starts that see the same socket left behind: one of them replaces it, and no other undoes that.
    @Test func ofManyStartsOneListens() throws {
        let folder = try Folder()
        for round in 0..<20 {
            let path = folder("\(round)")
            Self.leaveBehind(path)
            let results = (0..<4).map { _ in Handover<Bool>() }
            let over = (0..<4).map { _ in Door() }
            for (result, over) in zip(results, over) {
                onThread {
                    guard let socket = try? ListeningSocket(.unix(path: path)) else {
                        return result.give(false)
                    }
                    result.give(true)
                    try? over.pass()
                    extendLifetime(socket)
                }
            }
            let winners = try results.count { try $0.take("a start's result") }
            #expect(winners == 1)
            #expect(throws: Never.self) { try Wire(to: .unix(path: path)) }
            for door in over { door.open() }
        }
    }

    /// Without the lock nothing is replaced, and nothing removed.
    @Test func aDirectoryLockedBySomebodyElseIsNotChanged() throws {
        let folder = try Folder()
        Self.leaveBehind(folder("stale"))
        let live = try ListeningSocket(.unix(path: folder("live")))
        let lock = unsafe open(folder.path, O_RDONLY | O_DIRECTORY)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        #expect(try #require(Self.refusal(folder("stale"))).contains("cannot be locked"))
        Self.end(live)
        #expect(Self.isSocket(folder("stale")) && Self.isSocket(folder("live")))
        close(lock)
        #expect(Self.refusal(folder("live")) == nil)
    }

    @Test func accessIsWhatThePolicySays() throws {
        let folder = try Folder()
        let path = folder("a")
        let listening = try ListeningSocket(.unix(path: path), access: SocketAccess(mode: 0o624))
        #expect(Self.mode(path) == 0o624)
        let made = listening.file
        let file = try #require(made)
        try file.change(to: SocketAccess(mode: 0o600))
        #expect(Self.mode(path) == 0o600)
        if geteuid() == 0 {
            var access = SocketAccess(mode: 0o660)
            access.owner = Account(name: "12", number: 12)
            access.group = Account(name: "34", number: 34)
            try file.change(to: access)
            #expect(Self.status(path)?.st_uid == 12 && Self.status(path)?.st_gid == 34)
            try file.change(to: .clients)
            #expect(Self.status(path)?.st_uid == 0 && Self.mode(path) == 0o666)
        }
        #expect(unsafe unlink(path) == 0)
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let before = Self.mode(path)
        #expect(throws: SystemError.self) { try file.change(to: .operators) }
        #expect(Self.mode(path) == before)
        extendLifetime(listening)
    }
}
