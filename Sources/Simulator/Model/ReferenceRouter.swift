// The rules by which other projects' gateways choose a backend, as they ship: each request is sent at
// once and waits inside the engine. They are what the pool's own choice is compared with.

/// How a request finds its backend.
package enum ReferenceRouter: String, CaseIterable, Sendable {
    /// Least requests in flight.
    case leastRequests = "least-requests"
    /// The inference scheduler of llm-d: twice the matched share of the prompt, and the load between
    /// the least and the most loaded backend's.
    case llmd = "llm-d"
    /// SGLang's router: the backend that knows most of the prompt, if that is more than half; the
    /// least loaded one otherwise, and while loads differ by more than 32 requests and a tenth.
    case cacheAware = "cache-aware"
    /// Consistent hashing with bounded loads of 1.25 (Mirrokni, Thorup, Zadimoghaddam: "Consistent
    /// Hashing with Bounded Loads", 2016) by the prompt's beginning, as KubeAI does it.
    case boundedLoads = "bounded-loads"
}
