// Where wires begin: connecting and listening, on loopback and on unix sockets.

import CShims
import Foundation

@testable import TestSupport

/// Where a socket is.
enum Place: Sendable {
    case loopback(port: UInt16)
    case loopback6(port: UInt16)
    case unix(path: String)
}

/// A failed call of the harness itself.
struct HarnessError: Error, CustomStringConvertible {
    var description: String

    init(_ call: String) { description = "\(call): errno \(errno)" }
}

extension Place {
    /// A path for a unix socket that nobody else has.
    static func freshPath() -> String {
        "/tmp/penstock-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    }

    private var family: Int32 {
        switch self {
        case .loopback: AF_INET
        case .loopback6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// A new socket and the address to give to it.
    func socket() throws -> (descriptor: Int32, address: sockaddr_storage, length: socklen_t) {
        let number = Glibc.socket(
            family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw HarnessError("socket") }
        var storage = sockaddr_storage()
        switch self {
        case .loopback(let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: address, as: sockaddr_in.self)
            }
            return (number, storage, socklen_t(MemoryLayout<sockaddr_in>.size))
        case .loopback6(let port):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            _ = unsafe inet_pton(AF_INET6, "::1", &address.sin6_addr)
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: address, as: sockaddr_in6.self)
            }
            return (number, storage, socklen_t(MemoryLayout<sockaddr_in6>.size))
        case .unix(let path):
            storage.ss_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8) + [0]
            unsafe withUnsafeMutableBytes(of: &storage) { target in
                for (index, byte) in bytes.enumerated() { unsafe target[2 + index] = byte }
            }
            return (number, storage, socklen_t(2 + bytes.count))
        }
    }
}

extension Wire {
    /// Connects; `receiveBuffer` makes the kernel's own buffer small, so that back-pressure shows
    /// early.
    convenience init(to place: Place, receiveBuffer: Int32? = nil) throws {
        var (number, address, length) = try place.socket()
        if let receiveBuffer { Wire.set(number, SO_RCVBUF, receiveBuffer) }
        guard unsafe penstock_connect(number, &address, length) == 0 else {
            let error = HarnessError("connect")
            _ = Glibc.close(number)
            throw error
        }
        self.init(owning: number)
        Wire.setNoDelay(number)
    }

    static func set(_ number: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(
            number, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    static func setNoDelay(_ number: Int32) {
        var value: Int32 = 1
        _ = unsafe setsockopt(
            number, Int32(IPPROTO_TCP), TCP_NODELAY, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
