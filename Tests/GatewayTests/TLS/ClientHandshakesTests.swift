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
        for index in 0..<7 {
            flood.append(client(2, at: 10 + Int64(index)))
            handshakes.insert(flood[index])
        }
        for index in 0..<3 {
            let gone = handshakes.dispensable
            #expect(gone === flood[index])
            if let gone { handshakes.remove(gone) }
        }
        // Four are not many: from then on the oldest of all goes.
        #expect(handshakes.dispensable === good)
        handshakes.remove(good)
        handshakes.remove(good)
        #expect(handshakes.count == 4 && handshakes.dispensable === flood[3])
        for index in 3..<7 { handshakes.remove(flood[index]) }
        #expect(handshakes.dispensable == nil)
    }

    /// Whatever the addresses: who has just come stays, and those that are not counted are no network together.
    @Test func fromManyAddressesTheOldestGoes() {
        for networks in [Array(1...20), Array((1...20).reversed())] {
            var handshakes = ClientHandshakes()
            var all: [ClientHandshake] = []
            for (index, network) in networks.enumerated() {
                all.append(client(UInt64(network), at: Int64(index)))
                handshakes.insert(all[index])
            }
            for index in 0..<10 { handshakes.insert(client(0, at: 100 + Int64(index))) }
            for index in 0..<20 {
                let gone = handshakes.dispensable
                #expect(gone === all[index])
                if let gone { handshakes.remove(gone) }
            }
        }
    }

    @Test func thoseOfASecondGiveWay() {
        var handshakes = ClientHandshakes()
        let old = [client(1, at: 5), client(2, at: 0)]
        for client in old + [client(3, at: 900_000_000)] { handshakes.insert(client) }
        let found = handshakes.old(now: Instant(nanoseconds: 1_500_000_000))
        #expect(found.count == 2 && found[0] === old[1] && found[1] === old[0])
    }
}
