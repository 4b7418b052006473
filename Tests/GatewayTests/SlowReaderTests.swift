// Clients that read slowly have the time that they need as long as they take anything.

import Admission
import Foundation
import Testing

@testable import Gateway

@Suite struct SlowReaderTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// The kernel says late that there is room: it holds megabytes, and a slow reader takes seconds for a
    /// third of them.
    @Test(arguments: [(20_000, nil), (2_000, Int32(4096))])
    func aSteadyReaderIsNotCut(rate: Int, receiveBuffer: Int32?) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            try wire.send([UInt8](repeating: 0x78, count: 10_000_000), within: 30)
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {write_stall: 3s}"))
        let client = try gateway.connect(receiveBuffer: receiveBuffer)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        for _ in 0..<100 {
            // Not through the harness, which reads all that is there.
            var piece = [UInt8](repeating: 0, count: rate / 10)
            let count = unsafe recv(client.descriptor, &piece, piece.count, 0)
            try #require(count > 0 || errno == EAGAIN)
            usleep(100_000)
        }
        #expect(try gateway.holdings().clients == 1)
        #expect(try gateway.metric { $0.count(of: .success, .writeTimeout) } == 0)
    }
}
