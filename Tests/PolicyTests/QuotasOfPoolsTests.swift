// What a tenant may use over all pools, where some of them say it and others have it from their `default`.

import Admission
import Testing

@testable import Policy

@Suite struct QuotasOfPoolsTests {
    private static func quotas(_ pools: [String]) throws -> [String: [Int?]] {
        let lines = pools.enumerated().map {
            "  p\($0): {backends: [http://a], tenant: {header: x-tenant, \($1)}}"
        }
        let text =
            "listen: 127.0.0.1:80\npools:\n\(lines.joined(separator: "\n"))\n"
            + "routes: [{path: /*, pool: p0}]\n"
        let quotas = try PolicyLoader.load(text: text, file: "policy.yaml").quotas
        return Dictionary(
            uniqueKeysWithValues: quotas.tenants.map {
                ($0.name, [$0.requestsPerMinute, $0.tokensPerMinute])
            })
    }

    @Test(arguments: [false, true])
    func whatIsSaidComesBeforeWhatIsLeftOut(isFirst: Bool) throws {
        let says =
            "named: [{name: acme, requests_per_minute: 3000}, {name: b, tokens_per_minute: 7}]"
        let leaves = "default: {requests_per_minute: 60}, named: [{name: acme}, {name: b}]"
        let found = try Self.quotas(isFirst ? [says, leaves] : [leaves, says])
        #expect(found == ["acme": [3000, nil], "b": [60, 7]])
    }

    @Test func whatAllLeaveOutIsTheDefault() throws {
        let leaves = "default: {tokens_per_minute: 9}, named: [{name: acme}]"
        #expect(try Self.quotas([leaves, "named: [{name: acme}]"]) == ["acme": [nil, 9]])
    }
}
