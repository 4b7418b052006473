// Which backends follow from the slices of a Service.

import Policy
import Testing

@testable import Admission
@testable import Control

@Suite struct EndpointSliceSetTests {
    private static func endpoint(
        _ address: String, _ uid: String = "", ready: Bool? = nil, serving: Bool? = nil,
        terminating: Bool? = nil
    ) -> Endpoint {
        Endpoint(
            address: address, uid: uid, ready: ready, serving: serving, terminating: terminating)
    }

    private static func slice(
        _ endpoints: [Endpoint], name: String = "a", type: String = "IPv4",
        ports: [EndpointSlice.Port] = [.init(name: "http", number: 8000)]
    ) -> EndpointSlice {
        EndpointSlice(name: name, addressType: type, ports: ports, endpoints: endpoints)
    }

    /// What follows from slices: the URLs, those of them that are not ready, or the fault.
    private static func found(
        _ slices: [EndpointSlice], port: KubernetesDiscovery.Port? = .named("http"),
        scheme: BackendAddress.Scheme = .http
    ) throws -> (urls: [String], unready: [String], fault: String?) {
        var set = EndpointSliceSet()
        for slice in slices { try set.put(slice) }
        var settings = KubernetesDiscovery()
        settings.service = "model"
        settings.port = port
        settings.scheme = scheme
        switch set.finding(settings, namespace: "ml") {
        case .failed(let faults): return ([], [], faults.joined(separator: "; "))
        case .backends(let backends, let unready):
            for backend in backends { #expect(backend.host == "model.ml.svc") }
            return (
                backends.map(\.label), backends.filter { unready.contains($0.key) }.map(\.label),
                nil
            )
        }
    }

    @Test func conditionsThatAreNotSaid() {
        #expect(Self.endpoint("1").condition == .ready)
        #expect(Self.endpoint("1", ready: false).condition == .unready)
        #expect(Self.endpoint("1", ready: false, serving: true).condition == .unready)
        #expect(Self.endpoint("1", terminating: true).condition == .ending)
        #expect(Self.endpoint("1", ready: false, terminating: true).condition == .ended)
        #expect(
            Self.endpoint("1", ready: false, serving: true, terminating: true).condition == .ending)
        // As with publishNotReadyAddresses.
        #expect(
            Self.endpoint("1", ready: true, serving: false, terminating: true).condition == .ended)
    }

    @Test func whoIsNotReadyIsThereAndWhoEndsIsNot() throws {
        let slice = Self.slice([
            Self.endpoint("10.0.0.1", "u1"), Self.endpoint("10.0.0.2", "u2", ready: false),
            Self.endpoint("10.0.0.3", "u3", ready: false, serving: true, terminating: true),
        ])
        let found = try Self.found([slice])
        #expect(found.urls == ["http://10.0.0.1:8000", "http://10.0.0.2:8000"])
        #expect(found.unready == ["http://10.0.0.2:8000"])
    }

    /// As kube-proxy does: the last ones that still answer do so until a new one is ready.
    @Test func whereNobodyIsReadyWhoEndsGoesOn() throws {
        let slice = Self.slice([
            Self.endpoint("10.0.0.2", "u2", ready: false),
            Self.endpoint("10.0.0.3", "u3", ready: false, serving: true, terminating: true),
            Self.endpoint("10.0.0.4", "u4", ready: false, serving: false, terminating: true),
        ])
        let found = try Self.found([slice])
        #expect(found.urls == ["http://10.0.0.2:8000", "http://10.0.0.3:8000"])
        #expect(found.unready == ["http://10.0.0.2:8000"])
    }

    @Test func oneEndpointInSeveralSlices() throws {
        let both = [
            Self.slice([Self.endpoint("fd00::1", "u1")], name: "b", type: "IPv6"),
            Self.slice([
                Self.endpoint("10.0.0.1", "u1"), Self.endpoint("10.0.0.2", "u2", ready: false),
            ]),
            Self.slice([Self.endpoint("10.0.0.2", "u2")], name: "c"),
            Self.slice([Self.endpoint("fd00::9", "u9")], name: "d", type: "IPv6"),
            Self.slice([Self.endpoint("pod.example.com")], name: "e", type: "FQDN"),
            Self.slice([Self.endpoint("10.0.0.7")], name: "f", type: "IPX"),
        ]
        let found = try Self.found(both)
        #expect(
            found.urls == [
                "http://10.0.0.1:8000", "http://10.0.0.2:8000", "http://[fd00::9]:8000",
                "http://pod.example.com:8000",
            ])
        #expect(found.unready.isEmpty)
        // What ends does not begin again; without a uid another may have the address.
        let ends = Self.endpoint("10.0.0.1", "u1", ready: false, serving: true, terminating: true)
        let other = Self.endpoint("10.0.0.5", "u5")
        for slices in [
            [Self.slice([ends]), Self.slice([Self.endpoint("10.0.0.1", "u1"), other], name: "b")],
            [Self.slice([Self.endpoint("10.0.0.1", "u1"), other]), Self.slice([ends], name: "b")],
        ] {
            #expect(try Self.found(slices).urls == ["http://10.0.0.5:8000"])
        }
        var unknown = ends
        unknown.uid = ""
        let after = [Self.slice([unknown]), Self.slice([Self.endpoint("10.0.0.1")], name: "b")]
        #expect(try Self.found(after).urls == ["http://10.0.0.1:8000"])
    }

    /// A pod has the address of one that ends.
    @Test func oneAddressOfSeveralEndpoints() throws {
        let old = Self.endpoint("10.0.0.1", "z", ready: false, serving: true, terminating: true)
        var set = EndpointSliceSet()
        try set.put(Self.slice([old, Self.endpoint("10.0.0.1", "a", ready: false)]))
        var settings = KubernetesDiscovery()
        settings.service = "model"
        guard case .backends(let backends, _) = set.finding(settings, namespace: "ml") else {
            Issue.record("no backends")
            return
        }
        #expect(backends.map(\.instance) == ["a"])
    }

    @Test func ports() throws {
        let two = [
            Self.slice(
                [Self.endpoint("10.0.0.1")],
                ports: [.init(name: "http", number: 8000), .init(name: "metrics", number: 9000)]),
            // The same name is another number at other pods.
            Self.slice(
                [Self.endpoint("10.0.0.2")], name: "b", ports: [.init(name: "http", number: 8001)]),
        ]
        #expect(try Self.found(two).urls == ["http://10.0.0.1:8000", "http://10.0.0.2:8001"])
        #expect(
            try Self.found(two, port: .number(7)).urls == [
                "http://10.0.0.1:7", "http://10.0.0.2:7",
            ])
        #expect(try Self.found(two, port: nil).urls == ["http://10.0.0.2:8001"])
        #expect(
            try Self.found([two[0]], port: nil).fault
                == "model has several ports, so the policy has to say which: http, metrics")
        #expect(
            try Self.found(two, port: .named("grpc")).fault
                == "model has no port grpc, but http, metrics")
        let secure = try Self.found([two[1]], port: nil, scheme: .https)
        #expect(secure.urls == ["https://10.0.0.2:8001"])
    }

    @Test func noAddressesAndNoSlices() throws {
        #expect(try Self.found([]).urls.isEmpty)
        let bad = Self.slice([
            Self.endpoint(""), Self.endpoint("1.2.3"), Self.endpoint("a b\r\nx: y"),
        ])
        #expect(try Self.found([bad]).urls.isEmpty)
    }

    @Test func boundsHold() throws {
        let many = (0..<1_000).map { Self.endpoint("10.0.\($0 / 250).\($0 % 250)") }
        var set = EndpointSliceSet()
        for name in ["a", "b", "c", "d"] { try set.put(Self.slice(many, name: name)) }
        // One in the place of another is no more than before.
        try set.put(Self.slice(many, name: "a"))
        #expect(throws: EndpointSliceReader.Fault.self) {
            try set.put(Self.slice([many[0]], name: "e"))
        }
        set.remove("a")
        try set.put(Self.slice([many[0]], name: "e"))
        let distinct = (0..<1_001).map { Self.endpoint("10.1.\($0 / 250).\($0 % 250)") }
        let halves = [
            Self.slice(Array(distinct[..<500])), Self.slice(Array(distinct[500...]), name: "b"),
        ]
        #expect(try Self.found(halves).fault == "model has 1001 endpoints, 1000 at most")
    }

    /// Whatever a watch tells, however it is cut, comes to what a list would tell.
    @Test(arguments: 1...40) func watchesComeToWhatListsTell(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        var model: [String: EndpointSlice] = [:]
        var watched = EndpointSliceSet()
        var reader = EndpointSliceReader(.watch)
        var settings = KubernetesDiscovery()
        settings.service = "model"
        for step in 1...60 {
            let name = "s\(random.next(below: 4))"
            var text: String
            if model[name] != nil, random.next(below: 4) == 0 {
                text = EndpointSliceText.event("DELETED", EndpointSlice(name: name), version: step)
                model[name] = nil
            } else {
                let slice = Self.any(name, &random)
                let type = model[name] == nil ? "ADDED" : "MODIFIED"
                model[name] = slice
                text = EndpointSliceText.event(type, slice, version: step)
            }
            text += #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"\#(step)"}}}"#
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = 1 + random.next(below: 200)
                for piece in try reader.take(Array(rest.prefix(count))) {
                    switch piece {
                    case .event(.put(let slice), _): try watched.put(slice)
                    case .event(.removed(let name), _): watched.remove(name)
                    default: break
                    }
                }
                rest = rest.dropFirst(count)
            }
            var listed = EndpointSliceSet()
            var lists = EndpointSliceReader(.list)
            for piece in try lists.take(Array(EndpointSliceText.list(Array(model.values)).utf8)) {
                if case .slice(let slice) = piece { try listed.put(slice) }
            }
            #expect(lists.isComplete && reader.isComplete, "seed \(seed), step \(step)")
            let found = try Self.plain(watched.finding(settings, namespace: "ml"))
            #expect(
                found == (try Self.plain(listed.finding(settings, namespace: "ml"))),
                "seed \(seed), step \(step)")
            Self.check(found, model, "seed \(seed), step \(step)")
        }
    }

    private struct Plain: Equatable {
        var backends: [BackendAddress]
        var unready: Set<String>
    }

    private static func plain(_ finding: DiscoveryFinding) throws -> Plain {
        guard case .backends(let backends, let unready) = finding else {
            throw EndpointSliceReader.Fault(text: "\(finding)")
        }
        return Plain(backends: backends, unready: unready)
    }

    /// What holds for any slices.
    private static func check(
        _ found: Plain, _ model: [String: EndpointSlice], _ comment: Comment
    ) {
        let labels = found.backends.map(\.label)
        #expect(labels == Set(labels).sorted(), comment)
        #expect(found.unready.isSubset(of: found.backends.map(\.key)), comment)
        let all = model.values.flatMap(\.endpoints)
        let uids = Set(found.backends.map(\.instance))
        let isReady = found.unready.count < found.backends.count
        for uid in uids {
            let conditions = all.filter { $0.uid == uid }.map(\.condition)
            #expect(!conditions.isEmpty, comment)
            // Who ends is there only where nobody else is ready.
            if conditions.contains(where: { $0 < .unready }) {
                let others = found.backends.filter { $0.instance != uid }
                let readyOnes = others.filter { other in
                    !found.unready.contains(other.key)
                        && all.contains { $0.uid == other.instance && $0.condition == .ready }
                        && !all.contains { $0.uid == other.instance && $0.condition < .unready }
                }
                #expect(readyOnes.isEmpty, comment)
            }
        }
        if !isReady { #expect(found.unready.count == found.backends.count, comment) }
    }

    private static func any(_ name: String, _ random: inout SplitMix64) -> EndpointSlice {
        let conditions: [Bool?] = [nil, true, false]
        let endpoints = (0..<random.next(below: 4)).map { _ in
            let number = random.next(below: 6)
            return endpoint(
                "10.0.0.\(number)", "u\(number)", ready: conditions[random.next(below: 3)],
                serving: conditions[random.next(below: 3)],
                terminating: random.next(below: 4) == 0)
        }
        return slice(endpoints, name: name)
    }
}
