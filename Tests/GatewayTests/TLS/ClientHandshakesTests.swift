// Who has how many handshakes, and who goes when there are too many.

import Admission
import Testing

@testable import Gateway
@testable import Reactor

@Suite struct ClientHandshakesTests {
    private func client(_ network: UInt64, at nanoseconds: Int64) -> ClientHandshake {
        ClientHandshake(
            peer: PeerAddress(), network: network, now: Instant(nanoseconds: nanoseconds))
    }

    @Test func oneNetworkHasAnEighth() {
        var handshakes = ClientHandshakes()
        var all: [ClientHandshake] = []
        for index in 0..<4 {
            #expect(!handshakes.isAtBound(7, among: 32))
            all.append(client(7, at: Int64(index)))
            handshakes.insert(all[index])
        }
        #expect(handshakes.isAtBound(7, among: 32))
        #expect(!handshakes.isAtBound(8, among: 32))
        // Those whose networks are not counted have no bound of their own.
        for _ in 0..<20 { handshakes.insert(client(0, at: 0)) }
        #expect(!handshakes.isAtBound(0, among: 32))
        handshakes.remove(all[0])
        #expect(!handshakes.isAtBound(7, among: 32))
        // Where there are few, each network has one.
        #expect(ClientHandshakes.mostOfNetwork(among: 3) == 1)
    }

    @Test func theOldestOfTheNetworkWithTheMostGoes() {
        var handshakes = ClientHandshakes()
        let good = client(1, at: 0)
        handshakes.insert(good)
        var flood: [ClientHandshake] = []
        for index in 0..<5 {
            flood.append(client(2, at: 10 + Int64(index)))
            handshakes.insert(flood[index])
        }
        for index in 0..<4 {
            let gone = handshakes.dispensable
            #expect(gone === flood[index])
            if let gone { handshakes.remove(gone) }
        }
        #expect(handshakes.count == 2)
        handshakes.remove(good)
        handshakes.remove(good)
        #expect(handshakes.count == 1 && handshakes.dispensable === flood[4])
        handshakes.remove(flood[4])
        #expect(handshakes.dispensable == nil)
    }
}
