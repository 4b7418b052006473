// What an API server of Kubernetes says of the endpoints of a Service (`discovery.k8s.io/v1`), as far as it matters
// here.
//
// <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/>

/// Some of the endpoints of a Service, all with addresses of one kind and the same ports.
struct EndpointSlice: Equatable, Sendable {
    /// A port that all endpoints of a slice have.
    struct Port: Equatable, Sendable {
        /// Its name in the Service; empty where that has but one.
        var name = ""
        /// Its number at the endpoints; nil where all ports are meant.
        var number: UInt16?
    }

    /// Endpoints and ports of a slice at most, as the API has it.
    static let mostEndpoints = 1_000
    static let mostPorts = 100

    /// Its name, unlike all others of the namespace.
    var name = ""
    /// `IPv4`, `IPv6` or `FQDN`.
    var addressType = ""
    var ports: [Port] = []
    var endpoints: [Endpoint] = []
}

/// One endpoint: a pod, as a rule.
struct Endpoint: Equatable, Sendable {
    /// Its first address: others stand for the same.
    var address = ""
    /// What is there, unlike all others that ever were; empty where that is not said.
    var uid = ""
    /// The conditions, nil where they are not said.
    var ready: Bool?
    var serving: Bool?
    var terminating: Bool?

    /// How good an endpoint is for requests, the better the later.
    enum Condition: Int, Comparable {
        /// It ends, and takes nothing any more.
        case ended
        /// It ends, and still answers.
        case ending
        /// Its probe says no.
        case unready
        /// All is well.
        case ready

        static func < (one: Condition, other: Condition) -> Bool { one.rawValue < other.rawValue }
    }

    /// What the conditions come to.
    ///
    /// As the API has it, `ready` is true where it is not said, `serving` is what `ready` is, and `terminating` is
    /// false. One that ends may be called ready besides (`publishNotReadyAddresses`), and ends all the same.
    var condition: Condition {
        let isReady = ready ?? true
        if terminating ?? false { return serving ?? isReady ? .ending : .ended }
        return isReady ? .ready : .unready
    }
}

/// What a watch tells.
enum WatchEvent: Equatable, Sendable {
    /// A slice is there, or is another than before.
    case put(EndpointSlice)
    /// A slice is gone.
    case removed(name: String)
    /// Nothing but that so much is known.
    case bookmark
    /// The watch ends: a status of HTTP, and a text.
    case failed(code: Int, message: String)
    /// Something that is not known here.
    case unknown
}
